"""Shortcut tests with a known answer: change what is not the object, and see whether decision and map follow."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.benchmarks.base import Batch, Benchmark, Shown, judge
from bench.benchmarks.cam_audit import attribution_maps, region_parameters
from bench.corruptions.shortcuts import (
    background_of,
    blank,
    bounding_rectangle,
    paste_object,
    paste_tag,
    shuffle_patches,
    tag_mask,
    watermark_alpha,
    write_watermark,
)
from bench.data import Crops
from bench.data.regions import check_regions, read_regions
from bench.errors import ConfigurationError, DataError, nearest_names
from bench.explain import check_method
from bench.explain.localisation import energy_inside
from bench.records import Condition, Outcomes, Parameter
from bench.seeding import derive_seed

NEED_REGIONS = ("background_blank", "background_swap", "object_blank")
SHORTCUTS = ("tag", "watermark", "patch_shuffle", *NEED_REGIONS)


@dataclass(frozen=True, kw_only=True)
class Shortcut(Benchmark):
    """Top-1 decision and attribution map before and after a change that should not matter, or that should.

    ``tag`` pastes a chequered sticker into a corner; ``watermark`` writes half-transparent text across the image, as
    ImageNet-W does (Li et al. 2023); ``background_blank`` and ``background_swap`` leave nothing but the object, on a
    plain ground or on another image's background (Xiao et al. 2021); ``object_blank`` leaves nothing but the
    background; ``patch_shuffle`` keeps texture and destroys shape.

    Args:
        shortcuts: any of the above.
        tag_side: of the tag, as a share of the image's shorter side.
        opacity: of the watermark.
        patches: tiles a side of ``patch_shuffle``.
        watermark_text: what is written.
        watermark_font: a TrueType or OpenType file; Pillow's own font when left out.
        method: attribution method of the maps, of the predicted class.
        regions: where the objects are; the changes of object and background need them.

    Raises:
        ConfigurationError: an unknown shortcut or method, or a strength out of range.
    """

    shortcuts: tuple[str, ...] = SHORTCUTS
    tag_side: float = 0.2
    opacity: float = 0.5
    patches: int = 4
    watermark_text: str = "SHORTCUT"
    watermark_font: str | None = None
    method: str = "grad_cam"
    regions: str | None = None

    name = "shortcut"
    version = "1"
    axis = "Shortcuts"
    strength_unit = ""
    condition_fields = ("shortcuts", "tag_side", "opacity", "patches")

    def __post_init__(self) -> None:
        check_method(self.method)
        for shortcut in self.shortcuts:
            if shortcut not in SHORTCUTS:
                raise ConfigurationError(f"unknown shortcut {shortcut!r}: {nearest_names(shortcut, SHORTCUTS)}")
        if not (0 < self.tag_side <= 1 and 0 < self.opacity <= 1 and self.patches >= 2):
            raise ConfigurationError("tag_side and opacity are above 0 and up to 1, and patches is at least 2")

    @property
    def passes(self) -> int:
        """Decision and map, before and after."""
        return 8

    def conditions(self) -> tuple[Condition, ...]:
        """One a shortcut."""
        strengths = {"tag": self.tag_side, "watermark": self.opacity, "patch_shuffle": float(self.patches)}
        return tuple(Condition(shortcut, strengths.get(shortcut, 1.0)) for shortcut in self.shortcuts)

    def unit(self, condition: Condition) -> str:
        """The tag's ``side`` as a share of the image's, the watermark's ``opacity``, the shuffled ``tiles`` a side."""
        return {"tag": "side", "watermark": "opacity", "patch_shuffle": "tiles"}.get(condition.name, "")

    def check(self) -> None:
        """Refuse missing regions and fonts."""
        needy = [shortcut for shortcut in self.shortcuts if shortcut in NEED_REGIONS]
        if self.regions is not None:
            check_regions(self.regions)
        elif needy:
            raise ConfigurationError(
                f"{', '.join(needy)} need object regions: set data.regions, or leave them out of shortcuts"
            )
        if self.watermark_font is not None and not Path(self.watermark_font).is_file():
            raise ConfigurationError(f"no font at watermark_font={self.watermark_font}")

    def parameters(self) -> Mapping[str, Parameter]:
        """Text, font and regions by their content, and the method."""
        font = self.watermark_font
        digest = "default" if font is None else hashlib.sha256(Path(font).read_bytes()).hexdigest()[:16]
        return {
            "method": self.method,
            "watermark_text": self.watermark_text,
            "watermark_font": digest,
            **region_parameters(self.regions, "refuse"),
        }

    def read(self, crops: Crops, positions: Sequence[int], condition: Condition, *, seed: int) -> Shown:
        """The changed images; the ``original`` ones, ``(B,3,H,W)``; and ``changed``, ``(B,H,W)``: which pixels were."""
        images = crops.read(positions)
        height, width = images.shape[2:]
        whole = torch.ones(len(images), height, width, dtype=torch.bool)
        if condition.name == "tag":
            shown, changed = paste_tag(images, condition.strength), whole & tag_mask(height, width, condition.strength)
        elif condition.name == "watermark":
            font = None if self.watermark_font is None else Path(self.watermark_font)
            alpha = watermark_alpha(height, width, self.watermark_text, font)
            shown, changed = write_watermark(images, alpha, condition.strength), whole & bounding_rectangle(alpha)
        elif condition.name == "patch_shuffle":
            seeds = [derive_seed(seed, condition.key, str(crops.image_ids[position])) for position in positions]
            tiles = int(condition.strength)
            shuffled = [shuffle_patches(image, tiles, seed=own) for image, own in zip(images, seeds, strict=True)]
            shown, changed = torch.stack(shuffled), whole
        else:
            shown, changed = self._without(condition.name, images, crops, positions, seed)
        return Shown(shown, {"original": images, "changed": changed})

    def _without(
        self, shortcut: str, images: Tensor, crops: Crops, positions: Sequence[int], seed: int
    ) -> tuple[Tensor, Tensor]:
        """Images without their background or object, and which pixels that changed."""
        objects = self._objects(crops, positions)
        if shortcut == "object_blank":
            return blank(images, objects), objects
        if shortcut == "background_blank":
            return blank(images, ~objects), ~objects
        grounds = [self._other_background(crops, position, seed) for position in positions]
        pasted = [paste_object(*parts) for parts in zip(images, objects, grounds, strict=True)]
        return torch.stack(pasted), ~objects

    def _objects(self, crops: Crops, positions: Sequence[int]) -> Tensor:
        return read_regions(crops, positions, str(self.regions))[:, 0] > 0

    def _other_background(self, crops: Crops, position: int, seed: int) -> Tensor:
        """The background of an image of another class, the first from a place of its own that shows enough of it."""
        n = len(crops)
        start = derive_seed(seed, "background_swap", str(crops.image_ids[position])) % n
        for other in ((start + step) % n for step in range(n)):
            if crops.labels[other] != crops.labels[position]:
                background = background_of(crops.read([other])[0], self._objects(crops, [other])[0])
                if background is not None:
                    return background
        raise DataError(f"{crops.name} has no background of another class to put behind {crops.image_ids[position]}")

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """Decision and map of both versions.

        Returns:
            Outcomes of the changed images, with ``clean_correct`` (0 or 1) and ``clean_confidence`` of the images
            themselves; ``changed_share``, the part of the crop that was changed; ``mass`` and ``clean_mass``, the share
            of positive attribution on these pixels after and before; NaN where all pixels or none changed, or the map
            has no positive value. ``moved`` is 1 where the prediction is another one.
        """
        del condition
        changed = batch.side["changed"]
        share = changed.double().mean(dim=(1, 2))
        partly = (share > 0) & (share < 1)
        after, mass = self._look(classifier, batch, changed, seed)
        original = replace(batch, images=batch.side["original"].to(batch.images.device))
        before, clean_mass = self._look(classifier, original, changed, seed)
        extra = {
            "clean_correct": before.correct.astype(float),
            "clean_confidence": before.confidence,
            "moved": (after.prediction != before.prediction).astype(float),
            "changed_share": share.numpy(),
            "mass": mass.where(partly, torch.nan).numpy(),
            "clean_mass": clean_mass.where(partly, torch.nan).numpy(),
        }
        return replace(after, extra=extra)

    def _look(self, classifier: nn.Module, batch: Batch, changed: Tensor, seed: int) -> tuple[Outcomes, Tensor]:
        pixels = batch.pixels()
        with torch.no_grad():
            outcomes = judge(classifier(pixels), batch)
        predicted = torch.as_tensor(outcomes.prediction).to(pixels.device)
        maps = attribution_maps(classifier, pixels, predicted, self.method, batch, seed=seed)
        return outcomes, energy_inside(maps.cpu(), changed)
