"""What all HTML pages share: the template engine and pictures embedded in the page, so that nothing is fetched."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from segtumor.escaping import without_commands

if TYPE_CHECKING:
    import jinja2


def environment() -> jinja2.Environment:
    """jinja2's Environment of this room's templates: everything escaped, a missing value is an error; signs that would
    turn the text after them around are shown as ``\\u202e``."""
    import jinja2  # slow to import, and only a page needs it

    return jinja2.Environment(
        loader=jinja2.PackageLoader("segtumor.reporting"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: without_commands(value) if type(value) is str else value,  # what is markup stays so
        trim_blocks=True,
        lstrip_blocks=True,
    )


def data_url(picture: bytes) -> str:
    """A PNG or JPEG (bytes) as the address of an embedded picture."""
    kind = "jpeg" if picture.startswith(b"\xff\xd8") else "png"
    return f"data:image/{kind};base64," + base64.b64encode(picture).decode("ascii")
