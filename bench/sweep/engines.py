"""Where work units run: in this process, in one process a device, or on the actors of a Ray cluster."""

import os
from dataclasses import dataclass

import torch

from bench.errors import ConfigurationError, nearest_names
from bench.sweep.dispatch import Pool
from bench.sweep.engine import RuntimeConfig
from bench.sweep.processes import ProcessPool
from bench.sweep.ray_actors import RayPool, import_ray
from bench.sweep.worker import OpenJob, Placement

ENGINES = ("local", "processes", "ray")


@dataclass
class EngineConfig:
    """Who runs the work units (``conf/engine``); outcomes are the same on one type of device."""

    name: str = "local"
    """``local``, ``processes`` or ``ray``."""
    workers: int | None = None
    """Processes or actors; one a GPU when left out, or as many as ``threads`` lets the CPU cores hold."""
    threads: int | None = None
    """Torch threads of each; when left out, the machine's cores over its workers, or 1 for an actor."""
    timeout: float = 3600.0
    """Seconds without a finished batch, after which a worker counts as hanging and is replaced."""
    start_timeout: float = 3600.0
    """Seconds that a worker has to become ready, which do not count towards ``timeout``."""
    retries: int = 2
    """How often a unit is tried again whose worker died or hung; then it is a failure of its cell."""
    address: str | None = None
    """``ray``: the cluster to join (``auto``, ``ray://host:port``); one on this machine when left out."""
    gpus: float = 1.0
    """``ray``: GPUs an actor holds; 0.25 lets four small classifiers share one."""

    def check(self) -> None:
        """Refuse what cannot be run.

        Raises:
            ConfigurationError: an unknown engine, a value out of range, or Ray asked for and not installed.
        """
        if self.name not in ENGINES:
            raise ConfigurationError(f"unknown engine {self.name!r}: {nearest_names(self.name, ENGINES)}")
        counts = [count for count in (self.workers, self.threads) if count is not None]
        if min(counts, default=1) < 1 or min(self.timeout, self.start_timeout) <= 0 or self.retries < 0:
            raise ConfigurationError(
                "engine.workers and engine.threads are at least 1, engine.timeout and engine.start_timeout above 0,"
                " engine.retries at least 0"
            )
        if self.gpus <= 0 or (self.gpus > 1 and self.gpus != int(self.gpus)):
            raise ConfigurationError(f"engine.gpus={self.gpus:g}: a fraction of a GPU, or a whole number of them")
        if self.name == "local" and self.workers is not None and self.workers > 1:
            raise ConfigurationError(f"engine=local is one process: engine=processes runs {self.workers}")
        if self.name != "ray" and self.address is not None:
            raise ConfigurationError(f"engine.address is for engine=ray, not engine={self.name}")
        if self.name == "ray":
            import_ray()


def open_pool(engine: EngineConfig, open_job: OpenJob, device: str) -> Pool:
    """The workers of ``engine=processes`` or ``engine=ray``, none of them started.

    Args:
        engine: which, and how many.
        open_job: builds the job inside a worker.
        device: ``runtime.device``: ``auto`` for every GPU, else the one that all share.
    """
    if engine.name == "ray":
        return RayPool(
            open_job,
            address=engine.address,
            workers=engine.workers,
            gpus=engine.gpus,
            threads=engine.threads or 1,
        )
    return ProcessPool(open_job, placements(engine, device))


def placements(engine: EngineConfig, device: str) -> list[Placement]:
    """A device and threads for each process: GPUs in turn, else shares of the CPU's cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = RuntimeConfig(device=device).torch_device()
    every = found.type == "cuda" and device in ("auto", "cuda")
    devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if every else [str(found)]
    fitting = len(devices) if found.type != "cpu" else max(1, cores // (engine.threads or 1))
    workers = engine.workers or fitting
    threads = engine.threads or max(1, cores // workers)
    return [Placement(devices[worker % len(devices)], threads) for worker in range(workers)]
