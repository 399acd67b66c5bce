"""``task=calibration``: how far confidence can be trusted under each corruption, from what the store holds."""

import logging

import pandas as pd
from omegaconf import DictConfig

from bench.errors import DataError
from bench.reports.calibration import calibration_conditions, calibration_rows
from bench.reports.entries import read_entries
from bench.reports.protocols import with_protocols
from bench.results import Store
from bench.sweep.progress import SweepProgress
from bench.tasks.support.config import report_folder

logger = logging.getLogger(__name__)


def run(config: DictConfig) -> None:
    """Write ``reports/<name>/calibration.csv``.

    Raises:
        DataError: the store is empty, or has no complete clean or corruption cell.
    """
    cells = calibration_conditions(with_protocols(read_entries(Store(str(config.store)))))
    if not cells:
        raise DataError(f"the store {config.store} has no complete clean or corruption cell")
    rows = []
    with SweepProgress("calibration", len(cells)) as progress:
        for row in calibration_rows(cells):
            rows.append(row)
            progress.advance(1, str(row["condition"]))
    out = report_folder(config) / "calibration.csv"
    out.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(out, index=False)
    logger.info("wrote %s", out)
