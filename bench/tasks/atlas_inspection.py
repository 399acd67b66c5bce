"""Chapters of the atlas that look: at weights, at maps, at what in an image matters."""

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
from bench.reports.atlas import Panel, cut_out, grid, picture_of, signed, spread
from bench.reports.overlay import overlay, sparse_heat
from bench.tasks.atlas_subject import Step, Subject

PATCH_SIDE = 96
logger = logging.getLogger(__name__)


def draw_filters(subject: Subject, _step: Step) -> list[Panel]:
    """The first convolution's kernels in one picture."""
    filters = first_layer_filters(subject.classifier)
    scale = max(1, 48 // filters.shape[2])
    size = f"{filters.shape[2]} x {filters.shape[3]}"
    return [
        Panel("filters.png", grid(signed(filters), 16, scale=scale), f"{len(filters)} filters of {size}; grey is zero")
    ]


def draw_templates(subject: Subject, _step: Step) -> list[Panel]:
    """One picture a chosen class."""
    templates = class_templates(subject.classifier, list(subject.classes), len(subject.names))
    if templates.shape[1] == 1:
        side = int(np.ceil(templates.shape[3] ** 0.5))
        padded = torch.nn.functional.pad(templates.flatten(1), (0, side * side - templates.shape[3]))
        templates = padded.view(len(templates), 1, side, side)
    scale = max(1, 160 // templates.shape[3])
    return [
        Panel(f"template_{place}.png", picture_of(template, scale=scale), subject.name(class_))
        for place, (class_, template) in enumerate(zip(subject.classes, signed(templates), strict=True))
    ]


def draw_feature_maps(subject: Subject, _step: Step) -> list[Panel]:
    """The first image, and one sheet of maps a stage."""
    layers = stage_layers(subject.classifier)
    with torch.no_grad():
        maps = feature_maps(subject.classifier, subject.pixels[:1], layers)
    panels = [Panel("maps_image.png", picture_of(subject.pixels[0]), subject.titles[0])]
    for place, layer in enumerate(layers):
        chosen = strongest_units(maps[layer], 24)
        shown = spread(maps[layer][0, chosen][:, None])
        scale = max(1, 80 // shown.shape[3])
        size = f"{shown.shape[2]} x {shown.shape[3]}"
        caption = f"{layer}: the {len(chosen)} strongest of {maps[layer].shape[1]} channels, {size}"
        panels.append(Panel(f"maps_{place}.png", grid(shown, 8, scale=scale), caption))
    return panels


def draw_saliency(subject: Subject, step: Step) -> list[Panel]:
    """Two pictures an image: its saliency, and the object grown from it."""
    panels = []
    predicted = subject.top_classes(1)[:, 0]
    maps = attribute(subject.classifier, subject.pixels, predicted, "saliency").cpu()
    for place, heat in enumerate(maps):
        object_ = segment_by_saliency(subject.images[place], heat)
        caption = f"{subject.titles[place]}: saliency of {subject.name(int(predicted[place]))}"
        panels += [
            Panel(f"saliency_{place}.png", sparse_heat(heat), caption),
            Panel(
                f"object_{place}.png",
                cut_out(subject.images[place], object_),
                f"the object: {object_.mean():.0%} of the image",
            ),
        ]
        step()
    return panels


def draw_classes(subject: Subject, step: Step, methods: Sequence[str], folder: str) -> list[Panel]:
    """Every image, and a map of it for each of its top classes and each method that can do the network.

    Raises:
        ConfigurationError: no method can; the message is the last one's.
    """
    methods = _able(subject, methods)
    panels = []
    top = subject.top_classes(subject.top)
    with torch.no_grad():
        confidences = subject.classifier(subject.pixels).softmax(dim=1).cpu()
    for place, title in enumerate(subject.titles):
        panels.append(Panel(f"{folder}_{place}.png", picture_of(subject.pixels[place]), title))
        for rank, class_ in enumerate(top[place].tolist()):
            for method in methods:
                heat = attribute(subject.classifier, subject.pixels[place : place + 1], top[place, rank][None], method)
                caption = f"{METHODS[method].title}: {subject.name(class_)}, {confidences[place, class_]:.0%}"
                file = f"{folder}_{place}_{rank}_{method}.png"
                coarse = method == "grad_cam"
                shown = overlay(subject.images[place], heat[0].cpu(), None) if coarse else sparse_heat(heat[0])
                panels.append(Panel(file, shown, caption))
                step()
    return panels


def _able(subject: Subject, methods: Sequence[str]) -> list[str]:
    able, refusal = [], None
    for method in methods:
        try:
            attribute(subject.classifier, subject.pixels[:1], subject.top_classes(1)[:1, 0], method)
            able.append(method)
        except ConfigurationError as error:
            logger.warning("%s: %s", METHODS[method].title, error)
            refusal = error
    if refusal is not None and not able:
        raise refusal
    return able


def draw_cams(subject: Subject, step: Step) -> list[Panel]:
    """Grad-CAM and guided Grad-CAM of the top classes."""
    return draw_classes(subject, step, ["grad_cam", "guided_grad_cam"], "cam")


def draw_backprops(subject: Subject, step: Step) -> list[Panel]:
    """Guided backprop and deconvnet of the top classes."""
    return draw_classes(subject, step, ["guided_backprop", "deconvnet"], "backprop")


def draw_unit_gradients(subject: Subject, step: Step) -> list[Panel]:
    """One picture a unit, on the first image."""
    panels = []
    for place, unit in enumerate(subject.chosen_units):
        gradients = unit_gradients(subject.classifier, subject.pixels[:1], unit)
        panels.append(
            Panel(f"unit_{place}.png", picture_of(signed(gradients)[0].cpu()), f"{unit} on {subject.titles[0]}")
        )
        step()
    return panels


def draw_patches(subject: Subject, step: Step) -> list[Panel]:
    """Nine patches a unit."""
    panels = []
    units = subject.chosen_units
    found = exciting_patches(subject.classifier, subject.batches(), units, 9)
    for place, (unit, patches) in enumerate(zip(units, found, strict=True)):
        tiles = [interpolate(patch.pixels[None].cpu(), (PATCH_SIDE, PATCH_SIDE))[0] for patch in patches]
        width = max(patch.box[2] - patch.box[0] for patch in patches)
        range_ = f"{patches[0].activation:.2f} to {patches[-1].activation:.2f}"
        caption = f"{unit}: {width} px wide, activations {range_}"
        panels.append(Panel(f"patches_{place}.png", grid(torch.stack(tiles), 3), caption))
        step()
    return panels
