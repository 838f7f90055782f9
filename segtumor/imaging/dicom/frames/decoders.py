"""One coded frame -> samples, each codec by one decoder. None of them is under the GPL.

JPEG: Pillow. RLE: ``byte_runs``. JPEG 2000, also HTJ2K: pylibjpeg-openjpeg. Lossless JPEG and JPEG-LS: GDCM, in a
process of its own (``gdcm_worker``), because damaged data ends it. Left out: 12-bit lossy JPEG, which none of these
decodes, and compressed colour in GDCM's codecs.
"""

import importlib.util
import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segtumor.arrays import Array
from segtumor.errors import BadImageError, InstallationError, needed
from segtumor.imaging.dicom.frames.byte_runs import decode_rle
from segtumor.imaging.dicom.frames.codestreams import bare_j2k, check_codestream, check_j2k, end_of_codestream
from segtumor.imaging.dicom.frames.syntaxes import JPEG, JPEG_2000, RLE, TransferSyntax
from segtumor.imaging.dicom.layout import PixelLayout
from segtumor.imaging.jpeg import check_jpeg

_DAMAGED = b"Corrupt JPEG data"  # libjpeg's warning, after which GDCM returns samples nevertheless
_WORKER = Path(__file__).with_name("gdcm_worker.py")
_LIMIT_BYTES, _LIMIT_BYTES_PER_SAMPLE = 512_000_000, 16
_IMPORTED = b"+"  # what the worker writes first
_PROCESSOR_S, _MEGAPIXELS_PER_S, _WALL_S = 3, 1, 60


def decode(data: bytes, syntax: TransferSyntax, layout: PixelLayout, path: Path) -> tuple[Array, int]:
    """((H, W) or (H, W, 3) integer samples, precision in bits) of one coded frame.

    Raises BadImageError if it contradicts the header or is of a kind that is left out, InstallationError without the
    decoder, and whatever a decoder raises on damaged data; see ``failures.decoder_errors``.
    """
    if syntax.codec == RLE:
        return decode_rle(data, layout, path), layout.allocated
    if syntax.codec == JPEG_2000:
        data = bare_j2k(data)
    precision = check_codestream(data, syntax.codec, layout, path)
    data = data[: end_of_codestream(data, syntax.codec, path)]
    if syntax.codec == JPEG:
        return _decode_jpeg(data, layout, precision, path), precision
    if syntax.codec == JPEG_2000:
        check_j2k(data, path)
        return _decode_j2k(data), precision
    if layout.samples != 1:
        raise BadImageError(f"colour in {syntax.codec}", where=path, remedy="Export it again as grayscale")
    return _gdcm_samples(data, syntax, layout, precision, path), precision


def _decode_jpeg(data: bytes, layout: PixelLayout, precision: int, path: Path) -> Array:
    from PIL.JpegImagePlugin import JpegImageFile

    if precision != 8:
        raise BadImageError(
            "lossy JPEG of more than 8 bits, which no decoder without the GPL reads",
            where=path,
            got=f"{precision} bits",
            remedy="Export it again as uncompressed or losslessly compressed DICOM",
        )
    check_jpeg(data, layout.rows * layout.columns, path)
    image = JpegImageFile(io.BytesIO(data))
    if image.size != (layout.columns, layout.rows) or image.mode not in ("L", "RGB"):
        raise BadImageError("DICOM frame of another size than the header says", where=path)
    if layout.photometric == "RGB" and "adobe_transform" not in image.info and "jfif" not in image.info:
        image.draft("YCbCr", image.size)  # no mark of a colour transform: the channels are what the header says
        image.load()
        return np.asarray(image)
    return np.asarray(image.convert("L" if image.mode == "L" else "RGB"))


def _decode_j2k(data: bytes) -> Array:
    what, remedy = "reading JPEG 2000 in DICOM needs pylibjpeg-openjpeg", "Type: pip install pylibjpeg-openjpeg"
    with needed("openjpeg", what, remedy=remedy):
        import openjpeg
    samples: Array = openjpeg.decode(data, j2k_format=0)  # type: ignore[attr-defined]  # not in its __all__
    return samples


def _gdcm_samples(data: bytes, syntax: TransferSyntax, layout: PixelLayout, precision: int, path: Path) -> Array:
    """(H, W) unsigned samples of one gray frame, decoded by GDCM in a process of its own; raises as ``decode``.

    GDCM 3.2 called abort() on 186 of 7,035 damaged lossless JPEG and JPEG-LS frames, which would take training with it.
    The checks of ``codestreams`` refuse 181 of these first, not all. The process starts in about 0.1 s, since it
    imports GDCM alone; it gets limited memory and processor time, and its messages go nowhere. Left out: keeping it
    for the next frame.
    """
    spec = importlib.util.find_spec("gdcm")
    if spec is None or spec.origin is None:
        raise InstallationError(
            "reading lossless JPEG or JPEG-LS in DICOM needs python-gdcm", remedy="Type: pip install python-gdcm"
        )
    pixels = layout.rows * layout.columns
    seconds = _PROCESSOR_S + pixels // (_MEGAPIXELS_PER_S * 1_000_000)
    numbers = (layout.rows, layout.columns, precision, seconds, _LIMIT_BYTES + _LIMIT_BYTES_PER_SAMPLE * pixels)
    folder = Path(spec.origin).parents[0 if spec.submodule_search_locations is None else 1]
    output = _run_worker([folder, syntax.uid, *numbers], data, _WALL_S + seconds)
    dtype = np.dtype("u1" if precision <= 8 else "<u2")
    if len(output) < pixels * dtype.itemsize:
        raise BadImageError(
            f"damaged {syntax.codec} data in a DICOM file", where=path, remedy="Copy or export the file again"
        )
    return np.frombuffer(output, dtype=dtype, count=pixels).reshape(layout.size_hw)


def _run_worker(arguments: Sequence[Any], data: bytes, timeout_s: float) -> bytes:
    """What the worker decoded, bytes; none if it failed, was killed or took too long."""
    command = [sys.executable, "-I", "-S", str(_WORKER), *map(str, arguments)]
    try:
        result = subprocess.run(command, input=data, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        output, ended = error.stdout or b"", False
    except OSError as error:  # no memory for a process, or no more of them allowed
        raise _unusable(error) from error
    else:
        output, ended = result.stdout, result.returncode == 0 and _DAMAGED not in result.stderr
    if not output.startswith(_IMPORTED):
        raise _unusable(output[1:].decode("utf-8", "replace") or "it ends while it is imported")
    return output[len(_IMPORTED) :] if ended else b""


def _unusable(reason: object) -> InstallationError:
    return InstallationError(
        "GDCM, which reads lossless JPEG and JPEG-LS in DICOM, cannot be used",
        got=str(reason).splitlines()[0][:200],
        remedy="Type: pip install --force-reinstall python-gdcm",
    )
