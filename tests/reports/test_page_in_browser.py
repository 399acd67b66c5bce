"""The page opened in headless Chromium without a network: it draws everything and complains about nothing."""

import re

import numpy as np
import pytest
from browser import BROWSER, open_page

from bench.corruptions import CORRUPTIONS
from bench.records import Condition, Outcomes
from bench.reports import write_report
from bench.results import Store

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
N = 12
PARAMETERS = {"attack": "fgsm", "norm": "linf", "minimal_norm": False, "target": "", "options": {}}


@pytest.fixture
def page(tmp_path, make_spec, provenance):
    store = Store(str(tmp_path / "store"))
    ids = np.array([f"image_{i}" for i in range(N)])
    labels = np.arange(N)
    for classifier in ("plain", HOSTILE):
        plan = [("clean", Condition("clean"), 11)]
        plan += [("corruption", Condition(name, level), 10 - level) for name in CORRUPTIONS for level in range(1, 6)]
        plan += [(attack, Condition(attack, e / 255), 8 - e) for attack in ("fgsm", "pgd") for e in (1, 4)]
        for benchmark, condition, n_correct in plan:
            is_attack = benchmark in ("fgsm", "pgd")
            spec = make_spec(
                classifier=classifier,
                n_images=N,
                benchmark=benchmark,
                condition=condition,
                parameters=PARAMETERS if is_attack else {},
            )
            fell = labels >= n_correct
            columns = {
                "distance": np.full(N, condition.strength),
                "success": fell,
                "queries": np.ones(N, dtype=np.int64),
                "zero_gradient": np.ones(N, dtype=np.float32),  # raises a flag
                "stage": np.where(fell, "attack", ""),
            }
            outcomes = Outcomes(ids, labels, labels + fell, np.full(N, 0.5, np.float32), columns if is_attack else {})
            store.write_part(spec, outcomes, 0, provenance)
    write_report(store, tmp_path / "report")
    return tmp_path / "report" / "leaderboard.html"


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_the_page_draws_itself_without_a_network_or_an_error(page, tmp_path):
    elements, log = open_page(page, tmp_path / "profile", milliseconds=8000, size="1400,3000")
    assert "CONSOLE" not in log
    markup = re.sub(r"<script\b.*?</script>", "", elements, flags=re.DOTALL)
    assert len(re.findall(r'<svg[^>]*class="marks"', markup)) == 5
    assert 'class="dt-search"' in markup
    assert "<title>Snowwolf · report</title>" in markup
    assert "&lt;img src=x" in markup
