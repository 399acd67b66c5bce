"""A page of a hundred classifiers, driven in headless Chromium: sort, filter, open one, switch the theme."""

import html
import json
import re

import numpy as np
import pytest
from browser import BROWSER, open_page

from bench.records import Condition, Outcomes
from bench.reports import write_report
from bench.results import Store

CLASSIFIERS, N = 100, 40
PARAMETERS = {"attack": "fgsm", "norm": "linf", "minimal_norm": False, "target": "", "options": {}}

DRIVER = """
<pre id="told"></pre>
<script type="module">
const pause = () => new Promise((done) => setTimeout(done, 300));
const rows = () => [...document.querySelectorAll("#leaderboard tbody tr")].map((row) => row.dataset.label);
const drawn = (plot) => plot.querySelector("svg.marks") && plot.clientWidth;
const charts = (where) => [...document.querySelectorAll(`${where} .plot`)].filter(drawn).length;
const told = { errors: [] };
addEventListener("error", (event) => told.errors.push(event.message));
await pause();
told.shown = document.getElementById("shown").textContent;
const headings = [...document.querySelectorAll("#leaderboard thead tr:nth-child(2) th")];
const heading = headings.find((th) => th.textContent.includes("Clean accuracy"));
heading.click();
await pause();
told.ascending = rows();
const search = document.querySelector(".dt-search input");
search.value = "net_07";
search.dispatchEvent(new Event("input", { bubbles: true }));
search.dispatchEvent(new KeyboardEvent("keyup", { bubbles: true }));
await pause();
told.filtered = rows();
told.shownFiltered = document.getElementById("shown").textContent;
document.querySelector("#leaderboard tbody a").click();
await pause();
const open = document.querySelector("article.classifier:not([hidden])");
told.opened = open.dataset.label;
told.title = document.title;
told.command = open.querySelector("code").textContent;
told.charts = charts("article.classifier:not([hidden])");
told.tableHidden = document.getElementById("leaderboard").clientWidth === 0;
dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
await pause();
told.back = document.getElementById("leaderboard").clientWidth > 0;
const theme = document.documentElement.dataset.theme;
document.getElementById("theme").click();
told.switched = document.documentElement.dataset.theme !== theme;
const fetched = performance.getEntriesByType("resource").map((entry) => entry.name);
told.requests = fetched.filter((name) => /^(http|file)/.test(name));
document.getElementById("told").textContent = JSON.stringify(told);
</script>
"""


@pytest.fixture(scope="module")
def accuracies():
    return np.random.RandomState(0).permutation(CLASSIFIERS) % N


@pytest.fixture
def page(tmp_path, make_spec, provenance, accuracies):
    store = Store(str(tmp_path / "store"))
    ids, labels = np.array([f"image_{i}" for i in range(N)]), np.arange(N)
    for index, n_correct in enumerate(accuracies):
        plan = [("clean", Condition("clean"), n_correct)]
        plan += [("fgsm", Condition("fgsm", e / 255), n_correct // (e + 1)) for e in (1, 2, 4)]
        for benchmark, condition, correct in plan:
            fell = labels >= correct
            columns = {
                "distance": np.full(N, condition.strength),
                "success": fell,
                "queries": np.ones(N, dtype=np.int64),
                "zero_gradient": np.zeros(N, dtype=np.float32),
                "stage": np.where(fell, "attack", ""),
            }
            spec = make_spec(
                classifier=f"net_{index:02}",
                weights_digest=f"{index:04x}",
                n_images=N,
                benchmark=benchmark,
                condition=condition,
                parameters=PARAMETERS if benchmark == "fgsm" else {},
            )
            extra = columns if benchmark == "fgsm" else {}
            store.write_part(
                spec, Outcomes(ids, labels, labels + fell, np.full(N, 0.5, np.float32), extra), 0, provenance
            )
    write_report(store, tmp_path / "report")
    return tmp_path / "report" / "leaderboard.html"


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_hundred_classifiers_can_be_sorted_filtered_and_opened(page, tmp_path, accuracies):
    assert page.stat().st_size < 5e6
    before, end, after = page.read_text().rpartition("</body>")
    page.write_text(before + DRIVER + end + after)
    elements, log = open_page(page, tmp_path / "profile", milliseconds=20000, size="1400,2000")
    assert "CONSOLE" not in log
    told = json.loads(html.unescape(re.search(r'<pre id="told">(.*?)</pre>', elements, re.DOTALL)[1]))
    assert told["errors"] == []
    assert told["shown"].startswith("The plots show 12 of 100 classifiers")
    by_name = {f"net_{index:02}": accuracy for index, accuracy in enumerate(accuracies)}
    sorted_ones = [by_name[label] for label in told["ascending"]]
    assert sorted_ones == sorted(sorted_ones)
    assert len(sorted_ones) == 50
    assert told["filtered"] == ["net_07"]
    assert told["shownFiltered"].startswith("The plots show 1 of 100")
    assert told["opened"] == "net_07"
    assert told["title"] == "net_07 · Snowwolf · report"
    assert told["command"].startswith("python run.py")
    assert told["charts"] == 1
    assert told["tableHidden"]
    assert told["back"]
    assert told["switched"]
    assert told["requests"] == []
