"""A store on a disk that fails: one clear line, and what was stored before stands."""

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from bench.errors import ConfigurationError, DataError
from bench.results import Store, missing_ranges
from bench.results.housekeeping import verify


def test_a_url_that_cannot_be_opened_is_refused():
    with pytest.raises(ConfigurationError, match="store nowhere://results cannot be opened"):
        Store("nowhere://results")


def test_sweeps_that_start_at_once_do_not_take_each_others_probe_away(tmp_path):
    store = Store(str(tmp_path))
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(store.files.check_writable) for _ in range(400)]:
            done.result()
        (tmp_path / ".writing-left-by-a-kill").mkdir()
    assert store.files.tree() == {}
    assert store.cells() == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 192 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if os.name != "posix" or os.getuid() != 0 or mount is None:
        pytest.skip("mounting a small tmpfs needs root")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=192k", "tmpfs", str(place)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def write(store, spec, make_outcomes, provenance, start):
    store.write_part(spec, make_outcomes(start, start + 10), start, provenance)


def test_a_full_disk_is_one_line_and_loses_nothing(small_disk, tmp_path, make_spec, make_outcomes, provenance):
    store, spec = Store(str(small_disk / "store")), make_spec(n_images=10_000)

    def fill():
        for start in range(0, 10_000, 10):
            write(store, spec, make_outcomes, provenance, start)

    with pytest.raises(DataError, match=r"cannot write to .*: No space left on device; what was stored before stands"):
        fill()
    held = store.covered(spec)
    assert held
    verdict = verify(store)
    assert (verdict.damaged, verdict.leftovers) == ((), ()), "no half of a part is left behind"
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    for low, high in missing_ranges(held, 1000):
        for start in range(low, high, 10):
            write(store, spec, make_outcomes, provenance, start)
    assert missing_ranges(store.covered(spec), 1000) == []


def test_a_read_only_store_is_refused_before_any_work(small_disk, make_spec, make_outcomes, provenance):
    store, spec = Store(str(small_disk / "store")), make_spec(n_images=10)
    write(store, spec, make_outcomes, provenance, 0)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(DataError, match="Read-only file system"):
        store.files.check_writable()
    assert len(store.outcomes(spec)) == 10, "reading goes on"


def test_a_store_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="Not a directory"):
        Store(str(tmp_path / "file" / "store")).files.check_writable()


def test_asking_leaves_nothing_behind(tmp_path):
    store = Store(str(tmp_path / "store"))
    store.files.check_writable()
    assert store.cells() == []
    assert list((tmp_path / "store").iterdir()) == []


def _fill(root, spec, make, provenance, chunk, seed):
    """Write every part in an order of its own, as one of several sweeps on one store."""
    store, starts = Store(root), list(range(0, spec.n_images, chunk))
    random.Random(seed).shuffle(starts)
    for start in starts:
        store.write_part(spec, make(start, min(start + chunk, spec.n_images)), start, provenance)


def test_sweeps_on_one_store_killed_at_random_lose_and_double_nothing(tmp_path, make_spec, make_outcomes, provenance):
    store, spec = Store(str(tmp_path / "store")), make_spec(n_images=300)
    _fill(str(tmp_path / "alone"), spec, make_outcomes, provenance, 300, 0)
    expected = Store(str(tmp_path / "alone")).outcomes(spec)
    context, chance = multiprocessing.get_context("fork"), random.Random(7)
    for attempt in range(12):
        writers = [
            context.Process(
                target=_fill, args=(store.root, spec, make_outcomes, provenance, chunk, 10 * attempt + chunk)
            )
            for chunk in (3, 7)
        ]
        for writer in writers:
            writer.start()
        time.sleep(chance.random() * 0.08)
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
        assert verify(store).damaged == (), "whatever the moment, no reader sees half a part"
    _fill(store.root, spec, make_outcomes, provenance, 7, 0)
    columns = ["position", "image_id", "label", "prediction", "correct"]
    pd.testing.assert_frame_equal(store.outcomes(spec)[columns], expected[columns])
