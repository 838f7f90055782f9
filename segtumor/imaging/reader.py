"""The entrance: path -> Radiograph, or one clear BadImageError.

The first bytes decide the format, not the name: a JPEG called .png is read, a text called .png is refused.
Not here: decoding (``raster``, ``dicom``).
"""

import contextlib
import logging
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from segtumor.arrays import SizeHW
from segtumor.errors import BadImageError
from segtumor.files import open_ordinary
from segtumor.imaging.dicom import dicom_size_hw, read_dicom
from segtumor.imaging.dicom.signature import HEAD_BYTES, dicom_start, what_without_picture
from segtumor.imaging.failures import decoder_errors
from segtumor.imaging.listing import DICOM_SUFFIXES
from segtumor.imaging.radiograph import MAX_PIXELS, OneFrameError, Radiograph
from segtumor.imaging.raster import raster_size_hw, read_raster

logger = logging.getLogger(__name__)

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),  # BigTIFF
    (b"MM\x00+", "TIFF"),
    (b"BM", "BMP"),
)


def read_radiograph(
    path: str | Path, *, max_pixels: int = MAX_PIXELS, frame: int | None = None, log: bool = True
) -> Radiograph:
    """Read one picture as an upright grayscale radiograph.

    Args:
        max_pixels: largest height x width to decode, px; the header is checked first.
        frame: index from 0 of the frame of a DICOM file with several, which is refused without it.
        log: whether its remarks are logged as warnings, for who does not look at them.

    Returns:
        Radiograph; pixels (H, W) float32 in [0, 1]. Raster samples are scaled by their type (``to_unit_range``), DICOM
        is windowed as its header says. ``normalize_window`` makes both comparable.

    Raises:
        BadImageError: missing, empty, fake, damaged, truncated, too large or unsupported; or no such frame
            (OneFrameError where the file has one only).
        InstallationError: a DICOM file, and pydicom or the decoder of its transfer syntax is missing.
    """
    path = Path(path)
    with _opened(path) as (file, kind):
        if kind == "DICOM":
            radiograph = read_dicom(path, max_pixels, frame)
        elif frame in (None, 0):
            radiograph = read_raster(file, path, kind, max_pixels)
        else:
            raise OneFrameError(f"a {kind} file has one frame", where=path, got=f"frame {frame}", expected="0 or none")
    for remark in radiograph.remarks if log else ():
        logger.warning("%s: %s", path, remark)
    return radiograph


def read_size_hw(path: str | Path) -> SizeHW:
    """(height, width) in px of what ``read_radiograph`` would give, from the header alone; raises the same errors.

    Pixels are neither decoded nor counted against a limit, so an oversized and often a truncated picture has a size.
    """
    path = Path(path)
    with _opened(path) as (file, kind):
        return dicom_size_hw(path) if kind == "DICOM" else raster_size_hw(file, kind)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """Yield (file, kind); every failure inside becomes BadImageError."""
    _check_is_file(path)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open_ordinary(path))
            kind = _sniff(file, path)
        except OSError as error:
            raise BadImageError(f"the file cannot be opened: {error.strerror}", where=path) from error
        file.seek(0)
        with decoder_errors(path, kind=kind, private=kind == "DICOM"):
            yield file, kind


def _check_is_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise BadImageError("there is no such file", where=path, remedy="Check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or error
        raise BadImageError(f"there is no such file: {reason}", where=path, remedy="Check the path") from error
    if stat.S_ISDIR(mode):
        raise BadImageError("this is a folder, not an image file", where=path, remedy="Give the files in it")
    if not stat.S_ISREG(mode):  # a pipe or device would be waited for
        raise BadImageError("this is not an ordinary file", where=path)


def raster_kind(head: bytes) -> str | None:
    """PNG, JPEG, TIFF or BMP by the first bytes; None if it is none of them."""
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)


def _sniff(file: BinaryIO, path: Path) -> str:
    head = file.read(HEAD_BYTES)
    if not head:
        raise BadImageError("the file is empty", where=path, remedy="Copy or download it again")
    # DICOM first: its preamble may imitate a TIFF file (PS3.10 7.1).
    if dicom_start(head) is not None:
        what = what_without_picture(head)
        if what is not None:
            raise BadImageError("DICOM without a picture", where=path, got=what, remedy="Choose an image of the study")
        return "DICOM"
    kind = raster_kind(head)
    if kind is not None:
        return kind
    if path.suffix.lower() in DICOM_SUFFIXES:
        raise BadImageError("the file is named as DICOM but has no DICOM header", where=path)
    raise BadImageError("this is not an image", where=path, expected="PNG, JPEG, TIFF, BMP or DICOM content")
