"""Chapters of the atlas that make: images that classes and units like best, and maps of a whole dataset."""

from collections.abc import Callable

import torch
from torch import Tensor

from bench.explain.activation_maximisation import MaximisationConfig, maximise, noise_start
from bench.explain.embedding import pca, tsne
from bench.explain.units import Unit, feature_maps, stage_layers, unit_scores
from bench.models import Classifier
from bench.reports.atlas import Panel, contrast, picture_of, signed, thumbnails
from bench.tasks.atlas_subject import Step, Subject

IMPERCEPTIBLE = MaximisationConfig(steps=20, step_size=0.0004, decay=0.0, blur_sigma=0.0, jitter=0)
"""From a photograph, every regulariser off: what an adversary does."""


def draw_maximised(subject: Subject, step: Step) -> list[Panel]:
    """One picture a chosen class, with the confidence that it reaches."""
    classes = torch.tensor(subject.classes, device=subject.classifier.mean.device)

    def scores(images: Tensor) -> Tensor:
        scores: Tensor = subject.classifier(images).gather(1, classes[:, None])[:, 0]
        return scores

    seeds = [subject.seed + place for place in range(len(classes))]
    start = noise_start(subject.classifier.input_size, seeds).to(classes.device)
    images = maximise(scores, start, subject.maximise, seed=subject.seed, on_step=step)
    with torch.no_grad():
        confidences = subject.classifier(images).softmax(dim=1).gather(1, classes[:, None])[:, 0]
    return [
        Panel(
            f"class_{place}.png", picture_of(image), f"{subject.name(class_)}, {confidence:.1%} sure; contrast raised"
        )
        for place, (class_, image, confidence) in enumerate(
            zip(subject.classes, contrast(images), confidences.tolist(), strict=True)
        )
    ]


def draw_maximised_units(subject: Subject, step: Step) -> list[Panel]:
    """One picture a unit."""
    panels = []
    for place, unit in enumerate(subject.chosen_units):
        start = noise_start(subject.classifier.input_size, [subject.seed]).to(subject.classifier.mean.device)
        scores = _scores_of(subject.classifier, unit)
        image = maximise(scores, start, subject.maximise, seed=subject.seed, on_step=step)
        panels.append(Panel(f"maximised_{place}.png", picture_of(contrast(image)[0]), str(unit)))
    return panels


def _scores_of(classifier: Classifier, unit: Unit) -> Callable[[Tensor], Tensor]:
    return lambda images: unit_scores(classifier, images, unit)


def draw_from_image(subject: Subject, step: Step) -> list[Panel]:
    """The first image made each of the chosen classes, with the change beside it."""
    panels = []
    start, [predicted] = subject.pixels[:1], subject.top_classes(1)[0].tolist()
    for place, class_ in enumerate(class_ for class_ in subject.classes if class_ != predicted):

        def scores(images: Tensor, class_: int = class_) -> Tensor:
            logits: Tensor = subject.classifier(images)
            return logits[:, class_]

        image = maximise(scores, start, IMPERCEPTIBLE, seed=subject.seed, on_step=step)
        with torch.no_grad():
            before, after = (subject.classifier(x).softmax(dim=1)[0, class_] for x in (start, image))
        largest = (image - start).abs().max()
        change = f"{before:.1%} before, {after:.1%} after, pixels moved by at most {largest * 255:.1f}/255"
        caption = f"{subject.titles[0]} as {subject.name(class_)}: {change}"
        shown = torch.cat([image, signed(image - start)], dim=3)[0]
        panels.append(Panel(f"from_image_{place}.png", picture_of(shown), caption))
    return panels


def draw_embedding(subject: Subject, step: Step) -> list[Panel]:
    """PCA and t-SNE of the dataset."""
    layer = subject.layer or stage_layers(subject.classifier)[-1]
    features, shown = [], []
    for _, images in subject.batches():
        with torch.no_grad():
            features.append(feature_maps(subject.classifier, images, [layer])[layer].mean(dim=(2, 3)).cpu().double())
        shown.append((images * 255).round().to(torch.uint8).cpu())
        step()
    values, pictures = torch.cat(features).numpy(), torch.cat(shown)
    coordinates, shares = pca(values)
    caption = f"PCA of {layer}: {shares[0]:.0%} of the variance across, {shares[1]:.0%} upwards"
    return [
        Panel("pca.png", thumbnails(pictures, coordinates), caption),
        Panel(
            "tsne.png",
            thumbnails(pictures, tsne(values, seed=subject.seed)),
            f"t-SNE of {layer}: neighbours mean something, distances do not",
        ),
    ]
