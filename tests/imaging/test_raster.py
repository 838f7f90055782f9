"""One picture in every format and mode gives one array; GRAY is small enough to check by eye."""

import io

import cv2
import numpy as np
import pytest
from imaging_files import GRAY, png_bytes, png_chunk, tiff_bytes
from PIL import Image

from segtumor.errors import BadImageError
from segtumor.imaging import normalize_window, read_radiograph, read_size_hw

BINARY = np.where(GRAY > 100, 255, 0).astype(np.uint8)
GRAY16 = GRAY.astype(np.uint16) * 257
OPAQUE = np.full_like(GRAY, 255)
HALF = np.full_like(GRAY, 128)
RGB16 = np.stack([GRAY16] * 3, -1)
SIGNED8 = (GRAY.astype(np.int16) - 128).astype(np.int8)

# What a camera stores for GRAY to appear upright under each EXIF orientation.
STORED = {
    1: GRAY,
    2: GRAY[:, ::-1],
    3: GRAY[::-1, ::-1],
    4: GRAY[::-1],
    5: GRAY.T,
    6: np.rot90(GRAY, 1),
    7: GRAY[::-1, ::-1].T,
    8: np.rot90(GRAY, -1),
}


def pillow(array_or_image, file_format, mode=None, **options):
    image = array_or_image if isinstance(array_or_image, Image.Image) else Image.fromarray(array_or_image)
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, file_format, **options)
    return buffer.getvalue()


def opencv(array, suffix):
    return cv2.imencode(suffix, array)[1].tobytes()


