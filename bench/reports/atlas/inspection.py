"""Chapters of the atlas that show weights, feature maps and attributions."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import interpolate

from bench.errors import ConfigurationError
from bench.explain import METHODS, attribute
from bench.explain.exciting_patches import exciting_patches
from bench.explain.filters import class_templates, first_layer_filters
from bench.explain.segmentation import segment_by_saliency
from bench.explain.units import feature_maps, stage_layers, strongest_units, unit_gradients
from bench.reports.atlas.input import AtlasInput, Step
from bench.reports.atlas.page import Panel
from bench.reports.atlas.pictures import cut_out, grid, picture_of, signed, spread
from bench.reports.galleries.overlay import overlay, sparse_heat

PATCH_SIDE = 96
"""Pixels."""
logger = logging.getLogger(__name__)


def draw_filters(inputs: AtlasInput, _step: Step) -> list[Panel]:
    """The first convolution's kernels in one picture."""
    filters = first_layer_filters(inputs.classifier)
    scale = max(1, 48 // filters.shape[2])
    size = f"{filters.shape[2]} x {filters.shape[3]}"
    return [
        Panel("filters.png", grid(signed(filters), 16, scale=scale), f"{len(filters)} filters of {size}; grey is zero")
    ]


def draw_templates(inputs: AtlasInput, _step: Step) -> list[Panel]:
    """One picture per chosen class."""
    templates = class_templates(inputs.classifier, list(inputs.classes), len(inputs.names))
    if templates.shape[1] == 1:
        side = int(np.ceil(templates.shape[3] ** 0.5))
        padded = torch.nn.functional.pad(templates.flatten(1), (0, side * side - templates.shape[3]))
        templates = padded.view(len(templates), 1, side, side)
    scale = max(1, 160 // templates.shape[3])
    return [
        Panel(f"template_{place}.png", picture_of(template, scale=scale), inputs.name(class_))
        for place, (class_, template) in enumerate(zip(inputs.classes, signed(templates), strict=True))
    ]


def draw_feature_maps(inputs: AtlasInput, _step: Step) -> list[Panel]:
    """The first image, and one sheet of maps per stage."""
    layers = stage_layers(inputs.classifier)
    with torch.no_grad():
        maps = feature_maps(inputs.classifier, inputs.pixels[:1], layers)
    panels = [Panel("maps_image.png", picture_of(inputs.pixels[0]), inputs.titles[0])]
    for place, layer in enumerate(layers):
        chosen = strongest_units(maps[layer], 24)
        shown = spread(maps[layer][0, chosen][:, None])
        scale = max(1, 80 // shown.shape[3])
        size = f"{shown.shape[2]} x {shown.shape[3]}"
        caption = f"{layer}: the {len(chosen)} strongest of {maps[layer].shape[1]} channels, {size}"
        panels.append(Panel(f"maps_{place}.png", grid(shown, 8, scale=scale), caption))
    return panels


def draw_saliency(inputs: AtlasInput, step: Step) -> list[Panel]:
    """Two pictures per image: its saliency, and the object segmented from it."""
    panels = []
    predicted = inputs.top_classes(1)[:, 0]
    maps = attribute(inputs.classifier, inputs.pixels, predicted, "saliency").cpu()
    for place, heat in enumerate(maps):
        mask = segment_by_saliency(inputs.images[place], heat)
        caption = f"{inputs.titles[place]}: saliency of {inputs.name(int(predicted[place]))}"
        panels += [
            Panel(f"saliency_{place}.png", sparse_heat(heat), caption),
            Panel(
                f"object_{place}.png",
                cut_out(inputs.images[place], mask),
                f"the object: {mask.mean():.0%} of the image",
            ),
        ]
        step()
    return panels


def draw_classes(inputs: AtlasInput, step: Step, methods: Sequence[str], folder: str) -> list[Panel]:
    """Every image, and one map for each of its top classes and each method that supports the network.

    Raises:
        ConfigurationError: no method supports the network; the message is that of the last method.
    """
    methods = _supported(inputs, methods)
    panels = []
    top = inputs.top_classes(inputs.top)
    with torch.no_grad():
        confidences = inputs.classifier(inputs.pixels).softmax(dim=1).cpu()
    for place, title in enumerate(inputs.titles):
        panels.append(Panel(f"{folder}_{place}.png", picture_of(inputs.pixels[place]), title))
        for rank, class_ in enumerate(top[place].tolist()):
            for method in methods:
                heat = attribute(inputs.classifier, inputs.pixels[place : place + 1], top[place, rank][None], method)
                caption = f"{METHODS[method].title}: {inputs.name(class_)}, {confidences[place, class_]:.0%}"
                file = f"{folder}_{place}_{rank}_{method}.png"
                coarse = method == "grad_cam"
                shown = overlay(inputs.images[place], heat[0].cpu(), None) if coarse else sparse_heat(heat[0])
                panels.append(Panel(file, shown, caption))
                step()
    return panels


def _supported(inputs: AtlasInput, methods: Sequence[str]) -> list[str]:
    supported, refusal = [], None
    for method in methods:
        try:
            attribute(inputs.classifier, inputs.pixels[:1], inputs.top_classes(1)[:1, 0], method)
            supported.append(method)
        except ConfigurationError as error:
            logger.warning("%s: %s", METHODS[method].title, error)
            refusal = error
    if refusal is not None and not supported:
        raise refusal
    return supported


def draw_cams(inputs: AtlasInput, step: Step) -> list[Panel]:
    """Grad-CAM and guided Grad-CAM of the top classes."""
    return draw_classes(inputs, step, ["grad_cam", "guided_grad_cam"], "cam")


def draw_backprops(inputs: AtlasInput, step: Step) -> list[Panel]:
    """Guided backprop and deconvnet of the top classes."""
    return draw_classes(inputs, step, ["guided_backprop", "deconvnet"], "backprop")


def draw_unit_gradients(inputs: AtlasInput, step: Step) -> list[Panel]:
    """One picture per unit, on the first image."""
    panels = []
    for place, unit in enumerate(inputs.chosen_units):
        gradients = unit_gradients(inputs.classifier, inputs.pixels[:1], unit)
        panels.append(
            Panel(f"unit_{place}.png", picture_of(signed(gradients)[0].cpu()), f"{unit} on {inputs.titles[0]}")
        )
        step()
    return panels


def draw_patches(inputs: AtlasInput, step: Step) -> list[Panel]:
    """Nine patches per unit."""
    panels = []
    units = inputs.chosen_units
    patches_by_unit = exciting_patches(inputs.classifier, inputs.batches(), units, 9)
    for place, (unit, patches) in enumerate(zip(units, patches_by_unit, strict=True)):
        tiles = [interpolate(patch.pixels[None].cpu(), (PATCH_SIDE, PATCH_SIDE))[0] for patch in patches]
        width = max(patch.box[2] - patch.box[0] for patch in patches)
        range_ = f"{patches[0].activation:.2f} to {patches[-1].activation:.2f}"
        caption = f"{unit}: {width} px wide, activations {range_}"
        panels.append(Panel(f"patches_{place}.png", grid(torch.stack(tiles), 3), caption))
        step()
    return panels
