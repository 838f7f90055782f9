"""What Pillow leaves unchecked of the data in PNG, JPEG, TIFF and BMP files.

Checksums, damage that libjpeg passes over, how many scans it makes, tiles larger than any picture, and data for more
pixels than the header says: with a width of one less each row begins a pixel later, which shears the picture.
Left out: strips of TIFF compressed otherwise than by deflate or JPEG. Not here: decoding (``raster``).
"""

import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from segtumor.imaging.jpeg import check_jpeg, with_tables
from segtumor.imaging.png import InflatedCounter, check_png

_WIDTH_TAG, _HEIGHT_TAG, _BITS_PER_SAMPLE_TAG, _COMPRESSION_TAG, _PHOTOMETRIC_TAG = 256, 257, 258, 259, 262
_CHANNELS_TAG, _ROWS_PER_STRIP_TAG, _PLANAR_TAG, _JPEG_TABLES_TAG = 277, 278, 284, 347
_STRIP_TAGS, _TILE_TAGS = (273, 279), (324, 325)  # offsets, byte counts
_TILE_SIZE_TAGS = (322, 323)
_UNCOMPRESSED, _JPEG_COMPRESSION, _DEFLATED = 1, 7, (8, 32946)
_YCBCR, _PLANES_APART = 6, 2
_MOST_PADDING_BYTES = 3  # up to the next word

#: A JPEG file beside its picture: profiles, previews, a short film taken by a telephone.
_JPEG_SLACK_BYTES = 1 << 26
_JPEG_BYTES_PER_PIXEL = 8


def check_coded_data(image: ImageFile, file: BinaryIO, kind: str, max_pixels: int, where: Path) -> None:
    """Raise BadImageError or ValueError for damaged or costly data, and for more pixels than the header says.

    ``image`` is Pillow's, not loaded yet; ``max_pixels`` limits the size of a part.
    """
    if kind == "PNG":
        check_png(file)
    elif kind == "JPEG":
        most = _JPEG_BYTES_PER_PIXEL * image.size[0] * image.size[1] + _JPEG_SLACK_BYTES
        check_jpeg(_bytes_at(file, 0, most), max_pixels, where)
    elif kind == "BMP":
        _check_bmp(file)
    elif isinstance(image, TiffImageFile):
        tile = math.prod(image.tag_v2.get(tag, 1) for tag in _TILE_SIZE_TAGS)
        if tile > max_pixels:
            raise ValueError("TIFF file with too large tiles")
        _check_strips(image.tag_v2, file)
        for part in _jpeg_parts(image.tag_v2, file):
            check_jpeg(part, max_pixels, where)


def _check_strips(tags: Any, file: BinaryIO) -> None:
    """Refuse strips, uncompressed or deflated, that hold more than rows of the header's length."""
    compression, sizes = tags.get(_COMPRESSION_TAG, _UNCOMPRESSED), tags.get(_STRIP_TAGS[1])
    if sizes is None or tags.get(_PHOTOMETRIC_TAG) == _YCBCR:
        return
    width, height = tags[_WIDTH_TAG], tags[_HEIGHT_TAG]
    bits = tags.get(_BITS_PER_SAMPLE_TAG, (1,))
    all_channels = max(sum(bits), bits[0] * tags.get(_CHANNELS_TAG, 1))
    per_pixel = bits[0] if tags.get(_PLANAR_TAG, 1) == _PLANES_APART else all_channels
    expected = min(tags.get(_ROWS_PER_STRIP_TAG, height), height) * -(-width * per_pixel // 8)
    most = expected + _MOST_PADDING_BYTES
    if compression == _UNCOMPRESSED and max(sizes) > most:
        raise ValueError("there are more pixels than the header says")
    if compression in _DEFLATED:
        for offset, size in zip(tags.get(_STRIP_TAGS[0], ()), sizes, strict=False):
            InflatedCounter(most).add(_bytes_at(file, offset, size))


def _check_bmp(file: BinaryIO) -> None:
    """Refuse an uncompressed BMP whose header counts more bytes than its size makes."""
    file.seek(14)
    head = file.read(24)
    width, height, _, bits, compression, size = struct.unpack("<iiHHII", head[4:])
    if int.from_bytes(head[:4], "little") >= 40 and compression == 0:
        expected = -(-width * bits // 32) * 4 * abs(height)
        if size > expected + _MOST_PADDING_BYTES:
            raise ValueError("there are more pixels than the header says")


def _jpeg_parts(tags: Any, file: BinaryIO) -> Iterator[bytes]:
    """The JPEG streams that a TIFF file is made of (TIFF Technical Note 2), each with its tables."""
    if tags.get(_COMPRESSION_TAG) != _JPEG_COMPRESSION:
        return
    offsets, sizes = (tags.get(tag, ()) for tag in (_TILE_TAGS if _TILE_TAGS[0] in tags else _STRIP_TAGS))
    for offset, size in zip(offsets, sizes, strict=False):
        if size:  # a part that is left out is the decoder's business
            yield with_tables(tags.get(_JPEG_TABLES_TAG), _bytes_at(file, offset, size))


def _bytes_at(file: BinaryIO, offset: int, most: int) -> bytes:
    file.seek(offset)
    return file.read(min(most, os.fstat(file.fileno()).st_size))