def exif_bytes(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    return exif.tobytes()


def palette_image(array):
    """GRAY through a palette that is not in gray order."""
    image = Image.fromarray(255 - array).convert("P")
    image.putpalette([level for index in range(256) for level in (255 - index,) * 3])
    return image


def inverted_ink(array):
    return Image.merge("CMYK", [Image.fromarray(255 - array)] * 3 + [Image.fromarray(np.zeros_like(array))])


def dots_per_inch(file_format):
    return pillow(GRAY, file_format, dpi=(254, 254))


# name: (bytes of the file, dtype it should report)
SAME = {
    "png 8 bit": (lambda: pillow(GRAY, "PNG"), "uint8"),
    "png 16 bit": (lambda: pillow(GRAY16, "PNG"), "uint16"),
    "png rgb": (lambda: pillow(GRAY, "PNG", "RGB"), "uint8"),
    "png rgb 16 bit": (lambda: opencv(RGB16, ".png"), "uint16"),
    "png rgba 16 bit": (lambda: opencv(np.dstack([RGB16, GRAY16]), ".png"), "uint16"),
    "png rgba": (lambda: pillow(GRAY, "PNG", "RGBA"), "uint8"),
    "png rgba half transparent": (lambda: pillow(np.dstack([GRAY, GRAY, GRAY, HALF]), "PNG"), "uint8"),
    "png gray alpha": (lambda: pillow(GRAY, "PNG", "LA"), "uint8"),
    "png gray alpha half transparent": (lambda: png_bytes(np.dstack([GRAY, HALF]), 4), "uint8"),
    "png gray alpha 16 bit": (lambda: png_bytes(np.dstack([GRAY16, GRAY16]), 4), "uint16"),
    "png transparent gray": (lambda: pillow(GRAY, "PNG", transparency=255), "uint8"),
    "png palette": (lambda: pillow(palette_image(GRAY), "PNG"), "uint8"),
    "png transparent palette": (lambda: pillow(palette_image(GRAY), "PNG", transparency=bytes(range(256))), "uint8"),
    "png with dpi": (lambda: dots_per_inch("PNG"), "uint8"),
    "tiff 8 bit": (lambda: pillow(GRAY, "TIFF"), "uint8"),
    "tiff 16 bit": (lambda: pillow(GRAY16, "TIFF"), "uint16"),
    "tiff 16 bit big-endian": (lambda: tiff_bytes(GRAY16, 1, order=">"), "uint16"),
    "tiff white is zero": (lambda: tiff_bytes(255 - GRAY, 0), "uint8"),
    "tiff white is zero 16 bit": (lambda: tiff_bytes(65535 - GRAY16, 0), "uint16"),
    "tiff white is zero float": (
        lambda: tiff_bytes((1 - GRAY / 255).astype(np.float32), 0, sample_format=3),
        "float32",
    ),
    "tiff signed 16 bit": (lambda: tiff_bytes((GRAY * 100.0 - 9000).astype(np.int16), 1, sample_format=2), "int32"),
    "tiff signed 16 bit big-endian": (
        lambda: tiff_bytes((GRAY * 100.0 - 9000).astype(np.int16), 1, sample_format=2, order=">"),
        "int32",
    ),
    "tiff signed 8 bit": (lambda: tiff_bytes(SIGNED8, 1, sample_format=2), "int8"),
    "tiff signed 8 bit big-endian": (lambda: tiff_bytes(SIGNED8, 1, sample_format=2, order=">"), "int8"),
    "tiff signed 8 bit by OpenCV": (lambda: opencv(SIGNED8, ".tiff"), "int8"),
    "tiff signed 32 bit": (
        lambda: tiff_bytes((GRAY * 16_000_000.0 - 2e9).astype(np.int32), 1, sample_format=2),
        "int32",
    ),
    "tiff signed 32 bit big-endian": (
        lambda: tiff_bytes((GRAY * 16_000_000.0 - 2e9).astype(np.int32), 1, sample_format=2, order=">"),
        "int32",
    ),
    "tiff unsigned 32 bit": (lambda: tiff_bytes(GRAY.astype(np.uint32) * 16_843_009, 1), "uint32"),
    "tiff 32 bit": (lambda: pillow(GRAY.astype(np.int32) * 1000 - 7, "TIFF"), "int32"),
    "tiff float in [0, 1]": (lambda: pillow((GRAY / 255).astype(np.float32), "TIFF"), "float32"),
    "tiff float of any range": (lambda: pillow((GRAY * 3.7 - 50).astype(np.float32), "TIFF"), "float32"),
    "tiff rgb": (lambda: pillow(GRAY, "TIFF", "RGB"), "uint8"),
    "tiff rgb 16 bit": (lambda: opencv(RGB16, ".tiff"), "uint16"),
    "tiff rgb 16 bit big-endian": (lambda: tiff_bytes(RGB16, 2, order=">"), "uint16"),
    "tiff rgba": (lambda: pillow(GRAY, "TIFF", "RGBA"), "uint8"),
    "tiff cmyk black ink": (lambda: pillow(GRAY, "TIFF", "CMYK"), "uint8"),
    "tiff cmyk three inks": (lambda: pillow(inverted_ink(GRAY), "TIFF"), "uint8"),
    "tiff palette": (lambda: pillow(palette_image(GRAY), "TIFF"), "uint8"),
    "tiff deflate": (lambda: pillow(GRAY, "TIFF", compression="tiff_adobe_deflate"), "uint8"),
    "tiff lzw 16 bit": (lambda: pillow(GRAY16, "TIFF", compression="tiff_lzw"), "uint16"),
    "bmp 8 bit": (lambda: pillow(GRAY, "BMP"), "uint8"),
    "bmp rgb": (lambda: pillow(GRAY, "BMP", "RGB"), "uint8"),
    "bmp rgba": (lambda: pillow(GRAY, "BMP", "RGBA"), "uint8"),
    "bmp palette": (lambda: pillow(palette_image(GRAY), "BMP"), "uint8"),
}


def read(folder, data, name="picture"):
    path = folder / name
    path.write_bytes(data)
    return read_radiograph(path)


@pytest.mark.parametrize("case", SAME)
def test_one_picture_in_every_mode_gives_one_array(case, tmp_path):
    make, dtype = SAME[case]
    radiograph = read(tmp_path, make())
    assert radiograph.source_dtype == dtype
    assert (radiograph.name, radiograph.spacing_mm, radiograph.spacing_source) == ("picture", None, None)
    np.testing.assert_allclose(radiograph.pixels, GRAY / np.float32(255), atol=1e-5)
    np.testing.assert_allclose(normalize_window(radiograph.pixels), normalize_window(GRAY), atol=1e-5)
    assert read_size_hw(tmp_path / "picture") == GRAY.shape


@pytest.mark.parametrize(
    "case", ["png 8 bit", "png rgb", "png palette", "tiff cmyk black ink", "tiff cmyk three inks", "bmp rgba"]
)
def test_eight_bit_gray_is_bitwise_the_same_in_every_mode(case, tmp_path):
    np.testing.assert_array_equal(read(tmp_path, SAME[case][0]()).pixels, GRAY.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP"])
def test_one_bit_is_the_same_as_eight(file_format, tmp_path):
    radiograph = read(tmp_path, pillow(BINARY, file_format, "1"))
    assert radiograph.source_dtype == "bool"
    np.testing.assert_array_equal(radiograph.pixels, BINARY / 255)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_in_every_mode_is_the_picture_to_its_own_loss(mode, progressive, tmp_path):
    smooth = np.add.outer(np.arange(40) * 3, np.arange(50) * 2).astype(np.uint8)
    data = pillow(smooth, "JPEG", mode, quality=98, progressive=progressive)
    np.testing.assert_allclose(read(tmp_path, data).pixels, smooth / 255, atol=4 / 255)


def test_colour_becomes_luma(tmp_path):
    primaries = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    np.testing.assert_allclose(read(tmp_path, pillow(primaries, "PNG")).pixels, [[0.299, 0.587, 0.114]], atol=1e-6)


def test_twelve_bits_stored_as_sixteen_bit_colour_keep_their_levels(tmp_path):
    levels = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    assert np.unique(read(tmp_path, opencv(np.stack([levels] * 3, -1), ".png")).pixels).size == 4096


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_exif_rotation_is_undone(file_format, orientation, tmp_path):
    radiograph = read(tmp_path, pillow(STORED[orientation].copy(), file_format, exif=exif_bytes(orientation)))
    np.testing.assert_array_equal(radiograph.pixels, GRAY.astype(np.float32) / np.float32(255))
    assert radiograph.pixels.flags.c_contiguous
    assert read_size_hw(tmp_path / "picture") == GRAY.shape


@pytest.mark.parametrize("orientation", STORED)
def test_exif_rotation_of_jpeg_is_undone(orientation, tmp_path):
    data = pillow(np.kron(STORED[orientation], np.ones((16, 16), np.uint8)), "JPEG", exif=exif_bytes(orientation))
    np.testing.assert_allclose(read(tmp_path, data).pixels[8::16, 8::16], GRAY / 255, atol=3 / 255)
    assert read_size_hw(tmp_path / "picture") == (80, 96)


@pytest.mark.parametrize("place", ["before_pixels", "after_pixels"])
def test_exif_of_png_counts_wherever_it_stands(place, tmp_path):
    chunk = png_chunk(b"eXIf", exif_bytes(6).removeprefix(b"Exif\0\0"))
    radiograph = read(tmp_path, png_bytes(STORED[6], 0, **{place: chunk}))
    np.testing.assert_array_equal(radiograph.pixels, GRAY.astype(np.float32) / np.float32(255))
    assert read_size_hw(tmp_path / "picture") == GRAY.shape


def test_sixteen_bit_colour_is_turned_like_the_rest(tmp_path):
    stored = np.rot90(RGB16, 1)
    radiograph = read(tmp_path, tiff_bytes(stored, 2, orientation=6))
    np.testing.assert_allclose(radiograph.pixels, GRAY / 255, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_pixels_that_are_no_numbers_are_refused(bad, tmp_path):
    with pytest.raises(BadImageError, match="NaN"):
        read(tmp_path, pillow(np.array([[0.5, bad]], np.float32), "TIFF"))


def test_a_tiff_of_several_pages_is_refused(tmp_path):
    page = Image.fromarray(GRAY)
    with pytest.raises(BadImageError, match="several pages"):
        read(tmp_path, pillow(page, "TIFF", save_all=True, append_images=[page]))


def test_an_animated_png_is_refused_as_pages_are(tmp_path):
    pages = [Image.fromarray(GRAY), Image.fromarray(255 - GRAY)]
    with pytest.raises(BadImageError, match="several pages"):
        read(tmp_path, pillow(pages[0], "PNG", save_all=True, append_images=pages[1:]))


@pytest.mark.parametrize("photometric", [0, 2])
@pytest.mark.parametrize(
    ("dtype", "sample_format"),
    [("i1", 2), ("u1", 4), ("i2", 2), ("u2", 4), ("u4", 4), ("f2", 3), ("f4", 3), ("f8", 3), ("u8", 1), ("i8", 2)],
)
def test_samples_that_pillow_does_not_know_are_read_right_or_refused(dtype, sample_format, photometric, tmp_path):
    stored = GRAY.astype(dtype) if dtype != "i1" else SIGNED8
    stored = np.stack([stored] * 3, -1) if photometric == 2 else stored
    try:
        radiograph = read(tmp_path, tiff_bytes(stored, photometric, sample_format=sample_format))
    except BadImageError:
        return
    expected = normalize_window(GRAY)
    np.testing.assert_allclose(
        normalize_window(radiograph.pixels), 1 - expected if photometric == 0 else expected, atol=1e-6
    )


def test_a_mode_without_gray_is_refused(tmp_path):
    with pytest.raises(BadImageError, match="LAB"):
        read(tmp_path, pillow(Image.new("LAB", (4, 3)), "TIFF"))


def test_one_pixel(tmp_path):
    np.testing.assert_array_equal(read(tmp_path, pillow(GRAY[4:, 5:], "PNG")).pixels, [[1]])
