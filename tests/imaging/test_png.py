import io
import struct
import zlib

import pytest
from imaging_files import GRAY, png_bytes, png_chunk
from PIL import Image

from segtumor.imaging.png import check_png, png_exif

NOTE = png_chunk(b"tEXt", b"Comment\0a")
BAD_NOTE = NOTE[:-4] + bytes(4)


@pytest.mark.parametrize("extra", [b"", NOTE, BAD_NOTE])
def test_a_whole_file_passes_even_with_a_damaged_note(extra):
    check_png(io.BytesIO(png_bytes(GRAY, 0, after_pixels=extra)))


def test_every_flipped_byte_of_header_and_pixels_is_noticed():
    whole = png_bytes(GRAY, 0)
    for position in range(8, len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x01
        with pytest.raises(ValueError, match=r"checksum|truncated"):
            check_png(io.BytesIO(bytes(damaged)))


def test_every_truncation_is_noticed():
    whole = png_bytes(GRAY, 0)
    for length in range(8, len(whole)):
        with pytest.raises(ValueError, match="truncated"):
            check_png(io.BytesIO(whole[:length]))


def test_exif_is_found_before_or_after_the_pixels_or_is_empty():
    chunk = png_chunk(b"eXIf", b"abc")
    assert png_exif(io.BytesIO(png_bytes(GRAY, 0, before_pixels=chunk))) == b"abc"
    assert png_exif(io.BytesIO(png_bytes(GRAY, 0, after_pixels=chunk))) == b"abc"
    assert png_exif(io.BytesIO(png_bytes(GRAY, 0))) == b""


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (9, 9), (17, 5)])
def test_rows_are_counted_in_every_mode(mode, size):
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, "PNG")
    check_png(buffer)


@pytest.mark.parametrize(("size", "passes"), [((1, 1), 1), ((9, 9), 7), ((5, 1), 4)])
def test_rows_of_an_interlaced_picture_are_counted(size, passes):
    """Clause 8.1, pass by pass: columns and rows of each, one filter byte for each row."""
    columns = [len(range(x, size[0], step)) for x, step in ((0, 8), (4, 8), (0, 4), (2, 4), (0, 2), (1, 2), (0, 1))]
    rows = [len(range(y, size[1], step)) for y, step in ((0, 8), (0, 8), (4, 8), (0, 4), (2, 4), (0, 2), (1, 2))]
    exact = sum(r * (1 + c) for c, r in zip(columns, rows, strict=True) if c)
    assert sum(bool(c and r) for c, r in zip(columns, rows, strict=True)) == passes
    header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 1)
    for surplus, is_sound in ((0, True), (16, True), (17, False)):
        body = zlib.compress(bytes(exact + surplus))
        data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")
        if is_sound:
            check_png(io.BytesIO(data))
        else:
            with pytest.raises(ValueError, match="more pixels"):
                check_png(io.BytesIO(data))
