"""The code of docs/library.md runs, from top to bottom."""

import re
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).parents[2] / "docs" / "library.md"


def test_the_code_on_the_page_runs(tmp_path, monkeypatch, capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 5
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert "clean_accuracy" in printed
    assert "torch.Size([2, 224, 224])" in printed
    assert (tmp_path / "reports" / "mine" / "leaderboard.html").exists()
    results = names["results"]
    assert set(results.scores()["benchmark"]) >= {"clean", "corruption"}
    assert len(results.outcomes("fog")) == 8
    with pytest.raises(AttributeError, match="has no attribute 'evaluat'"):
        exec("bench.evaluat", names)
