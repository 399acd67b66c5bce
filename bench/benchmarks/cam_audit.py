"""What a classifier looks at: where its attribution maps lie, image by image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.benchmarks.base import Batch, Benchmark, Shown, judge
from bench.benchmarks.metric import HIGHER, Measured, Metric
from bench.data import Crops
from bench.data.regions import check_regions, open_regions, read_regions
from bench.errors import ConfigurationError, DataError
from bench.explain import METHODS, attribute, check_method, check_without_gradient
from bench.explain.localisation import centre_distance, centred_baseline, energy_inside, entropy, pointing_hits
from bench.metrics.audit import hit_rate, linearised, mean_present
from bench.records import Condition, Estimate, Outcomes, Parameter
from bench.seeding import derive_seed

TARGETS = ("predicted", "label")
MISSING = ("refuse", "absent")


def attribution_in_box(measured: Measured) -> Estimate:
    """Mean over images of the positive attribution inside the object's region over that of the whole map.

    For a map ``A`` and the region's pixels ``R``: ``sum(max(A, 0) on R) / sum(max(A, 0))`` (the energy-based pointing
    game; Wang et al. 2020, arXiv:1910.01279).

    Raises:
        DataError: the audit was not run, not to its end, or without regions.
    """
    return mean_present(_region_column(measured, "attribution_in_box"))


def pointing_game(measured: Measured) -> Estimate:
    """Share of maps whose maximum is in the object's region.

    Raises:
        DataError: the audit was not run, not to its end, or without regions.
    """
    return hit_rate(_region_column(measured, "pointing_hit"))


def energy_values(measured: Measured) -> NDArray[np.float64]:
    """``(N,)`` what each image contributes to ``attribution_in_box``.

    Raises:
        DataError: as ``attribution_in_box``.
    """
    return linearised(_region_column(measured, "attribution_in_box"))


def pointing_values(measured: Measured) -> NDArray[np.generic]:
    """``(N,)`` what each image contributes to ``pointing_game``: hit or miss, where no image is absent.

    Raises:
        DataError: as ``pointing_game``.
    """
    hits = _region_column(measured, "pointing_hit")
    return linearised(hits) if np.isnan(hits).any() else hits == 1


def _region_column(measured: Measured, name: str) -> NDArray[np.float64]:
    outcomes = measured.outcomes(Condition(CamAudit.name))
    if name not in outcomes:
        raise DataError(f"{measured.name} was run without object regions: set data.regions")
    return outcomes[name].to_numpy(dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class CamAudit(Benchmark):
    """Location of the attribution map of every image, against the object's region where one is known.

    Args:
        method: a name of ``bench.explain.METHODS``.
        target: ``predicted`` explains the class that was decided on, ``label`` the true one.
        regions: where the objects are (``bench.data.regions``); null measures what needs no region.
        missing: an image without a region is an error (``refuse``), or has no figure that needs one (``absent``).

    Raises:
        ConfigurationError: an unknown method, target or way with missing regions.
    """

    method: str = "grad_cam"
    target: str = "predicted"
    regions: str | None = None
    missing: str = "refuse"

    name = "cam_audit"
    version = "1"
    axis = "Audit"
    metrics = (
        Metric("cam_attribution_in_box", "Attribution in box", HIGHER, energy_values, exact=attribution_in_box),
        Metric("pointing_game", "Pointing game", HIGHER, pointing_values, exact=pointing_game),
    )
    citation = "Zhang et al., Top-down Neural Attention by Excitation Backprop, ECCV 2016 (the pointing game)"
    strength_unit = ""

    def __post_init__(self) -> None:
        check_method(self.method)
        for field, valid in (("target", TARGETS), ("missing", MISSING)):
            if getattr(self, field) not in valid:
                raise ConfigurationError(f"{field} is {' or '.join(valid)}, not {getattr(self, field)!r}")

    @property
    def passes(self) -> int:
        """The decision, and forward and backward for the map."""
        return 4

    def conditions(self) -> tuple[Condition, ...]:
        """The one condition: the images as they are."""
        return (Condition(self.name),)

    def check(self) -> None:
        """Refuse regions that are not there."""
        if self.regions is not None:
            check_regions(self.regions)

    def check_without_gradient(self, classifier: str) -> None:
        """Refuse it to methods that follow a gradient."""
        check_without_gradient(self.method, classifier)

    def parameters(self) -> Mapping[str, Parameter]:
        """Method and target, and a digest of the regions: where their files lie is no part of what they are."""
        return {"method": self.method, "target": self.target, **region_parameters(self.regions, self.missing)}

    def read(self, crops: Crops, positions: Sequence[int], condition: Condition, *, seed: int) -> Shown:
        """The images and, where there are regions, ``objects``: ``(B,H,W)`` bool, true on the object."""
        del condition, seed
        images = crops.read(positions)
        if self.regions is None:
            return Shown(images)
        regions = read_regions(crops, positions, self.regions, missing=self.missing)
        return Shown(images, {"objects": regions[:, 0] > 0})

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """The decision and its map.

        Returns:
            Outcomes with the float columns of ``map_columns``, and of ``region_columns`` where regions are given.
        """
        del condition
        pixels = batch.pixels()
        with torch.no_grad():
            outcomes = judge(classifier(pixels), batch)
        targets = batch.labels if self.target == "label" else torch.as_tensor(outcomes.prediction).to(pixels.device)
        # On the CPU: sums are in double precision, which not every device has.
        maps = attribution_maps(classifier, pixels, targets, self.method, batch, seed=seed).cpu()
        extra = map_columns(maps)
        if self.regions is not None:
            extra |= region_columns(maps, batch.side["objects"])
        return replace(outcomes, extra=extra)


def attribution_maps(
    classifier: nn.Module, pixels: Tensor, targets: Tensor, method: str, batch: Batch, *, seed: int
) -> Tensor:
    """``(B,H,W)`` maps; a method that draws numbers draws them for each image by itself."""
    settings: dict[str, Any] = {}
    if "seeds" in METHODS[method].settings:
        settings["seeds"] = [derive_seed(seed, method, str(image_id)) for image_id in batch.image_ids]
    return attribute(classifier, pixels, targets, method, **settings)


def region_parameters(regions: str | None, missing: str) -> dict[str, Parameter]:
    """What identifies the regions of a benchmark; ``none`` where it has none."""
    return {"regions": "none" if regions is None else open_regions(regions).digest, "missing": missing}


def map_columns(maps: Tensor) -> dict[str, NDArray[Any]]:
    """``entropy`` and ``centre_distance`` of each map, NaN for a map without a positive value."""
    return {"entropy": _column(entropy(maps)), "centre_distance": _column(centre_distance(maps))}


def region_columns(maps: Tensor, masks: Tensor) -> dict[str, NDArray[Any]]:
    """How each map fits its region, NaN where either is empty.

    Returns:
        ``attribution_in_box`` and ``pointing_hit`` of the map; ``region_share``, the part of the crop that the object
        takes, which is what a flat map's energy would be; ``centre_energy`` and ``centre_hit``, those of a map that
        knows nothing but the centre.
    """
    baseline = centred_baseline(*maps.shape[1:]).expand(len(maps), -1, -1)
    area = masks.double().mean(dim=(1, 2))
    return {
        "attribution_in_box": _column(energy_inside(maps, masks)),
        "pointing_hit": _column(pointing_hits(maps, masks)),
        "region_share": _column(area.where(area > 0, torch.nan)),
        "centre_energy": _column(energy_inside(baseline, masks)),
        "centre_hit": _column(pointing_hits(baseline, masks)),
    }


def _column(values: Tensor) -> NDArray[np.float64]:
    return values.numpy().astype(np.float64)
