"""What pyproject.toml declares, against what the code imports."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {name: [Requirement(item) for item in items] for name, items in PROJECT["optional-dependencies"].items()}
DEPENDENCIES = [Requirement(item) for item in PROJECT["dependencies"]]
WITHOUT_DEPENDENCIES = {"grad-cam"}  # as `make environment` installs it
PROVIDERS = metadata.packages_distributions()
PINS = dict(
    re.fullmatch(r"([^=]+)==(\S+)", line).groups()
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
)


def names(requirements):
    return {canonicalize_name(item.name) for item in requirements}


def python_files(*tops):
    found = [path for top in tops for path in sorted((ROOT / top).rglob("*.py"))]
    assert found
    return found


def imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


@cache
def imports(path):
    """``(module, lazy)`` of each import of a file; lazy are those that wait for a function to be called."""
    tree = ast.parse(path.read_text())
    lazy = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    return [(module, id(node) in lazy) for node in ast.walk(tree) for module in imported(node)]


def third_party(path, local):
    """``(import name, lazy)`` of what a file imports from outside the standard library and the repository."""
    tops = {(module.partition(".")[0], lazy) for module, lazy in imports(path)}
    return sorted(item for item in tops if item[0] not in sys.stdlib_module_names and item[0] not in local)


def providers(module):
    """The distributions that an import name may come from; its own name where none is installed."""
    return {canonicalize_name(name) for name in PROVIDERS.get(module, [module])}


def test_the_package_imports_only_what_pyproject_declares():
    optional = set().union(*(names(items) for extra, items in EXTRAS.items() if extra not in ("dev", "docs")))
    eager_bench = {
        module
        for path in python_files("bench")
        for module, lazy in imports(path)
        if module.startswith("bench.") and not lazy
    }
    undeclared = {}
    for path in [*python_files("bench"), ROOT / "run.py"]:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for name, lazy in third_party(path, {"bench"}):
            if providers(name) & names(DEPENDENCIES):
                continue
            # an extra will do where nothing imports the file, or the package, before a user asks for it
            if not (providers(name) & optional and (lazy or module not in eager_bench)):
                undeclared.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert undeclared == {}


def test_the_tests_import_only_what_pyproject_declares():
    declared = names(DEPENDENCIES) | names(EXTRAS["dev"]) | WITHOUT_DEPENDENCIES
    for extra in next(item.extras for item in EXTRAS["dev"] if item.name == PROJECT["name"]):
        declared |= names(EXTRAS[extra])
    local = {"bench", "perf", "tests"} | {path.stem for path in python_files("tests")}
    undeclared = {
        name: str(path.relative_to(ROOT))
        for path in python_files("tests")
        for name, lazy in third_party(path, local)
        if not lazy and not providers(name) & declared
    }
    assert undeclared == {}


def closure(requirements):
    """``{distribution: extras}`` of all that ``requirements`` bring along, as the installed metadata say it."""
    found: dict[str, set[str]] = {}
    pending = [(canonicalize_name(item.name), {"", *item.extras}) for item in requirements]
    while pending:
        name, extras = pending.pop()
        new = extras - found.get(name, set())
        found[name] = found.get(name, set()) | new
        if name == PROJECT["name"]:
            pending += [(canonicalize_name(i.name), {"", *i.extras}) for extra in new - {""} for i in EXTRAS[extra]]
            continue
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for another platform
            continue
        for item in map(Requirement, needs):
            if any(item.marker is None or item.marker.evaluate({"extra": extra}) for extra in new):
                pending.append((canonicalize_name(item.name), {"", *item.extras}))
    return found


def test_one_opencv_is_installed():
    """Each OpenCV wheel has a `cv2` folder of its own, so that the last one installed overwrites the others."""
    assert {name for name in closure([*DEPENDENCIES, *EXTRAS["dev"]]) if name.startswith("opencv")} == {"opencv-python"}
    assert [name for name in PINS if name.startswith("opencv")] == ["opencv-python"]
    bare = [line for line in (ROOT / "Makefile").read_text().splitlines() if "--no-deps" in line]
    assert {name for line in bare for name in line.partition("--no-deps")[2].split()} >= WITHOUT_DEPENDENCIES


@pytest.mark.parametrize("requirement", [*DEPENDENCIES, *EXTRAS["samples"], *EXTRAS["dev"]], ids=str)
def test_the_constraints_fit_what_is_declared(requirement):
    if requirement.name != PROJECT["name"]:
        assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])
