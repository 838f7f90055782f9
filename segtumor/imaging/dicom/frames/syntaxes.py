"""The transfer syntaxes that are read, an allow-list (DICOM PS3.5 annexes A and 10).

Left out, and refused: video, JPIP, deflated frames, JPEG XL, and the retired kinds of JPEG.
"""

from dataclasses import dataclass
from pathlib import Path

from segtumor.errors import BadImageError

#: How the pixels are coded: not at all, or by which family.
NATIVE, RLE, JPEG, JPEG_LOSSLESS, JPEG_LS, JPEG_2000 = (
    "native", "RLE", "JPEG", "lossless JPEG", "JPEG-LS", "JPEG 2000",
)  # fmt: skip


@dataclass(frozen=True)
class TransferSyntax:
    """How a data set is written: its codec, value representations, byte order, and whether it is deflated."""

    uid: str
    name: str
    codec: str = NATIVE
    implicit: bool = False
    little_endian: bool = True
    deflated: bool = False


_ALL = (
    TransferSyntax("1.2.840.10008.1.2", "Implicit VR Little Endian", implicit=True),
    TransferSyntax("1.2.840.10008.1.2.1", "Explicit VR Little Endian"),
    TransferSyntax("1.2.840.10008.1.2.2", "Explicit VR Big Endian", little_endian=False),
    TransferSyntax("1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian", deflated=True),
    TransferSyntax("1.2.840.10008.1.2.5", "RLE Lossless", RLE),
    TransferSyntax("1.2.840.10008.1.2.4.50", "JPEG Baseline (Process 1)", JPEG),
    TransferSyntax("1.2.840.10008.1.2.4.51", "JPEG Extended (Process 2 and 4)", JPEG),
    TransferSyntax("1.2.840.10008.1.2.4.57", "JPEG Lossless (Process 14)", JPEG_LOSSLESS),
    TransferSyntax("1.2.840.10008.1.2.4.70", "JPEG Lossless (Process 14, Selection Value 1)", JPEG_LOSSLESS),
    TransferSyntax("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless", JPEG_LS),
    TransferSyntax("1.2.840.10008.1.2.4.81", "JPEG-LS Near-lossless", JPEG_LS),
    TransferSyntax("1.2.840.10008.1.2.4.90", "JPEG 2000 Lossless", JPEG_2000),
    TransferSyntax("1.2.840.10008.1.2.4.91", "JPEG 2000", JPEG_2000),
    TransferSyntax("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 Lossless", JPEG_2000),
    TransferSyntax("1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 RPCL Lossless", JPEG_2000),
    TransferSyntax("1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000", JPEG_2000),
)

SYNTAXES = {syntax.uid: syntax for syntax in _ALL}


def find_syntax(uid: str, path: Path) -> TransferSyntax:
    """The TransferSyntax of ``uid``; raises BadImageError for another, which is only quoted if it is registered."""
    if uid in SYNTAXES:
        return SYNTAXES[uid]
    from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]  # documented, but not in its __all__

    known = UID_dictionary.get(uid)
    raise BadImageError(
        "DICOM in a transfer syntax that is not supported",
        where=path,
        got=known[0] if known else "none or an unknown one",
        expected="uncompressed, deflated, RLE, JPEG, JPEG-LS or JPEG 2000",
        remedy="Export it again as uncompressed DICOM or as PNG",
    )
