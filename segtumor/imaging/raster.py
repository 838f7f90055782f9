"""PNG, JPEG, TIFF and BMP -> gray in [0, 1], through Pillow.

Decisions: alpha and transparent colours are dropped (the stored gray is the measurement, alpha only how a viewer blends
it); colour becomes luma; CMYK is converted without its profile; colour profiles and gamma are ignored; a resolution in
dpi is not a pixel spacing. 16-bit colour, of which Pillow keeps 8 bits, is decoded by OpenCV (16-bit CMYK keeps 8).
EXIF and TIFF orientation is applied; in PNG only from the eXIf chunk. Refused: TIFF of several pages, animated PNG.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from segtumor.arrays import Array, GrayImage, SizeHW
from segtumor.errors import BadImageError
from segtumor.imaging.contrast import remarks_on
from segtumor.imaging.intensity import luma, to_unit_range
from segtumor.imaging.png import png_channels, png_exif
from segtumor.imaging.radiograph import Radiograph, check_size
from segtumor.imaging.raster_checks import check_coded_data
from segtumor.system.shared_settings import SharedSetting

# Pillow's classes rather than Image.open: its limit of 179 megapixels, a process-wide setting, stays out of the way of
# ``max_pixels``, and no other decoder can be reached.
_DECODERS: dict[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "TIFF": TiffImageFile,
    "BMP": BmpImageFile,
}

_GRAY_MODES = ("1", "L", "F", "I", "I;16", "I;16L", "I;16B", "I;16N")
_FIRST_CHANNEL_MODES = ("LA", "YCbCr")  # gray with alpha; luma with chroma
_COLOR_MODES = ("RGB", "RGBA", "RGBX")
_PALETTE_MODES = ("P", "PA")

_WIDTH_TAG, _HEIGHT_TAG, _BITS_PER_SAMPLE_TAG, _PHOTOMETRIC_TAG, _ORIENTATION_TAG = 256, 257, 258, 262, 274
_SAMPLES_PER_PIXEL_TAG, _SAMPLE_FORMAT_TAG = 277, 339
_WHITE_IS_ZERO = 0
#: (SampleFormat, bits) of what Pillow takes for the other signedness -> what it is.
_REINTERPRETED = {(2, 8): np.int8, (1, 32): np.uint32}

# EXIF 2.32, tag Orientation: what makes the stored picture upright.
_UPRIGHT: dict[int, Callable[[Array], Array]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).T,
    8: np.rot90,
}


@contextlib.contextmanager
def _truncation_is_an_error() -> Iterator[None]:
    """Pillow's process-wide leave to fill the missing part of a file with gray, taken back for the time of a read."""
    before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


_no_truncated_images = SharedSetting(_truncation_is_an_error)


def read_raster(file: BinaryIO, path: Path, kind: str, max_pixels: int) -> Radiograph:
    """Decode one picture, PNG, JPEG, TIFF or BMP as its first bytes say.

    Raises BadImageError for one that is too large, has several pages or a colour mode without gray, and whatever the
    decoder raises on damaged files; see ``failures.decoder_errors``.
    """
    with _no_truncated_images():
        image = _DECODERS[kind](file)
        bits = _bits_per_sample(image, file)
        stored_hw = _upright_size_hw(image, 1)
        check_size(stored_hw, max_pixels, path, bytes_per_pixel=_channels(image, file) * bits / 8)
        orientation = _orientation(image, file)
        size_hw = _upright_size_hw(image, orientation)
        if kind in ("TIFF", "PNG") and getattr(image, "is_animated", False):
            raise BadImageError(f"the {kind} file has several pages", where=path, remedy="Save the page you mean alone")
        check_coded_data(image, file, kind, max_pixels, path)
        white_is_zero = _is_white_zero(image)
        image.load()
    pixels, dtype = _unit_gray(image, file, bits, path)
    if white_is_zero:
        pixels = 1 - pixels
    if kind != "TIFF":  # Pillow has turned a TIFF file already
        pixels = np.ascontiguousarray(_UPRIGHT.get(orientation, np.asarray)(pixels))
    if pixels.shape != size_hw:
        raise BadImageError("header and pixels disagree on the size", where=path, got=pixels.shape, expected=size_hw)
    return Radiograph(pixels, None, None, name=path.name, source_dtype=dtype, remarks=tuple(remarks_on(pixels)))


def raster_size_hw(file: BinaryIO, kind: str) -> SizeHW:
    """(height, width) in px of the upright picture, from the header alone; raises as ``read_raster``."""
    image = _DECODERS[kind](file)
    return _upright_size_hw(image, _orientation(image, file))


