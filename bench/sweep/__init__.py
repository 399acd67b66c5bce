"""Planning and running: which cells are missing, in which units, on which devices."""

from bench.configs import EngineConfig, RuntimeConfig
from bench.sweep.dispatch import run_pool
from bench.sweep.engine import run_local
from bench.sweep.engines import open_pool
from bench.sweep.messages import UnitResult
from bench.sweep.plan import Cell, WorkUnit, plan_cells, plan_units
from bench.sweep.settings import Settings
from bench.sweep.worker import Job, Placement

__all__ = [
    "Cell",
    "EngineConfig",
    "Job",
    "Placement",
    "RuntimeConfig",
    "Settings",
    "UnitResult",
    "WorkUnit",
    "open_pool",
    "plan_cells",
    "plan_units",
    "run_local",
    "run_pool",
]
