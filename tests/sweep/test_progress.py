"""The time left follows the work, not the images."""

from bench.sweep import progress as progress_module
from bench.sweep.progress import SweepProgress


def test_the_time_left_counts_costly_images_as_such(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    with SweepProgress("lite0", total=20, work=10 * 1 + 10 * 60) as progress:
        now[0] += 10
        progress.advance(10, "clean")
        assert progress.rate == 1
        assert progress.seconds_left == 600  # ten images at sixty passes, one pass a second
        progress.advance(10, "pgd", 600)
        assert progress.seconds_left == 0
        assert progress.done == 20


def test_lines_go_to_the_log_where_there_is_no_terminal(monkeypatch, caplog):
    now = [0.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    with caplog.at_level("INFO"), SweepProgress("lite0", total=100) as progress:
        for _ in range(4):
            now[0] += 6
            progress.advance(25, "fog@3")
    assert [record.message for record in caplog.records] == [
        "lite0 · fog@3: 50/100 images, 4.2/s, 12 s left",
        "lite0 · fog@3: 100/100 images, 4.2/s, 0 s left",
    ]
