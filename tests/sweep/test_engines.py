"""Engines: every image once, whoever dies; the same rows as in one process."""

import os
import random
import signal
from dataclasses import replace
from functools import partial

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import ConfigurationError, DataError
from bench.results import Store
from bench.sweep import EngineConfig, Placement, dispatch, plan_units, run_local, run_pool
from bench.sweep.engines import placements
from bench.sweep.messages import BatchDone, Broken, LeaseDone, Ready, UnitKey, UnitResult, key_of
from bench.sweep.processes import ProcessPool
from bench.sweep.queue import UnitQueue
from tests.sweep.toy_job import Trap, open_toy_job

HERE = Placement("cpu", 1)


def planned(tmp_path, trap, chunk=4):
    job = open_toy_job(trap, HERE)
    store = Store(str(tmp_path / "store"))
    return job, store, plan_units(list(job.cells.values()), store, chunk=chunk)


LIMITS = {"timeout": 3600.0, "start_timeout": 3600.0}  # no test ends by these, however slow the machine


def run_processes(units, trap, spots=(HERE, HERE), retries=2, on_batch=None):
    pool = ProcessPool(partial(open_toy_job, trap), list(spots))
    return list(run_pool(units, pool, **LIMITS, retries=retries, on_batch=on_batch))


def rows(results, tmp_path, provenance):
    """Write each result, as a sweep does; a result told twice is a mistake."""
    store = Store(str(tmp_path))
    for result in results:
        if result.outcomes is not None:
            assert store.write_part(result.unit.cell.spec, result.outcomes, result.unit.start, provenance)
    return {cell.spec.cell_id: store.outcomes(cell.spec) for cell in store.cells() if cell.complete}


def assert_equal_stores(left, right):
    assert left.keys() == right.keys()
    for cell_id in left:
        pd.testing.assert_frame_equal(left[cell_id], right[cell_id], check_exact=True)


@pytest.fixture
def expected(tmp_path, provenance):
    job, _, units = planned(tmp_path, Trap())
    return rows(run_local(job.networks, units, job.runtime, seed=0), tmp_path / "expected", provenance)


class ChaoticPool:
    """Workers that exist only as messages; each may die at any moment, as ``chance`` has it."""

    def __init__(self, size, make_outcomes, chance, deaths):
        self.size, self.make_outcomes, self.chance, self.deaths = size, make_outcomes, chance, deaths
        self.talk = {}

    def start(self, worker):
        self.talk[worker] = [Ready()]

    def send(self, worker, lease):
        if self.talk.get(worker) != ["dead"]:
            for key in lease:
                outcomes = self.make_outcomes(key.start, key.stop)
                self.talk[worker] += [
                    BatchDone(key, key.stop - key.start),
                    UnitResult(key, outcomes, 0.0, "", "", "d", "h"),
                ]
            self.talk[worker].append(LeaseDone())

    def wait(self, seconds):
        speaking = [worker for worker, talk in self.talk.items() if talk]
        if not speaking:
            return []
        worker = self.chance.choice(speaking)
        if self.deaths and self.chance.random() < 0.3 and not isinstance(self.talk[worker][0], Ready):
            self.deaths -= 1
            self.talk[worker] = []
            return [(worker, Broken("died"))]
        return [(worker, self.talk[worker].pop(0))]

    def kill(self, worker):
        self.talk.pop(worker, None)

    def close(self):
        self.talk.clear()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 5), chunk=st.integers(1, 20), deaths=st.integers(0, 30))
def test_whoever_dies_whenever_each_unit_is_told_once(tmp_path_factory, seed, size, chunk, deaths):
    from bench.records import Outcomes

    def make_outcomes(start, stop):
        column = torch.arange(start, stop).numpy()
        return Outcomes(column.astype(str), column, column, column.astype("float32"))

    _, _, units = planned(tmp_path_factory.mktemp("chaos"), Trap(), chunk)
    pool = ChaoticPool(size, make_outcomes, random.Random(seed), deaths)
    counted = []
    results = list(run_pool(units, pool, **LIMITS, retries=1000, on_batch=lambda unit, n: counted.append(n)))
    told = sorted((result.unit.cell.spec.cell_id, result.unit.start, result.unit.stop) for result in results)
    assert told == sorted((unit.cell.spec.cell_id, unit.start, unit.stop) for unit in units)
    assert sum(counted) >= 40


@settings(max_examples=100, deadline=None)
@given(
    costs=st.lists(st.floats(0.1, 1000), min_size=1, max_size=60),
    workers=st.integers(1, 8),
    seed=st.integers(0, 10**6),
)
def test_the_queue_neither_loses_nor_doubles(costs, workers, seed):
    keys = [UnitKey("cell", position, position + 1) for position in range(len(costs))]
    queue = UnitQueue(list(zip(keys, costs, strict=True)), workers=workers, retries=10**6)
    chance, done, held = random.Random(seed), [], {}
    while len(queue):
        worker = chance.randrange(workers)
        lease = held.setdefault(worker, queue.lease(worker) if not held.get(worker) else held[worker])
        if chance.random() < 0.2:
            queue.lose(worker)
            held.pop(worker)
        elif lease:
            key = lease.pop(0)
            assert queue.finish(worker, key)
            assert not queue.finish(worker, key), "the same unit is never taken twice"
            done.append(key)
        if not held.get(worker):
            held.pop(worker, None)
    assert sorted(done) == keys


