"""Draw an atlas and write its files."""

import logging
from collections.abc import Sequence
from pathlib import Path

from bench.reports.atlas.chapters import count_steps, draw_chapter
from bench.reports.atlas.input import AtlasInput
from bench.reports.atlas.page import Chapter, render_atlas
from bench.reports.atlas.pictures import png
from bench.sweep.progress import SweepProgress

logger = logging.getLogger(__name__)


def write_atlas(inputs: AtlasInput, parts: Sequence[str], folder: Path) -> int:
    """Write ``folder/index.html`` and one PNG file per picture.

    Args:
        inputs: what the atlas is drawn from.
        parts: names of ``CHAPTERS``, in the order of the page.
        folder: is made if missing; files of the same names are replaced.

    Returns:
        The number of pictures.
    """
    chapters = _draw(inputs, parts)
    folder.mkdir(parents=True, exist_ok=True)
    for chapter in chapters:
        if chapter.refusal:
            logger.warning("%s: %s", chapter.name, chapter.refusal)
        for panel in chapter.panels:
            (folder / panel.file).write_bytes(png(panel.picture))
    (folder / "index.html").write_text(render_atlas(inputs.classifier.name, chapters))
    return sum(len(chapter.panels) for chapter in chapters)


def _draw(inputs: AtlasInput, parts: Sequence[str]) -> list[Chapter]:
    """The chapters, with a progress bar over all their steps."""
    steps = {part: count_steps(part, inputs) + 1 for part in parts}
    chapters = []
    with SweepProgress(f"atlas of {inputs.classifier.name}", sum(steps.values())) as progress:
        for part in parts:
            before = progress.done
            chapters.append(draw_chapter(part, inputs, lambda part=part: progress.advance(1, part)))  # type: ignore[misc]
            progress.advance(before + steps[part] - progress.done, part)
    return chapters
