"""Planning and running: which cells are missing, in which units, on which devices."""

from bench.sweep.engine import RuntimeConfig, UnitResult, run_local
from bench.sweep.plan import Cell, WorkUnit, plan_cells, plan_units

__all__ = ["Cell", "RuntimeConfig", "UnitResult", "WorkUnit", "plan_cells", "plan_units", "run_local"]
