"""One coded frame -> samples, each codec by one decoder. None of them is under the GPL.

JPEG: Pillow. RLE: ``rle``. JPEG 2000, also HTJ2K: pylibjpeg-openjpeg. Lossless JPEG and JPEG-LS: GDCM, in a process
of its own (``isolated``), because damaged data ends it. Left out: 12-bit lossy JPEG, which none of these decodes, and
compressed colour in GDCM's codecs.
"""

import io

import numpy as np

from segtumor.errors import BadImageError, needed
from segtumor.imaging.dicom.frames.codestreams import bare_j2k, check_codestream, check_j2k, end_of_codestream
from segtumor.imaging.dicom.frames.isolated import gdcm_samples
from segtumor.imaging.dicom.frames.rle import decode_rle
from segtumor.imaging.dicom.frames.syntaxes import JPEG, JPEG_2000, RLE
from segtumor.imaging.jpeg import check_jpeg


def decode(data, syntax, layout, path):
    """Decode one frame.

    Args:
        data: its codestream, bytes.
        syntax: TransferSyntax; layout: PixelLayout.

    Returns:
        ((H, W) or (H, W, 3) integer samples, precision in bits).

    Raises:
        BadImageError: the codestream contradicts the header, or is of a kind that is left out.
        InstallationError: the decoder is missing.
        Exception: whatever a decoder raises on damaged data; see ``failures.foreign_errors``.
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
    return gdcm_samples(data, syntax, layout, precision, path), precision


def _decode_jpeg(data, layout, precision, path):
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


def _decode_j2k(data):
    what, remedy = "reading JPEG 2000 in DICOM needs pylibjpeg-openjpeg", "Type: pip install pylibjpeg-openjpeg"
    with needed("openjpeg", what, remedy=remedy):
        import openjpeg
    return openjpeg.decode(data, j2k_format=0)
