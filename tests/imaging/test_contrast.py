"""Pictures that can hardly be radiographs are read, and their remark says what they are; ordinary ones have none."""

import io

import numpy as np
import pytest
from imaging_files import dicom_bytes
from PIL import Image

from segtumor.imaging import read_radiograph
from segtumor.imaging.contrast import remarks_on

RNG = np.random.default_rng(8)
ORDINARY = np.clip(np.add.outer(np.arange(64) * 2, np.arange(80)) + RNG.normal(0, 4, (64, 80)), 0, 255).astype(np.uint8)
FLAT = np.full((64, 80), 7, np.uint8)
TWO = np.where(ORDINARY > 90, 255, 0).astype(np.uint8)


def with_specks(count):
    picture = FLAT.copy()
    picture.ravel()[:: FLAT.size // count] = np.arange(count + 1)[: len(picture.ravel()[:: FLAT.size // count])] * 2
    return picture


PICTURES = {
    "ordinary": (ORDINARY, None),
    "few levels, but enough": (ORDINARY // 6 * 6, None),
    "a tenth of its contrast": (ORDINARY // 10 + 100, "gray values"),
    "on a black ground": (np.where(np.arange(80) < 70, 0, ORDINARY).astype(np.uint8), None),
    "flat": (FLAT, "no contrast: every pixel has the same gray value"),
    "black": (FLAT * 0, "no contrast: every pixel"),
    "one pixel differs": (np.where(np.arange(5120).reshape(64, 80) == 77, 200, FLAT).astype(np.uint8), "nearly every"),
    "some pixels differ": (with_specks(20), "nearly every pixel"),
    "two levels": (TWO, "only 2 gray values"),
    "four levels": (ORDINARY // 64 * 64, "only 4 gray values"),
    "3 x 3 px": (ORDINARY[:3, :3], "a picture of only 3 x 3 px"),
    "a little of it white": (np.where(np.arange(80) < 2, 255, ORDINARY).astype(np.uint8), None),
    "much of it white": (np.where(np.arange(80) < 20, 255, ORDINARY).astype(np.uint8), "plain white: 2"),
    "narrow": (ORDINARY[:, :20], "a picture of only 20 x 64 px"),
}


@pytest.mark.parametrize("case", PICTURES)
def test_remarks(case):
    picture, word = PICTURES[case]
    found = remarks_on(picture / np.float32(255))
    if word is None:
        assert found == []
    else:
        assert word in found[0]


@pytest.mark.parametrize(("bits", "offset"), [(8, 0), (10, 0), (10, 32768), (12, 0), (12, 4096), (16, 0)])
def test_plain_white_is_white_in_files_of_more_bits_than_they_use(bits, offset):
    picture = (ORDINARY / 255 * (2**bits - 1) + offset).astype(np.uint16)
    container = np.float32(255 if bits == 8 else 65535)
    assert remarks_on(picture / container) == []
    picture[:, :20] = picture.max()
    assert "plain white: 2" in remarks_on(picture / container)[0]


def test_a_large_picture_is_looked_at_in_samples_and_a_speck_between_them_counts():
    large = np.zeros((2000, 2000), np.float32)
    assert remarks_on(large) == ["no contrast: every pixel has the same gray value"]
    large[1, 1] = 1
    assert "nearly every pixel" in remarks_on(large)[0]
    large[:] = np.linspace(0, 1, 2000)
    assert remarks_on(large) == []


def encoded(file_format, picture, mode="L"):
    buffer = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(buffer, file_format)
    return buffer.getvalue()


KINDS = {
    **{f: (lambda picture, f=f: encoded(f, picture)) for f in ("PNG", "JPEG", "TIFF", "BMP")},
    "DICOM": dicom_bytes,
    "DICOM with a window": lambda picture: dicom_bytes(picture, WindowCenter=128, WindowWidth=256),
    "DICOM, colour": lambda picture: dicom_bytes(np.stack([picture] * 3, -1)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_flat_picture_of_every_kind_has_a_remark_and_is_read(kind, tmp_path, caplog):
    if "DICOM" in kind:
        pytest.importorskip("pydicom")
    (tmp_path / "a").write_bytes(KINDS[kind](FLAT))
    radiograph = read_radiograph(tmp_path / "a")
    assert radiograph.remarks == ("no contrast: every pixel has the same gray value",)
    assert radiograph.remarks[0] in caplog.text
    caplog.clear()
    assert read_radiograph(tmp_path / "a", log=False).remarks
    assert caplog.text == ""
    (tmp_path / "a").write_bytes(KINDS[kind](ORDINARY))
    assert read_radiograph(tmp_path / "a").remarks == ()


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP"])
def test_one_bit_has_a_remark(file_format, tmp_path):
    (tmp_path / "a").write_bytes(encoded(file_format, TWO, "1"))
    assert read_radiograph(tmp_path / "a").remarks == ("hardly any contrast: only 2 gray values",)
