"""The chapters of the atlas, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.errors import ConfigurationError, DataError
from bench.reports.atlas import Chapter, Panel
from bench.tasks import atlas_inspection as looks
from bench.tasks import atlas_synthesis as makes
from bench.tasks.atlas_subject import BATCH, Step, Subject


@dataclass(frozen=True)
class Kind:
    """A chapter that can be drawn."""

    title: str
    """Heading."""
    note: str
    """What it is and how to read it."""
    draw: Callable[[Subject, Step], list[Panel]]
    """Its pictures; raises ConfigurationError or DataError where it cannot."""
    steps: Callable[[Subject], int]
    """How often ``draw`` calls its step."""


def _methods_by_classes(subject: Subject) -> int:
    return 2 * subject.top * len(subject.titles)


CHAPTERS: Mapping[str, Kind] = {
    "filters": Kind(
        "First-layer filters",
        "What the first convolution correlates the image with.",
        looks.draw_filters,
        lambda _: 0,
    ),
    "templates": Kind(
        "Class templates",
        "The last linear layer's weights for a class: an image where the layer reads pixels, else its "
        "features in rows.",
        looks.draw_templates,
        lambda _: 0,
    ),
    "feature_maps": Kind(
        "Feature maps",
        "What each stage makes of the image; every map by its own extremes.",
        looks.draw_feature_maps,
        lambda _: 0,
    ),
    "saliency": Kind(
        "Saliency and the object grown from it",
        "The gradient of the predicted class (Simonyan et al. 2014), and GrabCut seeded by its strongest "
        "and weakest pixels.",
        looks.draw_saliency,
        lambda subject: len(subject.titles),
    ),
    "grad_cam": Kind(
        "Grad-CAM and guided Grad-CAM",
        "Where the evidence for each of the top classes is (Selvaraju et al. 2017).",
        looks.draw_cams,
        _methods_by_classes,
    ),
    "guided": Kind(
        "Guided backprop and deconvnet",
        "Gradients through rectifiers of other kinds (Springenberg et al. 2015; Zeiler & Fergus 2014). "
        "They look alike whatever the class: see the sanity checks.",
        looks.draw_backprops,
        _methods_by_classes,
    ),
    "unit_gradients": Kind(
        "Gradients of units",
        "Which pixels raise a unit's mean activation (bright) or lower it (dark).",
        looks.draw_unit_gradients,
        lambda subject: len(subject.chosen_units),
    ),
    "patches": Kind(
        "Most exciting patches",
        "The images of the dataset that excite a unit most, cropped to its receptive field there.",
        looks.draw_patches,
        lambda subject: len(subject.chosen_units),
    ),
    "classes": Kind(
        "What a class looks like",
        "Activation maximisation from noise with the regularisers of Yosinski et al. (2015); contrast raised.",
        makes.draw_maximised,
        lambda subject: subject.maximise.steps,
    ),
    "units": Kind(
        "What a unit looks like",
        "The same for one unit of each stage.",
        makes.draw_maximised_units,
        lambda subject: len(subject.chosen_units) * subject.maximise.steps,
    ),
    "from_image": Kind(
        "The same from a photograph",
        "Without regularisers, a change hard to see makes the photograph another class: left the "
        "image, right the change, grey where there is none.",
        makes.draw_from_image,
        lambda subject: len(subject.classes) * makes.IMPERCEPTIBLE.steps,
    ),
    "embedding": Kind(
        "The dataset as the network sees it",
        "Mean features of a layer in two dimensions.",
        makes.draw_embedding,
        lambda subject: -(-len(subject.crops) // BATCH),
    ),
}
"""By the name that ``parts`` takes, in the order of the page."""


def count_steps(name: str, subject: Subject) -> int:
    """How often drawing a chapter calls its step; 0 where it will be refused."""
    try:
        return CHAPTERS[name].steps(subject)
    except (ConfigurationError, DataError):
        return 0


def draw_chapter(name: str, subject: Subject, step: Step) -> Chapter:
    """One chapter; where the network or the dataset is not made for it, a chapter that says so."""
    kind = CHAPTERS[name]
    try:
        return Chapter(name, kind.title, kind.note, kind.draw(subject, step))
    except (ConfigurationError, DataError) as error:
        return Chapter(name, kind.title, kind.note, refusal=str(error))
