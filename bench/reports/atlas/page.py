"""The atlas page: what one classifier has learned, in pictures, in one HTML file."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from bench.reports.page import environment, template


@dataclass(frozen=True)
class Panel:
    """One picture."""

    file: str
    """File name in the atlas's folder; it holds no name from outside."""
    picture: Image.Image
    """The pixels."""
    caption: str
    """What it shows; may hold names from outside."""

    @property
    def source(self) -> str:
        """The picture as a data URI: JPEG, which a page of a hundred pictures can afford; the files are PNG."""
        buffer = io.BytesIO()
        self.picture.convert("RGB").save(buffer, "JPEG", quality=90, subsampling=0)
        return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@dataclass(frozen=True)
class Chapter:
    """One section of the page."""

    name: str
    """As ``parts`` names it."""
    title: str
    """Heading."""
    note: str
    """What it is and how to read it, with the paper."""
    panels: Sequence[Panel] = ()
    """Its pictures."""
    refusal: str = ""
    """Why there are none, where the method cannot do this network."""


def render_atlas(classifier: str, chapters: Sequence[Chapter]) -> str:
    """The page; every name is escaped, every picture inside."""
    page = environment().get_template("atlas.html.j2")
    return page.render(classifier=classifier, chapters=chapters, style=template("leaderboard.css"))
