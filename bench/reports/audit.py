"""The audit's figures on the leaderboard."""

import numpy as np
from numpy.typing import NDArray

from bench.benchmarks.cam_audit import CamAudit
from bench.errors import DataError
from bench.metrics.audit import hit_rate, linearised, mean_present
from bench.records import Estimate
from bench.reports.subjects import Subject

AUDIT = CamAudit.name
[CONDITION] = CamAudit().conditions()


def energy_in_object(subject: Subject) -> Estimate:
    """Mean share of positive attribution in the object's region.

    Raises:
        DataError: the audit was not run, not to its end, or without regions.
    """
    return mean_present(_region_column(subject, "energy_in_object"))


def pointing_game(subject: Subject) -> Estimate:
    """Share of maps whose maximum is in the object's region.

    Raises:
        DataError: the audit was not run, not to its end, or without regions.
    """
    return hit_rate(_region_column(subject, "pointing_hit"))


def energy_values(subject: Subject) -> NDArray[np.float64]:
    """``(N,)`` what each image contributes to ``energy_in_object``.

    Raises:
        DataError: as ``energy_in_object``.
    """
    return linearised(_region_column(subject, "energy_in_object"))


def pointing_values(subject: Subject) -> NDArray[np.generic]:
    """``(N,)`` what each image contributes to ``pointing_game``: hit or miss, where no image is absent.

    Raises:
        DataError: as ``pointing_game``.
    """
    hits = _region_column(subject, "pointing_hit")
    return linearised(hits) if np.isnan(hits).any() else hits == 1


def _region_column(subject: Subject, name: str) -> NDArray[np.float64]:
    outcomes = subject.outcomes(AUDIT, CONDITION)
    if name not in outcomes:
        raise DataError(f"{AUDIT} was run without object regions: set data.regions")
    return outcomes[name].to_numpy(dtype=np.float64)
