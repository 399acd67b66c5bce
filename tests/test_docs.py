"""What README.md, CONTRIBUTING.md and docs/*.md name is there: files, modules, tasks, links."""

import importlib
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted({path.resolve() for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")]})
OPTIONS_TO_WRITE = {"benchmark=gamma", "model=mine", "suite=mine", "suite=open"} | {
    f"model={name}" for name in ("python0", "onnx0", "export0", "hf1")
}
TO_WRITE = {"conf/model/mine.yaml", "conf/data/mine.yaml", "conf/benchmark/gamma.yaml", "bench.benchmarks.gamma.Gamma"}
"""What CONTRIBUTING.md and docs/models.md ask the reader to write."""
MADE = ("outputs/", "reports/", "runs/")
"""Folders that runs write to."""
TOPS = "|".join(re.escape(path.name) for path in ROOT.iterdir() if path.is_dir())
PATH = re.compile(rf"(?<![\w./$~-])((?:{TOPS})/[\w./-]*|run\.py|test_\w+\.py|[A-Z]+\.md)")
MODULE = re.compile(r"(?<![\w./-])((?:bench|perf|tests)(?:\.\w+)+)(?![\w/])")
IN_MODULE = re.compile(r"`([A-Z_]+)` in\s+`(bench/[\w/]+)\.py`")
GROUPS = "|".join(path.name for path in (ROOT / "conf").iterdir() if path.is_dir() and path.name != "hydra")
OPTION = re.compile(rf"(?<![\w.@/-])({GROUPS})=([a-z]\w*(?:,[a-z]\w*)*)(?![\w.=])")
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")


@cache
def code(page):
    """The page's code: between backticks, and in fenced blocks."""
    text = page.read_text()
    blocks = re.findall(r"^ *```.*?^ *```", text, re.DOTALL | re.MULTILINE)
    inline = re.findall(r"(?<!`)`([^`]+)`(?!`)", re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE))
    return "\n".join([*blocks, *inline])


def is_there(path, page):
    name = path.rstrip(".")
    if (ROOT / name).exists() or (page.parent / name).exists():
        return True
    return "/" not in name and any(ROOT.glob(f"tests/**/{name}"))  # named after its folder's other tests


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page):
    named = {match[1] for match in PATH.finditer(code(page))} - TO_WRITE
    assert [path for path in sorted(named) if not path.startswith(MADE) and not is_there(path, page)] == []


def resolves(name):
    """Whether ``a.b.c`` is a module, or an attribute of one."""
    module, _, rest = name.partition(".")
    found = importlib.import_module(module)
    while rest:
        part, _, rest = rest.partition(".")
        if not hasattr(found, part):
            try:
                importlib.import_module(f"{found.__name__}.{part}")
            except (ImportError, AttributeError):
                return False
        found = getattr(found, part)
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_and_names_that_a_page_names_exist(page):
    named = {match[1] for match in MODULE.finditer(page.read_text())} - TO_WRITE
    named = {name for name in named if not name.endswith((".py", ".md"))}
    assert [name for name in sorted(named) if not resolves(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_are_in_the_modules_that_a_page_names(page):
    modules = IN_MODULE.findall(page.read_text())
    named = {f"{file.replace('/', '.').removesuffix('.__init__')}.{table}" for table, file in modules}
    assert [name for name in sorted(named) if not resolves(name)] == []
    if page.name == "CONTRIBUTING.md":
        assert {name.rpartition(".")[2] for name in named} == {"PACKAGED", "DEFENSES", "SOURCES", "BUILT_IN"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_that_a_page_names_exist(page):
    named = {
        (group, name) for match in OPTION.finditer(code(page)) for group in [match[1]] for name in match[2].split(",")
    }
    missing = [
        f"{group}={name}" for group, name in sorted(named) if not (ROOT / "conf" / group / f"{name}.yaml").exists()
    ]
    of_plugins = ("benchmark=gamma", "benchmark=shade")  # registered, without a yaml in conf/
    assert [option for option in missing if option not in (*OPTIONS_TO_WRITE, *of_plugins)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target, anchor in LINK.findall(page.read_text()):
        if target.startswith("http"):
            continue
        linked = page.parent / target if target else page
        assert linked.exists(), target
        titles = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE) if anchor else []
        anchors = {"#" + re.sub(r"[^\w\s-]", "", title).strip().lower().replace(" ", "-") for title in titles}
        assert not anchor or anchor in anchors, f"{target}{anchor}"


def test_every_page_is_in_the_navigation_and_every_entry_is_a_page():
    entries = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(entries) == sorted(path.name for path in ROOT.glob("docs/*.md"))