def test_the_costly_units_go_first_and_leases_shrink():
    keys = [UnitKey("cell", position, position + 1) for position in range(100)]
    queue = UnitQueue([(key, 50.0 if key.start == 70 else 1.0) for key in keys], workers=2, retries=0)
    assert queue.lease(0)[0].start == 70
    sizes = []
    while queue.has_open:
        sizes.append(len(queue.lease(1)))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1


def test_processes_give_the_rows_of_one_process(tmp_path, expected, provenance):
    _, _, units = planned(tmp_path, Trap())
    counted = []
    results = run_processes(units, Trap(), on_batch=lambda unit, n: counted.append(n))
    assert_equal_stores(rows(results, tmp_path / "two", provenance), expected)
    assert sum(counted) == 40
    assert {result.device for result in results} == {"a toy"}


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path, expected, provenance, caplog):
    trap = Trap(how="kill", folder=str(tmp_path))
    _, _, units = planned(tmp_path, trap)
    results = run_processes(units, trap)
    assert (tmp_path / "sprung").exists()
    assert_equal_stores(rows(results, tmp_path / "killed", provenance), expected)
    assert "was ended by SIGKILL (out of memory?)" in caplog.text


@pytest.mark.proof
def test_a_hanging_worker_is_replaced(tmp_path, expected, provenance, caplog, monkeypatch):
    """An hour passes, once, when a worker hangs: the clock is the test's, so the machine's speed means nothing."""
    now = [0.0]
    monkeypatch.setattr(dispatch.time, "monotonic", lambda: now[0])

    class AnHourLater(ProcessPool):
        def wait(self, seconds):
            said = super().wait(seconds)
            if now == [0.0] and (tmp_path / "sprung").exists():
                now[0] = 3601.0
            return said

    trap = Trap(how="hang", folder=str(tmp_path))
    _, _, units = planned(tmp_path, trap)
    pool = AnHourLater(partial(open_toy_job, trap), [HERE, HERE])
    results = list(run_pool(units, pool, **LIMITS, retries=2))
    assert_equal_stores(rows(results, tmp_path / "hung", provenance), expected)
    assert "no batch finished in 3600 s (engine.timeout)" in caplog.text


class ScriptedPool:
    """One worker whose messages are written down, each with the seconds that pass before it comes."""

    size = 1

    def __init__(self, clock, script):
        self.clock, self.script, self.killed, self.leases = clock, script, 0, []

    def start(self, worker):
        pass

    def send(self, worker, lease):
        self.leases += lease

    def wait(self, seconds):
        self.clock[0] += self.script[0][0]
        message = self.script.pop(0)[1]
        return [(0, message)] if message is not None else []

    def kill(self, worker):
        self.killed += 1

    def close(self):
        pass


@pytest.fixture
def one_unit(tmp_path, monkeypatch):
    """A single unit, its key, and a clock that the test sets."""
    clock = [0.0]
    monkeypatch.setattr(dispatch.time, "monotonic", lambda: clock[0])
    _, _, units = planned(tmp_path, Trap(), chunk=20)
    return units[0], key_of(units[0]), clock


def test_time_of_starting_does_not_count_as_silence(one_unit, make_outcomes):
    unit, key, clock = one_unit
    done = UnitResult(key, make_outcomes(0, 20), 0.0, "", "", "d", "h")
    script = [(500, None), (500, Ready()), (9, None), (9, BatchDone(key, 10)), (9, done)]
    pool = ScriptedPool(clock, script)
    (result,) = run_pool([unit], pool, timeout=20, start_timeout=1001, retries=0)
    assert result.outcomes is not None
    assert pool.killed == 0


def test_a_worker_that_is_never_ready_is_given_up_after_the_time_for_starting(one_unit):
    unit, _, clock = one_unit
    pool = ScriptedPool(clock, [(500, None), (502, None)])
    with pytest.raises(DataError, match=r"not ready 1001 s after its start \(engine.start_timeout\)"):
        list(run_pool([unit], pool, timeout=20, start_timeout=1001, retries=0))


def test_time_that_the_caller_takes_to_store_does_not_count_as_silence(one_unit, make_outcomes):
    unit, _, clock = one_unit
    first, second = replace(unit, stop=10), replace(unit, start=10)
    said = [UnitResult(key_of(part), make_outcomes(0, 10), 0.0, "", "", "d", "h") for part in (first, second)]
    pool = ScriptedPool(clock, [(1, Ready()), (1, said[0]), (1, LeaseDone()), (1, None), (1, said[1])])
    for _ in run_pool([first, second], pool, timeout=20, start_timeout=20, retries=0):
        clock[0] += 1000  # a slow disk
    assert pool.killed == 0


