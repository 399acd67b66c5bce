"""Where work units run: in this process, in one process a device, or on the actors of a Ray cluster."""

import torch

from bench.configs import EngineConfig, RuntimeConfig, available_cores
from bench.sweep.dispatch import Pool
from bench.sweep.processes import ProcessPool
from bench.sweep.ray_actors import RayPool
from bench.sweep.worker import OpenJob, Placement


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
    cores = available_cores()
    chosen = RuntimeConfig(device=device).torch_device()
    every = chosen.type not in ("cpu", "mps") and device in ("auto", chosen.type)
    count = torch.get_device_module(chosen).device_count() if every else 0
    devices = [f"{chosen.type}:{index}" for index in range(count)] or [str(chosen)]
    fitting = len(devices) if chosen.type != "cpu" else max(1, cores // (engine.threads or 1))
    workers = engine.workers or fitting
    threads = engine.threads or max(1, cores // workers)
    return [Placement(devices[worker % len(devices)], threads) for worker in range(workers)]