def _unit_gray(image: ImageFile.ImageFile, file: BinaryIO, bits: int, path: Path) -> tuple[GrayImage, str]:
    """A loaded picture -> ((H, W) float32 in [0, 1], NumPy name of the stored samples)."""
    samples, mode = np.asarray(image), image.mode
    if mode == "I" and isinstance(image, PngImageFile):
        samples = samples.astype(np.uint16)  # how Pillow before 11 gives 16 bits
    if mode in ("L", "I") and isinstance(image, TiffImageFile):
        sample_format = image.tag_v2.get(_SAMPLE_FORMAT_TAG, (1,))[0]
        samples = samples.view(_REINTERPRETED.get((sample_format, bits), samples.dtype))
    if mode in _GRAY_MODES:
        return to_unit_range(samples), samples.dtype.name
    if mode in _FIRST_CHANNEL_MODES:
        samples = samples[..., 0]
    elif mode in _COLOR_MODES:
        colors = _sixteen_bit_colors(file, samples) if bits == 16 else samples
        return luma(colors) / np.float32(np.iinfo(colors.dtype).max), colors.dtype.name
    elif mode in _PALETTE_MODES:
        return _palette_gray(image)[samples if samples.ndim == 2 else samples[..., 0]], samples.dtype.name
    elif mode == "CMYK":
        return _cmyk_gray(samples), samples.dtype.name
    else:
        raise BadImageError("colour mode without a gray", where=path, got=mode, remedy="Save it as grayscale")
    return to_unit_range(samples), samples.dtype.name


def _palette_gray(image: ImageFile.ImageFile) -> GrayImage:
    """Gray of each palette entry, (256,) float32 in [0, 1]; entries that the file lacks are black."""
    entries = np.zeros(256 * 3, dtype=np.uint8)
    stored = image.getpalette("RGB") or []
    entries[: len(stored)] = stored
    grays: GrayImage = luma(entries.reshape(1, 256, 3))[0] / np.float32(255)
    return grays


def _cmyk_gray(samples: Array) -> GrayImage:
    """(H, W, 4) uint8 ink amounts -> (H, W) float32; each of red, green, blue is (1 - ink) (1 - black)."""
    light = np.float32(255) - samples
    return luma(light[..., :3] * light[..., 3:] / np.float32(255)) / np.float32(255)


def _sixteen_bit_colors(file: BinaryIO, colors: Array) -> Array:
    """(H, W, C) uint16 in the order of ``colors``, Pillow's 8-bit version, against which OpenCV's is checked."""
    from segtumor.system.opencv import cv2

    file.seek(0)
    decoded: Array | None = cv2.imdecode(np.frombuffer(file.read(), dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3 or decoded.shape[:2] != colors.shape[:2]:
        raise ValueError("16-bit colour that cannot be decoded")
    decoded = decoded[..., 2::-1]  # blue, green, red as OpenCV has them
    if not np.array_equal(decoded >> 8, colors[..., :3]):
        raise ValueError("16-bit colour that two decoders read differently")
    return decoded


def _orientation(image: ImageFile.ImageFile, file: BinaryIO) -> int:
    """EXIF orientation, 1..8; 1 where the file gives none."""
    if isinstance(image, PngImageFile):
        exif = Image.Exif()
        exif.load(png_exif(file))
    else:
        exif = Image.Exif() if isinstance(image, BmpImageFile) else image.getexif()
    orientation: int = exif.get(_ORIENTATION_TAG, 1)
    return orientation


def _upright_size_hw(image: ImageFile.ImageFile, orientation: int) -> SizeHW:
    width, height = image.size
    if isinstance(image, TiffImageFile):  # whether ``size`` is the upright one depends on Pillow's version
        width, height = image.tag_v2[_WIDTH_TAG], image.tag_v2[_HEIGHT_TAG]
    return (width, height) if orientation in (5, 6, 7, 8) else (height, width)


def _channels(image: ImageFile.ImageFile, file: BinaryIO) -> int:
    """Channels of the stored samples."""
    if isinstance(image, TiffImageFile):
        samples: int = image.tag_v2.get(_SAMPLES_PER_PIXEL_TAG, 1)
        return samples
    if isinstance(image, PngImageFile):
        file.seek(25)  # colour type, behind the bit depth
        return png_channels(file.read(1)[0])
    return len(image.getbands())


def _bits_per_sample(image: ImageFile.ImageFile, file: BinaryIO) -> int:
    if isinstance(image, TiffImageFile):
        bits: tuple[int, ...] = image.tag_v2.get(_BITS_PER_SAMPLE_TAG, (1,))
        return max(bits)
    if isinstance(image, PngImageFile):
        file.seek(24)  # bit depth in the header chunk, PNG clause 11.2.1
        return file.read(1)[0]
    return 8


def _is_white_zero(image: ImageFile.ImageFile) -> bool:
    """Whether a TIFF file counts from white and Pillow, which inverts up to 8 bits, leaves it so."""
    wide = image.mode.startswith(("I", "F"))
    return isinstance(image, TiffImageFile) and wide and image.tag_v2.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO
