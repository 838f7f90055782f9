"""Headers that contradict their pixels: refused, for what is read otherwise is another picture; padding is none."""

import struct

import numpy as np
import pytest
from imaging_files import GRAY, dicom_bytes

from segtumor.errors import BadImageError
from segtumor.imaging import normalize_window, read_radiograph
from segtumor.imaging.dicom.frames.codestreams import end_of_codestream
from segtumor.imaging.dicom.frames.syntaxes import SYNTAXES as SYNTAXES_OF_CODECS

pytest.importorskip("pydicom")
from dicom_codecs import LOSSLESS, UIDS, codestream, compressed_dicom_bytes

PICTURE = np.kron(GRAY, np.ones((8, 8), np.uint8))  # 40 x 48
PICTURE16 = PICTURE.astype(np.uint16) * 257
PICTURE12 = PICTURE.astype(np.uint16) << 4
TWELVE = {"BitsStored": 12, "HighBit": 11}
SYNTAXES = {"implicit": "", "explicit": ".1", "big endian": ".2", "deflated": ".1.99"}
GRAIN = np.clip(np.add.outer(np.arange(64) * 40, np.arange(64) * 20) + np.arange(4096).reshape(64, 64) % 37, 0, 4095)
GRAIN = GRAIN.astype(np.uint16)


def read(folder, data, **options):
    (folder / "picture.dcm").write_bytes(data)
    return read_radiograph(folder / "picture.dcm", **options)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    "elements",
    [
        {"Columns": 47}, {"Columns": 46}, {"Columns": 40}, {"Columns": 25}, {"Columns": 49}, {"Columns": 1},
        {"Rows": 39}, {"Rows": 30}, {"Rows": 21}, {"Rows": 41}, {"Rows": 39, "Columns": 47},
        {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, {"BitsAllocated": 32},
        {"NumberOfFrames": 2}, {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"},
    ],
    ids=str,
)  # fmt: skip
def test_uncompressed_pixels_of_another_size_are_refused(syntax, elements, tmp_path):
    data = dicom_bytes(PICTURE16, syntax=f"1.2.840.10008.1.2{SYNTAXES[syntax]}", **elements)
    with pytest.raises(BadImageError, match="another size than the header says"):
        read(tmp_path, data, frame=0)


@pytest.mark.parametrize("frames", [1, 3])
def test_frames_are_counted_in_the_size(frames, tmp_path):
    data = dicom_bytes(PICTURE, PixelData=PICTURE.tobytes() * 2, NumberOfFrames=frames)
    with pytest.raises(BadImageError, match="another size"):
        read(tmp_path, data, frame=0)


@pytest.mark.parametrize("padding", [b"", b"\0", b"\0\0", b"\xff", bytes(48)])
def test_a_byte_or_two_or_a_black_row_behind_the_pixels_are_padding(padding, tmp_path):
    data = dicom_bytes(PICTURE, PixelData=PICTURE.tobytes() + padding)
    np.testing.assert_array_equal(read(tmp_path, data).pixels, read(tmp_path, dicom_bytes(PICTURE)).pixels)


@pytest.mark.parametrize("surplus", [b"\1" * 48, bytes(4), bytes(46), bytes(96)])
def test_more_than_padding_is_refused(surplus, tmp_path):
    with pytest.raises(BadImageError, match="another size"):
        read(tmp_path, dicom_bytes(PICTURE, PixelData=PICTURE.tobytes() + surplus))


@pytest.mark.parametrize("codec", UIDS)
@pytest.mark.parametrize("elements", [{"Columns": 47}, {"Columns": 24}, {"Rows": 39}, {"Rows": 41}], ids=str)
def test_compressed_frames_of_another_size_are_refused(codec, elements, tmp_path):
    with pytest.raises(BadImageError, match=r"another size|damaged RLE"):
        read(tmp_path, compressed_dicom_bytes(PICTURE, codec, **elements))


@pytest.mark.parametrize("codec", ["RLE", "JPEG baseline", "JPEG 2000"])
def test_compressed_colour_called_gray_is_refused(codec, tmp_path):
    frame = codestream(np.stack([PICTURE] * 3, -1), codec)
    with pytest.raises(BadImageError, match=r"another size|RLE segments"):
        read(tmp_path, dicom_bytes(PICTURE, syntax=UIDS[codec], fragments=[frame]))


@pytest.mark.parametrize("codec", LOSSLESS)
def test_frames_of_more_bits_than_allocated_are_refused(codec, tmp_path):
    with pytest.raises(BadImageError, match=r"bit depth|RLE segments"):
        read(tmp_path, dicom_bytes(PICTURE, syntax=UIDS[codec], fragments=[codestream(PICTURE16, codec)]))


@pytest.mark.parametrize("codec", LOSSLESS)
def test_samples_beyond_the_bits_of_the_header_are_refused(codec, tmp_path):
    frame = codestream(PICTURE16, codec)
    with pytest.raises(BadImageError, match="more bits than the header says"):
        read(tmp_path, dicom_bytes(PICTURE16, syntax=UIDS[codec], fragments=[frame], **TWELVE))
    fitting = dicom_bytes(PICTURE12, syntax=UIDS[codec], fragments=[codestream(PICTURE12, codec)], **TWELVE)
    np.testing.assert_allclose(read(tmp_path, fitting).pixels, normalize_window(PICTURE), atol=1e-6)


WITH_END_MARK = [codec for codec in UIDS if codec != "RLE"]


def ended(codec):
    """A frame up to its end mark."""
    frame = codestream(PICTURE, codec)
    return frame[: frame.rindex(b"\xff\xd9") + 2]


@pytest.mark.parametrize("codec", WITH_END_MARK)
def test_what_fills_up_behind_the_end_mark_is_padding(codec):
    frame, family = ended(codec), SYNTAXES_OF_CODECS[UIDS[codec]].codec
    for padding in (b"", b"\0", b"\xff", b"\x55", b"\xff\0", bytes(20), b"\xff" * 7):
        assert end_of_codestream(frame + padding, family, "a.dcm") == len(frame)
    for more, word in ((frame, "more than one frame"), (b"\0" + frame, "more than one frame"), (b"abc", "damaged")):
        with pytest.raises(BadImageError, match=word):
            end_of_codestream(frame + more, family, "a.dcm")


@pytest.mark.parametrize("codec", WITH_END_MARK)
def test_a_frame_with_a_byte_of_padding_in_two_fragments(codec, tmp_path):
    padded = ended(codec) + b"\xff"
    data = dicom_bytes(PICTURE, syntax=UIDS[codec], fragments=[padded[:100], padded[100:]])
    np.testing.assert_allclose(read(tmp_path, data).pixels, normalize_window(PICTURE), atol=1 / 64)


@pytest.mark.parametrize("codec", UIDS)
def test_a_second_frame_that_the_header_does_not_count_is_refused(codec, tmp_path):
    frames = [codestream(PICTURE, codec), codestream(255 - PICTURE, codec)]
    data = dicom_bytes(PICTURE, syntax=UIDS[codec], fragments=frames)
    with pytest.raises(BadImageError, match=r"more than one frame|damaged RLE"):
        read(tmp_path, data)
    at = data.index(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)) + 12
    without_offsets = data[:at] + struct.pack("<HHI", 0xFFFE, 0xE000, 0) + data[at + 16 :]
    with pytest.raises(BadImageError, match=r"more than one frame|damaged RLE"):
        read(tmp_path, without_offsets)