@pytest.mark.proof
def test_a_unit_that_always_kills_is_a_failure_of_its_cell_alone(tmp_path, provenance):
    trap = Trap(how="kill", folder=str(tmp_path), always=True)
    _, _, units = planned(tmp_path, trap)
    results = run_processes(units, trap, retries=1)
    failed = [result for result in results if result.outcomes is None]
    assert [(result.unit.start, result.unit.cell.spec.condition.strength) for result in failed] == [(4, 1.0)]
    assert failed[0].error.startswith("WorkerLost: process ")
    whole = rows(results, tmp_path / "poison", provenance)
    assert len(whole) == 1, "the other cell is complete"


def test_a_worker_that_cannot_start_leaves_the_work_to_others(tmp_path, make_outcomes, caplog):
    class Lame(ChaoticPool):
        def start(self, worker):
            self.talk[worker] = [Broken("no weights here")] if worker == 0 else [Ready()]

    _, _, units = planned(tmp_path, Trap())
    results = list(run_pool(units, Lame(2, make_outcomes, random.Random(0), 0), **LIMITS, retries=0))
    assert len(results) == len(units)
    assert "worker 0 could not start, the others go on: no weights here" in caplog.text


def test_no_worker_at_all_is_one_clear_line(tmp_path):
    _, _, units = planned(tmp_path, Trap())
    with pytest.raises(DataError, match=r"no worker is left for 10 work units; .* the weights are not on this machine"):
        run_processes(units, Trap(), spots=[Placement("nowhere", 1)])


def test_a_worker_with_other_weights_computes_nothing(tmp_path):
    _, _, units = planned(tmp_path, Trap())
    foreign = [
        replace(unit, cell=replace(unit.cell, spec=replace(unit.cell.spec, weights_digest="ffff"))) for unit in units
    ]
    results = run_processes(foreign, Trap(), spots=[HERE], retries=0)
    assert {result.outcomes for result in results} == {None}
    assert all("its images, weights or code are not those" in result.error for result in results)


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (EngineConfig(name="procesess"), "did you mean 'processes'"),
        (EngineConfig(name="processes", workers=0), "at least 1"),
        (EngineConfig(name="processes", threads=0), "at least 1"),
        (EngineConfig(name="local", workers=2), "engine=processes runs 2"),
        (EngineConfig(name="processes", address="auto"), "engine.address is for engine=ray"),
        (EngineConfig(name="ray", gpus=1.5), "a fraction of a GPU"),
    ],
)
def test_mistakes_are_refused_in_one_line(engine, message):
    with pytest.raises(ConfigurationError, match=message):
        engine.check()


def test_ray_absent_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'snowwolf\[ray\]'"):
        EngineConfig(name="ray").check()


def test_placements(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert placements(EngineConfig(name="processes", threads=4), "cpu") == [Placement("cpu", 4)] * 2
    assert placements(EngineConfig(name="processes", workers=3), "cpu") == [Placement("cpu", 2)] * 3
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    spots = placements(EngineConfig(name="processes", workers=4), "auto")
    assert [spot.device for spot in spots] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]


def test_ray_actors_die_and_nothing_is_lost(tmp_path, expected, provenance, monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'snowwolf[ray]'")
    from bench.sweep.ray_actors import RayPool

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    trap = Trap(how="kill", folder=str(tmp_path))
    _, _, units = planned(tmp_path, trap)
    ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
    try:
        pool = RayPool(partial(open_toy_job, trap), address=None, workers=2, gpus=1.0, threads=1)
        results = list(run_pool(units, pool, **LIMITS, retries=2))
    finally:
        ray.shutdown()
    assert (tmp_path / "sprung").exists()
    assert_equal_stores(rows(results, tmp_path / "ray", provenance), expected)


def test_four_ray_actors_share_a_gpu(tmp_path, expected, provenance, monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'snowwolf[ray]'")
    from bench.sweep.ray_actors import RayPool

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    _, _, units = planned(tmp_path, Trap())
    ray.init(num_cpus=8, num_gpus=1, include_dashboard=False, logging_level="error", log_to_driver=False)
    try:
        pool = RayPool(partial(open_toy_job, Trap()), address=None, workers=None, gpus=0.25, threads=1)
        assert pool.size == 4
        results = list(run_pool(units, pool, **LIMITS, retries=2))
    finally:
        ray.shutdown()
    assert_equal_stores(rows(results, tmp_path / "ray", provenance), expected)


def test_ctrl_c_is_for_the_sweep_alone(tmp_path):
    _, _, units = planned(tmp_path, Trap())
    pool = ProcessPool(partial(open_toy_job, Trap()), [HERE])
    pool.start(0)
    try:
        while not (said := pool.wait(30)):
            pass
        assert said == [(0, Ready())]
        process = pool._workers[0][0]
        os.kill(process.pid, signal.SIGINT)
        pool.send(0, [key_of(units[0])])
        heard = []
        while not any(isinstance(message, LeaseDone) for _, message in heard):
            heard += pool.wait(30)
            assert not any(isinstance(message, Broken) for _, message in heard), "the worker goes on"
        assert process.is_alive()
    finally:
        pool.close()
    assert not process.is_alive()
