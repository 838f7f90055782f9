"""The entrance: path -> Radiograph, or one clear BadImageError.

The first bytes decide the format, not the name: a JPEG called .png is read, a text called .png is refused.
Not here: decoding (``raster``, ``dicom``).
"""

import contextlib
import logging
import stat
from pathlib import Path

from segtumor.errors import BadImageError, DataError
from segtumor.imaging.dicom import dicom_size_hw, read_dicom
from segtumor.imaging.failures import foreign_errors
from segtumor.imaging.radiograph import MAX_PIXELS
from segtumor.imaging.raster import raster_size_hw, read_raster

_DICOM_SUFFIXES = (".dcm", ".dicom")

logger = logging.getLogger(__name__)

#: Suffixes, lower case, by which ``list_images`` finds pictures.
SUPPORTED_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", *_DICOM_SUFFIXES)

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),  # BigTIFF
    (b"MM\x00+", "TIFF"),
    (b"BM", "BMP"),
)
_DICOM_MAGIC, _DICOM_MAGIC_OFFSET = b"DICM", 128


def read_radiograph(path, *, max_pixels=MAX_PIXELS, frame=None):
    """Read one picture as an upright grayscale radiograph.

    Args:
        path: a PNG, JPEG, TIFF, BMP or DICOM file.
        max_pixels: largest height x width to decode, px; the header is asked first.
        frame: index from 0 of the frame of a DICOM file with several, which is refused without it.

    Returns:
        Radiograph; pixels (H, W) float32 in [0, 1]. Raster samples are scaled by their type (``to_unit_range``), DICOM
        is windowed as its header says. ``normalize_window`` makes both comparable.

    Raises:
        BadImageError: missing, empty, fake, damaged, truncated, too large or unsupported; or no such frame.
        InstallationError: a DICOM file, and pydicom or the decoder of its transfer syntax is missing.
    """
    path = Path(path)
    with _opened(path) as (file, kind):
        if kind == "DICOM":
            return read_dicom(path, max_pixels, frame)
        if frame not in (None, 0):
            raise BadImageError(f"a {kind} file has one frame", where=path, got=f"frame {frame}", expected="0 or none")
        return read_raster(file, path, kind, max_pixels)


def read_size_hw(path):
    """(height, width) in px of what ``read_radiograph`` would give, from the header alone; raises the same errors.

    Pixels are neither decoded nor counted against a limit, so an oversized and often a truncated picture has a size.
    """
    path = Path(path)
    with _opened(path) as (file, kind):
        return dicom_size_hw(path) if kind == "DICOM" else raster_size_hw(file, kind)


def list_images(folder):
    """Images of ``folder``, sorted by name: files with a supported suffix in any case, and DICOM files without one.

    Subfolders and hidden files are left out; other files too, which is logged.

    Raises:
        DataError: it is not a folder, or cannot be listed.
    """
    folder = Path(folder)
    try:
        # A link that leads nowhere counts: it fails where it is read, and is not left out in silence.
        paths = [path for path in folder.iterdir() if path.is_file() or (path.is_symlink() and not path.is_dir())]
    except OSError as error:
        raise DataError(f"the folder cannot be listed: {error.strerror}", where=folder) from error
    paths = sorted((path for path in paths if not path.name.startswith(".")), key=lambda path: path.name)
    wanted = [path for path in paths if path.suffix.lower() in SUPPORTED_SUFFIXES or _is_nameless_dicom(path)]
    left_out = sorted({path.name for path in paths} - {path.name for path in wanted})
    if left_out:
        logger.info("%s: %d files are no images by their name, e.g. %s", folder, len(left_out), left_out[0])
    return wanted


def is_dicom(path):
    """Whether a file is DICOM by its first bytes; False if it cannot be opened."""
    try:
        with open(path, "rb") as file:
            return file.read(_DICOM_MAGIC_OFFSET + len(_DICOM_MAGIC))[_DICOM_MAGIC_OFFSET:] == _DICOM_MAGIC
    except OSError:
        return False


def _is_nameless_dicom(path):
    # Archives export DICOM as IM0001 or as a UID, whose last number looks like a suffix.
    return (not path.suffix or path.suffix[1:].isdigit()) and is_dicom(path)


@contextlib.contextmanager
def _opened(path):
    """Yield (file, kind); every failure inside becomes BadImageError."""
    _check_is_file(path)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "rb"))
            kind = _sniff(file, path)
        except OSError as error:
            raise BadImageError(f"the file cannot be opened: {error.strerror}", where=path) from error
        file.seek(0)
        with foreign_errors(path, kind=kind, private=kind == "DICOM"):
            yield file, kind


def _check_is_file(path):
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or error
        raise BadImageError(f"there is no such file: {reason}", where=path, remedy="Check the path") from error
    if stat.S_ISDIR(mode):
        raise BadImageError("this is a folder, not an image file", where=path)
    if not stat.S_ISREG(mode):  # a pipe or device would be waited for
        raise BadImageError("this is not an ordinary file", where=path)


def _sniff(file, path):
    head = file.read(_DICOM_MAGIC_OFFSET + len(_DICOM_MAGIC))
    if not head:
        raise BadImageError("the file is empty", where=path, remedy="Copy or download it again")
    # DICOM first: its preamble may imitate a TIFF file (PS3.10 7.1).
    if head[_DICOM_MAGIC_OFFSET:] == _DICOM_MAGIC:
        return "DICOM"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if path.suffix.lower() in _DICOM_SUFFIXES:
        raise BadImageError("the file is named as DICOM but has no DICOM header", where=path)
    raise BadImageError("this is not an image", where=path, expected="PNG, JPEG, TIFF, BMP or DICOM content")
