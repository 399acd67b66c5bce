"""The audit's figures on the leaderboard."""

import numpy as np
from numpy.typing import NDArray

from bench.benchmarks.cam_audit import CamAudit
from bench.errors import DataError
from bench.reports.subjects import Subject

AUDIT = CamAudit.name
[CONDITION] = CamAudit().conditions()


def energy_in_object(subject: Subject) -> NDArray[np.float64]:
    """Share of positive attribution in the object's region, one an image that has a region.

    Raises:
        DataError: the audit was not run, not to its end, or without regions.
    """
    return _region_column(subject, "energy_in_object")


def pointing_game(subject: Subject) -> NDArray[np.bool_]:
    """Whether the map's maximum is in the object's region, one an image that has a region.

    Raises:
        DataError: the audit was not run, not to its end, or without regions.
    """
    hits: NDArray[np.bool_] = _region_column(subject, "pointing_hit") == 1
    return hits


def _region_column(subject: Subject, name: str) -> NDArray[np.float64]:
    outcomes = subject.outcomes(AUDIT, CONDITION)
    if name not in outcomes:
        raise DataError(f"{AUDIT} was run without object regions: set data.regions")
    values = outcomes[name].to_numpy(dtype=np.float64)
    present: NDArray[np.float64] = values[~np.isnan(values)]
    if not len(present):
        raise DataError("no image has a region and a map: there is no figure")
    return present
