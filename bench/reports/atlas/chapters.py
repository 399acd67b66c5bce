"""The chapters of the atlas, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.errors import ConfigurationError, DataError
from bench.reports.atlas import inspection, synthesis
from bench.reports.atlas.input import BATCH, AtlasInput, Step
from bench.reports.atlas.page import Chapter, Panel


@dataclass(frozen=True)
class ChapterKind:
    """How one chapter of the atlas is drawn."""

    title: str
    """Heading."""
    note: str
    """What the pictures are and how to read them, with the paper."""
    draw: Callable[[AtlasInput, Step], list[Panel]]
    """The pictures; raises ConfigurationError or DataError where the method does not fit the network or the images."""
    steps: Callable[[AtlasInput], int]
    """Number of times that ``draw`` calls its step."""


def _methods_by_classes(inputs: AtlasInput) -> int:
    return 2 * inputs.top * len(inputs.titles)


CHAPTERS: Mapping[str, ChapterKind] = {
    "filters": ChapterKind(
        "First-layer filters",
        "What the first convolution correlates the image with.",
        inspection.draw_filters,
        lambda _: 0,
    ),
    "templates": ChapterKind(
        "Class templates",
        "The last linear layer's weights for a class: an image where the layer reads pixels, else its "
        "features in rows.",
        inspection.draw_templates,
        lambda _: 0,
    ),
    "feature_maps": ChapterKind(
        "Feature maps",
        "The activations of each stage; every map is scaled by its own minimum and maximum.",
        inspection.draw_feature_maps,
        lambda _: 0,
    ),
    "saliency": ChapterKind(
        "Saliency and the object grown from it",
        "The gradient of the predicted class (Simonyan et al. 2014), and GrabCut seeded by its strongest "
        "and weakest pixels.",
        inspection.draw_saliency,
        lambda inputs: len(inputs.titles),
    ),
    "grad_cam": ChapterKind(
        "Grad-CAM and guided Grad-CAM",
        "Where the evidence for each of the top classes is (Selvaraju et al. 2017).",
        inspection.draw_cams,
        _methods_by_classes,
    ),
    "guided": ChapterKind(
        "Guided backprop and deconvnet",
        "Gradients through rectifiers of other kinds (Springenberg et al. 2015; Zeiler & Fergus 2014). "
        "They look alike whatever the class: see the sanity checks.",
        inspection.draw_backprops,
        _methods_by_classes,
    ),
    "unit_gradients": ChapterKind(
        "Gradients of units",
        "Which pixels raise a unit's mean activation (bright) or lower it (dark).",
        inspection.draw_unit_gradients,
        lambda inputs: len(inputs.chosen_units),
    ),
    "patches": ChapterKind(
        "Most exciting patches",
        "The images of the dataset that excite a unit most, cropped to its receptive field there.",
        inspection.draw_patches,
        lambda inputs: len(inputs.chosen_units),
    ),
    "classes": ChapterKind(
        "What a class looks like",
        "Activation maximisation from noise with the regularisers of Yosinski et al. (2015); contrast raised.",
        synthesis.draw_maximised,
        lambda inputs: inputs.maximise.steps,
    ),
    "units": ChapterKind(
        "What a unit looks like",
        "The same for one unit of each stage.",
        synthesis.draw_maximised_units,
        lambda inputs: len(inputs.chosen_units) * inputs.maximise.steps,
    ),
    "from_image": ChapterKind(
        "The same from a photograph",
        "Without regularisers, a change hard to see makes the photograph another class: left the "
        "image, right the change, grey where there is none.",
        synthesis.draw_from_image,
        lambda inputs: len(inputs.classes) * synthesis.IMPERCEPTIBLE.steps,
    ),
    "embedding": ChapterKind(
        "The dataset as the network sees it",
        "Mean features of a layer in two dimensions.",
        synthesis.draw_embedding,
        lambda inputs: -(-len(inputs.crops) // BATCH),
    ),
}
"""Name in ``parts`` -> how the chapter is drawn, in the order of the page."""


def count_steps(name: str, inputs: AtlasInput) -> int:
    """Number of times that drawing a chapter calls its step; 0 if the chapter cannot be drawn."""
    try:
        return CHAPTERS[name].steps(inputs)
    except (ConfigurationError, DataError):
        return 0


def draw_chapter(name: str, inputs: AtlasInput, step: Step) -> Chapter:
    """One chapter; if the method does not fit the network or the images, a chapter with the reason and no picture."""
    kind = CHAPTERS[name]
    try:
        return Chapter(name, kind.title, kind.note, kind.draw(inputs, step))
    except (ConfigurationError, DataError) as error:
        return Chapter(name, kind.title, kind.note, refusal=str(error))
