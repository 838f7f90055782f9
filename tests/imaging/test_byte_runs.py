"""RLE: by eye, and against pydicom's own decoder."""

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
from dicom_codecs import UIDS, codestream  # noqa: E402 - needs pydicom
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.pixels import get_decoder  # noqa: E402

from segtumor.imaging.dicom.frames.byte_runs import decode_rle, unpack_runs  # noqa: E402
from segtumor.imaging.dicom.layout import PixelLayout  # noqa: E402


@pytest.mark.parametrize(
    ("packed", "unpacked", "rest"),
    [
        (b"", b"", b""),
        (b"\x02abc", b"abc", b""),
        (b"\xfea", b"aaa", b""),
        (b"\x80\x80\x00a", b"a", b""),
        (b"\xfea\x01bc\x00", b"aaabc", b""),
        (b"\x05ab", b"ab", b""),  # cut off
        (b"\x81a\x00b", b"a" * 128, b"\x00b"),  # more than wanted
    ],
)
def test_runs(packed, unpacked, rest):
    assert unpack_runs(packed, 9) == (unpacked, rest)


@pytest.mark.parametrize("bits", [8, 16])
def test_frames_agree_with_pydicom(bits):
    rng = np.random.default_rng(bits)
    stored = np.repeat(rng.integers(0, 2**bits, (7, 5)), 3, axis=1).astype(f"u{bits // 8}")
    data = codestream(stored, "RLE")
    layout = PixelLayout(7, 15, 1, 1, "MONOCHROME2", False, bits, bits, bits - 1, False)
    theirs, _ = get_decoder(UIDS["RLE"]).as_array(
        encapsulate([data]), decoding_plugin="pydicom", rows=7, columns=15, number_of_frames=1, samples_per_pixel=1,
        photometric_interpretation="MONOCHROME2", bits_allocated=bits, bits_stored=bits, pixel_representation=0,
        pixel_keyword="PixelData",
    )  # fmt: skip
    ours = decode_rle(data, layout, "picture")
    np.testing.assert_array_equal(ours, stored)
    np.testing.assert_array_equal(ours, theirs)
