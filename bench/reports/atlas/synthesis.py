"""Chapters of the atlas that compute pictures: activation maximisation, and an embedding of the dataset."""

from collections.abc import Callable

import torch
from torch import Tensor

from bench.explain.activation_maximisation import MaximisationConfig, maximise, noise_start
from bench.explain.embedding import pca, tsne
from bench.explain.units import Unit, feature_maps, stage_layers, unit_scores
from bench.models import Classifier
from bench.reports.atlas.input import AtlasInput, Step
from bench.reports.atlas.page import Panel
from bench.reports.atlas.pictures import contrast, picture_of, signed, thumbnails

IMPERCEPTIBLE = MaximisationConfig(steps=20, step_size=0.0004, decay=0.0, blur_sigma=0.0, jitter=0)
"""Small steps without regularisers, for maximisation that starts from a photograph: an adversarial example."""


def draw_maximised(inputs: AtlasInput, step: Step) -> list[Panel]:
    """One picture per chosen class, with the confidence that it reaches."""
    classes = torch.tensor(inputs.classes, device=inputs.classifier.mean.device)

    def scores(images: Tensor) -> Tensor:
        scores: Tensor = inputs.classifier(images).gather(1, classes[:, None])[:, 0]
        return scores

    seeds = [inputs.seed + place for place in range(len(classes))]
    start = noise_start(inputs.classifier.input_size, seeds).to(classes.device)
    images = maximise(scores, start, inputs.maximise, seed=inputs.seed, on_step=step)
    with torch.no_grad():
        confidences = inputs.classifier(images).softmax(dim=1).gather(1, classes[:, None])[:, 0]
    return [
        Panel(f"class_{place}.png", picture_of(image), f"{inputs.name(class_)}, {confidence:.1%} sure; contrast raised")
        for place, (class_, image, confidence) in enumerate(
            zip(inputs.classes, contrast(images), confidences.tolist(), strict=True)
        )
    ]


def draw_maximised_units(inputs: AtlasInput, step: Step) -> list[Panel]:
    """One picture per unit."""
    panels = []
    for place, unit in enumerate(inputs.chosen_units):
        start = noise_start(inputs.classifier.input_size, [inputs.seed]).to(inputs.classifier.mean.device)
        scores = _scores_of(inputs.classifier, unit)
        image = maximise(scores, start, inputs.maximise, seed=inputs.seed, on_step=step)
        panels.append(Panel(f"maximised_{place}.png", picture_of(contrast(image)[0]), str(unit)))
    return panels


def _scores_of(classifier: Classifier, unit: Unit) -> Callable[[Tensor], Tensor]:
    return lambda images: unit_scores(classifier, images, unit)


def draw_from_image(inputs: AtlasInput, step: Step) -> list[Panel]:
    """The first image changed into each of the chosen classes, with the change beside it."""
    panels = []
    start, [predicted] = inputs.pixels[:1], inputs.top_classes(1)[0].tolist()
    for place, class_ in enumerate(class_ for class_ in inputs.classes if class_ != predicted):

        def scores(images: Tensor, class_: int = class_) -> Tensor:
            logits: Tensor = inputs.classifier(images)
            return logits[:, class_]

        image = maximise(scores, start, IMPERCEPTIBLE, seed=inputs.seed, on_step=step)
        with torch.no_grad():
            before, after = (inputs.classifier(x).softmax(dim=1)[0, class_] for x in (start, image))
        largest = (image - start).abs().max()
        change = f"{before:.1%} before, {after:.1%} after, pixels moved by at most {largest * 255:.1f}/255"
        caption = f"{inputs.titles[0]} as {inputs.name(class_)}: {change}"
        shown = torch.cat([image, signed(image - start)], dim=3)[0]
        panels.append(Panel(f"from_image_{place}.png", picture_of(shown), caption))
    return panels


def draw_embedding(inputs: AtlasInput, step: Step) -> list[Panel]:
    """PCA and t-SNE of the dataset."""
    layer = inputs.layer or stage_layers(inputs.classifier)[-1]
    features, shown = [], []
    for _, images in inputs.batches():
        with torch.no_grad():
            features.append(feature_maps(inputs.classifier, images, [layer])[layer].mean(dim=(2, 3)).cpu().double())
        shown.append((images * 255).round().to(torch.uint8).cpu())
        step()
    values, pictures = torch.cat(features).numpy(), torch.cat(shown)
    coordinates, shares = pca(values)
    caption = f"PCA of {layer}: {shares[0]:.0%} of the variance across, {shares[1]:.0%} upwards"
    return [
        Panel("pca.png", thumbnails(pictures, coordinates), caption),
        Panel(
            "tsne.png",
            thumbnails(pictures, tsne(values, seed=inputs.seed)),
            f"t-SNE of {layer}: neighbours mean something, distances do not",
        ),
    ]