def with_overlay(data):
    """The file with OverlayBitPosition 15, retired, in front of its pixels."""
    pixels = struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW")
    return data.replace(pixels, struct.pack("<HH2sHH", 0x6000, 0x0102, b"US", 2, 15) + pixels)


BITS = {
    "16 bits called 12": (lambda: dicom_bytes(PICTURE16, **TWELVE), None),
    "12 bits called 8": (lambda: dicom_bytes(PICTURE12, BitsStored=8, HighBit=7), None),
    "right-aligned called left-aligned": (lambda: dicom_bytes(PICTURE12 + 1, BitsStored=12, HighBit=15), PICTURE),
    "signed beyond the bits": (
        lambda: dicom_bytes(PICTURE.astype(np.int16) * 20 - 2560, **TWELVE, PixelRepresentation=1), None,
    ),
    "signed": (lambda: dicom_bytes(PICTURE.astype(np.int16) * 16 - 2048, **TWELVE, PixelRepresentation=1), PICTURE),
    "signed without its extension": (
        lambda: dicom_bytes(((PICTURE.astype(np.int16) * 16 - 2048) & 0xFFF).astype(np.int16), **TWELVE), PICTURE,
    ),
    "negative called unsigned": (
        lambda: dicom_bytes(PICTURE.astype(np.int16) * 16 - 2048, **TWELVE, PixelRepresentation=0), None,
    ),
    "constant bits above": (lambda: dicom_bytes(PICTURE12 | 0xF000, **TWELVE), PICTURE),
    "an overlay that the header names": (
        lambda: with_overlay(dicom_bytes(PICTURE12 | (PICTURE16 & 0x8000), **TWELVE)), PICTURE,
    ),
    "an overlay that no header names": (lambda: dicom_bytes(PICTURE12 | (PICTURE16 & 0x8000), **TWELVE), None),
}  # fmt: skip


@pytest.mark.parametrize("case", BITS)
def test_bits_beyond_those_that_the_header_counts(case, tmp_path):
    make, expected = BITS[case]
    if expected is None:
        with pytest.raises(BadImageError, match="more bits than the header says"):
            read(tmp_path, make())
    else:
        np.testing.assert_allclose(read(tmp_path, make()).pixels, normalize_window(expected), atol=1e-6)


@pytest.mark.parametrize(
    "codec", ["JPEG lossless SV1", "JPEG lossless", "JPEG-LS", "JPEG 2000", "JPEG 2000 lossless", "RLE"]
)
def test_damage_in_the_middle_of_a_frame_is_refused(codec, tmp_path):
    frame = codestream(GRAIN, codec, 12)
    middle = len(frame) // 2
    for damaged in (frame[:middle] + bytes(200) + frame[middle + 200 :], frame[:middle] + frame[middle + 200 :]):
        with pytest.raises(BadImageError, match=r"damaged|more bits"):
            read(tmp_path, dicom_bytes(GRAIN, syntax=UIDS[codec], fragments=[damaged], **TWELVE))


@pytest.mark.parametrize("codec", [*LOSSLESS, "JPEG 2000", "JPEG baseline"])
def test_black_frames_are_not_taken_for_damaged(codec, tmp_path):
    black = np.zeros((256, 256), np.uint8)
    radiograph = read(tmp_path, compressed_dicom_bytes(black, codec))
    assert not radiograph.pixels.any()
    assert "no contrast" in radiograph.remarks[0]
