import io

import pytest
from imaging_files import GRAY, png_bytes, png_chunk

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
