"""Which files of a folder are images: by their names, and DICOM by its first bytes, whatever it is called.

Archives name DICOM files IM0001, a UID or .IMA, so that no list of suffixes finds them; other pictures keep theirs, and
without one they are somebody's backup or cache. Not here: whether an image is intact (``reader``).
"""

import logging
import os
import stat
from pathlib import Path
from typing import NamedTuple

from segtumor.errors import DataError
from segtumor.files import open_ordinary
from segtumor.imaging.dicom.signature import HEAD_BYTES, dicom_start, what_without_picture

DICOM_SUFFIXES = (".dcm", ".dicom")

#: Suffixes, lower case, by which a file is an image.
SUPPORTED_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", *DICOM_SUFFIXES)

logger = logging.getLogger(__name__)


class LeftOut(NamedTuple):
    """A file that is not an image, and why: a few words such as "no image by its name or first bytes"."""

    path: Path
    reason: str


def look_through(folder: str | Path) -> tuple[list[Path], list[LeftOut]]:
    """(images, left out) of the files in ``folder``, sorted by name; raises DataError if it cannot be listed."""
    folder = Path(folder)
    try:
        paths = sorted((path for path in folder.iterdir() if not path.is_dir()), key=lambda path: path.name)
    except OSError as error:
        raise DataError(f"the folder cannot be listed: {error.strerror}", where=folder) from error
    reasons = {path: why_no_image(path) for path in paths}
    return (
        [path for path in paths if reasons[path] is None],
        [LeftOut(path, reason) for path, reason in reasons.items() if reason is not None],
    )


def list_images(folder: str | Path) -> list[Path]:
    """Images of ``folder``, sorted by name; what is left out is logged. Raises as ``look_through``."""
    images, left_out = look_through(folder)
    visible = [path.name for path, _ in left_out if not path.name.startswith(".")]
    if visible:
        logger.info("%s: %d files are no images by their name, e.g. %s", folder, len(visible), visible[0])
    return images


def why_no_image(path: Path) -> str | None:
    """Why a file of a folder is not an image, in a few words; None if it is one by its name or first bytes.

    A file with an image's suffix counts even if it is damaged, and a link that leads nowhere even without one: they
    fail where they are read and are not left out in silence.
    """
    path = Path(path)
    if path.name.startswith("."):
        return "hidden"
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return "not an ordinary file"
    except OSError:
        return None
    by_name, head = path.suffix.lower() in SUPPORTED_SUFFIXES, _head(path)
    if dicom_start(head) is not None:
        what = what_without_picture(head)
        return None if what is None else f"DICOM without a picture: {what}"
    return None if by_name else "no image by its name or first bytes"


def is_dicom(path: str | Path) -> bool:
    """Whether an ordinary file is DICOM by its first bytes; False if it cannot be opened."""
    return dicom_start(_head(path)) is not None


def _head(path: str | Path) -> bytes:
    try:
        with open_ordinary(path) as file:
            return file.read(HEAD_BYTES)
    except (OSError, ValueError):  # ValueError: a path with a null character
        return b""
