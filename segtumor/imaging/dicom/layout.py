"""The image pixel module (PS3.3 C.7.6.3) as checked whole numbers, and the pixel spacing (PS3.3 10.7.1).

Refused: palette and subsampled native colour, and samples of other than 8, 16 or 32 bits.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segtumor.arrays import SizeHW, Spacing
from segtumor.errors import BadImageError
from segtumor.imaging.dicom.elements import numbers, whole_number, word
from segtumor.imaging.dicom.frames.syntaxes import JPEG, JPEG_2000, NATIVE, RLE
from segtumor.imaging.radiograph import AT_DETECTOR, CALIBRATED, UNKNOWN, OneFrameError, check_size

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

KEYWORDS = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "ExtendedOffsetTable",
)  # fmt: skip
SPACING_KEYWORDS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelSpacingCalibrationType")
#: OverlayBitPosition of each overlay plane (retired): planes that lie in unused bits of the samples.
OVERLAY_TAGS = tuple(0x60000102 + (plane << 17) for plane in range(16))

INVERTED, UPRIGHT = "MONOCHROME1", "MONOCHROME2"
_MOST_FRAMES = 1_000_000

#: A radiograph's pixels lie far inside; a number outside is an error, such as metres for millimetres.
_SMALLEST_MM, _LARGEST_MM = 1e-3, 10.0
_CALIBRATIONS = ("GEOMETRY", "FIDUCIAL")
#: Two writings of one number differ by less, and a magnification by more.
_SAME = 2e-3

#: Codec -> three-channel colours that it may hold, and that are turned to gray here.
_COLORS = {
    NATIVE: ("RGB", "YBR_FULL"),
    RLE: ("RGB", "YBR_FULL"),
    JPEG: ("RGB", "YBR_FULL", "YBR_FULL_422"),
    JPEG_2000: ("RGB", "YBR_RCT", "YBR_ICT"),
}


@dataclass(frozen=True)
class PixelLayout:
    """Shape and sample format of the stored pixels.

    Attributes:
        rows, columns, frames: all at least 1.
        photometric: PhotometricInterpretation, one of those that are read.
        planar: whether native colour is stored channel by channel.
        allocated, stored, high: bits of a sample's container, bits used, and the highest used bit from 0.
    """

    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    planar: bool
    allocated: int
    stored: int
    high: int
    signed: bool

    @property
    def size_hw(self) -> SizeHW:
        """(height, width), px."""
        return self.rows, self.columns

    @property
    def frame_bytes(self) -> int:
        """Bytes of one uncompressed frame."""
        return self.rows * self.columns * self.samples * self.allocated // 8


def read_size_hw(header: "Dataset", path: Path) -> SizeHW:
    """(height, width), px; raises BadImageError if either is not a whole number from 0 to 65535."""
    if "Rows" not in header and "Columns" not in header:
        raise BadImageError("DICOM without a picture", where=path, remedy="Choose an image of the study")
    rows, columns = (whole_number(header, name, path, lowest=0, highest=0xFFFF) for name in ("Rows", "Columns"))
    return rows, columns


def read_layout(header: "Dataset", codec: str, max_pixels: int, path: Path) -> PixelLayout:
    """PixelLayout of a header; raises BadImageError for one that contradicts itself, is not read, or is too large."""

    def number(keyword: str, lowest: int, highest: int, default: int | None = None) -> int:
        return whole_number(header, keyword, path, lowest=lowest, highest=highest, default=default)

    rows, columns = read_size_hw(header, path)
    samples, photometric = number("SamplesPerPixel", 1, 0xFFFF, 1), word(header, "PhotometricInterpretation")
    _check_color(samples, photometric, codec, path)
    allocated = number("BitsAllocated", 1, 64)
    if allocated not in (8, 16, 32):
        raise BadImageError("DICOM sample size", where=path, got=allocated, expected="8, 16 or 32 bits")
    check_size((rows, columns), max_pixels, path, bytes_per_pixel=samples * allocated // 8)
    stored = number("BitsStored", 1, 64, allocated)
    high = number("HighBit", 0, 63, stored - 1)
    if not 0 < stored <= high + 1 <= allocated:
        raise BadImageError(
            "DICOM bit depths contradict each other", where=path, got=f"{stored} of {allocated}, HighBit {high}"
        )
    return PixelLayout(
        rows,
        columns,
        frames=number("NumberOfFrames", 0, _MOST_FRAMES, 1) or 1,  # 0 where a writer means one
        samples=samples,
        photometric=photometric,
        planar=samples == 3 and number("PlanarConfiguration", 0, 1, 0) == 1,
        allocated=allocated,
        stored=stored,
        high=high,
        signed=number("PixelRepresentation", 0, 1, 0) == 1,
    )


def choose_frame(frames: int, frame: int | None, path: Path) -> int:
    """The index to read; raises BadImageError for several frames and none chosen, or an index outside."""
    if frame is None and frames > 1:
        raise BadImageError(
            "DICOM with several frames",
            where=path,
            got=frames,
            expected="one, or a chosen one",
            remedy=f"Choose one from 0 to {frames - 1}: --frame 0, in Python read_radiograph(path, frame=0)",
        )
    index = 0 if frame is None else frame
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < frames:
        kind = OneFrameError if frames == 1 else BadImageError
        raise kind("there is no such frame", where=path, got=frame, expected=f"0 to {frames - 1}")
    return index


def _check_color(samples: int, photometric: str, codec: str, path: Path) -> None:
    gray = samples == 1 and photometric in (INVERTED, UPRIGHT)
    if not gray and not (samples == 3 and photometric in _COLORS.get(codec, ())):
        raise BadImageError(
            "DICOM that is neither gray nor RGB",
            where=path,
            expected="MONOCHROME1, MONOCHROME2 or RGB",
            remedy="Export it again as grayscale",
        )


def read_spacing(header: "Dataset") -> tuple[Spacing | None, str | None, list[str]]:
    """(spacing_mm, spacing_source, remarks); (None, None, remarks) if the file gives no usable spacing.

    PixelSpacing alone may be the distance at the detector or a calibrated one, and the header does not say which: only
    a calibration type, or another value than that of the detector or of the scanned film, makes it calibrated (PS3.3
    10.7.1.3). Left out: magnification factors and spatial registration.
    """
    remarks: list[str] = []
    pixel, imager, film = (_spacing_values(header, keyword, remarks) for keyword in SPACING_KEYWORDS[:3])
    detector = imager or film
    if pixel is None:
        return detector, AT_DETECTOR if detector else None, remarks
    if word(header, "PixelSpacingCalibrationType") in _CALIBRATIONS:
        return pixel, CALIBRATED, remarks
    if detector is None:
        return pixel, UNKNOWN, remarks
    same = all(math.isclose(first, second, rel_tol=_SAME) for first, second in zip(pixel, detector, strict=True))
    return (detector, AT_DETECTOR, remarks) if same else (pixel, CALIBRATED, remarks)


def _spacing_values(header: "Dataset", keyword: str, remarks: list[str]) -> Spacing | None:
    found = numbers(header, keyword)
    if not found:
        return None
    sound = [number for number in found if number is not None and _SMALLEST_MM <= number <= _LARGEST_MM]
    if len(sound) == len(found) == 2:
        return sound[0], sound[1]
    remarks.append(f"DICOM {keyword} is not two positive numbers and is ignored")
    return None
