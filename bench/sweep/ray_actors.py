"""``engine=ray``: actors on the machines of a Ray cluster, or on this one; outcomes come back to the sweep."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.errors import ConfigurationError
from bench.sweep.messages import Broken, Message, Ready, UnitKey
from bench.sweep.worker import OpenJob, Placement, broken, serve


def import_ray() -> Any:
    """The package.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigurationError("engine=ray needs Ray: pip install 'snowwolf[ray]'") from error
    return ray


class RayPool:
    """Actors, placed by Ray; one that ends is replaced wherever there is room.

    Args:
        open_job: builds a worker's job; must be importable on every node.
        address: of a running cluster (``auto``, ``ray://host:port``, ``host:port``); a new one on this machine if None.
        workers: actors; as many as the cluster has room for if None.
        gpus: GPUs per actor, a fraction where several share one; ignored where the cluster has none.
        threads: CPU cores per actor, and its torch threads.
    """

    def __init__(
        self, open_job: OpenJob, *, address: str | None, workers: int | None, gpus: float, threads: int
    ) -> None:
        self._ray = import_ray()
        self._owns = not self._ray.is_initialized()
        if self._owns:
            self._connect(address)
        resources = self._ray.cluster_resources()
        self._gpus = gpus if resources.get("GPU", 0) > 0 else 0.0
        room = resources["GPU"] / gpus if self._gpus else resources.get("CPU", 1) / threads
        self.size = workers or max(1, int(room + 1e-9))
        self._open_job, self._placement = open_job, Placement("auto" if self._gpus else "cpu", threads)
        self._threads = threads
        self._actors: dict[int, Any] = {}
        self._streams: dict[int, Any] = {}

    def _connect(self, address: str | None) -> None:
        try:
            self._ray.init(address=address, include_dashboard=False, logging_level="warning", log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigurationError(f"engine.address={address}: no Ray cluster there: {reason}") from error

    def start(self, worker: int) -> None:
        """Start an actor on any node with free resources."""
        cls = self._ray.remote(num_cpus=self._threads, num_gpus=self._gpus, max_restarts=0)(_Actor)
        actor = cls.remote(str(Path.cwd()), sys.path)
        self._actors[worker] = actor
        self._streams[worker] = actor.open.options(num_returns="streaming").remote(self._open_job, self._placement)

    def send(self, worker: int, lease: Sequence[UnitKey]) -> None:
        """Send ``lease`` to ``worker``."""
        self._streams[worker] = self._actors[worker].work.options(num_returns="streaming").remote(list(lease))

    def wait(self, seconds: float) -> list[tuple[int, Message]]:
        """One message from each actor that has sent one; ``Broken`` for each that has ended."""
        streams = {stream: worker for worker, stream in self._streams.items()}
        if not streams:
            time.sleep(seconds)
            return []
        ready, _ = self._ray.wait(list(streams), num_returns=1, timeout=seconds, fetch_local=False)
        if ready:  # and every other that has something by now
            ready, _ = self._ray.wait(list(streams), num_returns=len(streams), timeout=0, fetch_local=False)
        return [
            (worker, message) for worker in (streams[stream] for stream in ready) for message in self._receive(worker)
        ]

    def kill(self, worker: int) -> None:
        """End ``worker`` at once."""
        self._streams.pop(worker, None)
        self._ray.kill(self._actors.pop(worker), no_restart=True)

    def close(self) -> None:
        """End all actors, and the cluster where it was started here."""
        for worker in list(self._actors):
            self.kill(worker)
        if self._owns:
            self._ray.shutdown()

    def _receive(self, worker: int) -> list[Message]:
        try:
            return [self._ray.get(next(self._streams[worker]))]
        except StopIteration:
            del self._streams[worker]
            return []
        except self._ray.exceptions.RayError as error:
            return [Broken(f"{type(error).__name__}: {str(error).splitlines()[0]}")]


class _Actor:
    """What runs in an actor: builds its job once, then streams the messages of each lease."""

    def __init__(self, folder: str, path: list[str]) -> None:
        if Path(folder).is_dir():  # relative paths of the configuration mean the same here
            os.chdir(folder)
        sys.path += [entry for entry in path if entry not in sys.path]

    def open(self, open_job: OpenJob, placement: Placement) -> Iterator[Message]:
        try:
            self.job = open_job(placement)
            yield Ready()
        except Exception as error:
            yield broken(error)

    def work(self, lease: Sequence[UnitKey]) -> Iterator[Message]:
        try:
            yield from serve(self.job, lease)
        except Exception as error:
            yield broken(error)
