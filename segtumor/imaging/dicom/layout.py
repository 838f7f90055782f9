"""The image pixel module (PS3.3 C.7.6.3) as checked whole numbers.

Refused: palette and subsampled native colour, and samples of other than 8, 16 or 32 bits.
"""

from dataclasses import dataclass

from segtumor.errors import BadImageError
from segtumor.imaging.dicom.elements import whole_number, word
from segtumor.imaging.dicom.frames.syntaxes import JPEG, JPEG_2000, NATIVE, RLE
from segtumor.imaging.radiograph import OneFrameError, check_size

KEYWORDS = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "ExtendedOffsetTable",
)  # fmt: skip
#: OverlayBitPosition of each overlay plane (retired): planes that lie in unused bits of the samples.
OVERLAY_TAGS = tuple(0x60000102 + (plane << 17) for plane in range(16))

INVERTED, UPRIGHT = "MONOCHROME1", "MONOCHROME2"
_MOST_FRAMES = 1_000_000

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
        samples: channels, 1 or 3.
        photometric: PhotometricInterpretation, one of those that are read.
        planar: whether native colour is stored channel by channel.
        allocated, stored, high: bits of a sample's container, bits used, and the highest used bit from 0.
        signed: whether samples are two's complement.
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
    def size_hw(self):
        """(height, width), px."""
        return self.rows, self.columns

    @property
    def frame_bytes(self):
        """Bytes of one uncompressed frame."""
        return self.rows * self.columns * self.samples * self.allocated // 8


def read_size_hw(header, path):
    """(height, width), px; raises BadImageError if either is no whole number from 0 to 65535."""
    if "Rows" not in header and "Columns" not in header:
        raise BadImageError("DICOM without a picture", where=path, remedy="Choose an image of the study")
    return tuple(whole_number(header, keyword, path, lowest=0, highest=0xFFFF) for keyword in ("Rows", "Columns"))


def read_layout(header, codec, max_pixels, path):
    """PixelLayout of a header.

    Raises:
        BadImageError: an element that is missing, no whole number or out of range, a picture that is empty or larger
            than ``max_pixels``, colours that are not read, or bit depths that contradict each other.
    """

    def number(keyword, lowest, highest, default=None):
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


def choose_frame(frames, frame, path):
    """The index to read.

    Raises:
        BadImageError: several frames and none chosen, or an index outside.
    """
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


def _check_color(samples, photometric, codec, path):
    gray = samples == 1 and photometric in (INVERTED, UPRIGHT)
    if not gray and not (samples == 3 and photometric in _COLORS.get(codec, ())):
        raise BadImageError(
            "DICOM that is neither gray nor RGB",
            where=path,
            expected="MONOCHROME1, MONOCHROME2 or RGB",
            remedy="Export it again as grayscale",
        )
