"""DICOM: value by value against PS3.3, with pydicom's own windowing as second opinion."""

import struct
import sys

import numpy as np
import pytest
from imaging_files import GRAY, dicom_bytes, replace_syntax

from segtumor.errors import BadImageError, InstallationError
from segtumor.imaging import AT_DETECTOR, CALIBRATED, UNKNOWN, normalize_window, read_radiograph, read_size_hw
from segtumor.imaging.dicom import apply_window

pydicom = pytest.importorskip("pydicom")

IMPLICIT, EXPLICIT, BIG = (f"1.2.840.10008.1.2{rest}" for rest in ("", ".1", ".2"))
GRAY16 = GRAY.astype(np.uint16) * 257
UNIT = GRAY / 255
FULL_WINDOW = {"WindowCenter": 127.5, "WindowWidth": 255, "VOILUTFunction": "LINEAR_EXACT"}


def read(folder, data, name="picture.dcm"):
    (folder / name).write_bytes(data)
    return read_radiograph(folder / name)


def with_window(stored=GRAY, **elements):
    return dicom_bytes(stored, **(FULL_WINDOW | elements))


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG])
@pytest.mark.parametrize(
    "stored",
    [GRAY, GRAY16, GRAY16.astype(np.uint32) * 7, GRAY.astype(np.int16) * 100 - 9000],
    ids=lambda a: a.dtype.name,
)
def test_without_a_window_percentiles_are_used(stored, syntax, tmp_path):
    radiograph = read(tmp_path, dicom_bytes(stored, syntax=syntax))
    assert radiograph.source_dtype == stored.dtype.name
    assert (radiograph.spacing_mm, radiograph.spacing_source) == (None, None)
    np.testing.assert_allclose(radiograph.pixels, normalize_window(GRAY), atol=1e-5)
    assert read_size_hw(tmp_path / "picture.dcm") == GRAY.shape


def test_the_mark_is_enough_without_the_suffix(tmp_path):
    np.testing.assert_allclose(read(tmp_path, with_window(), "IM0001").pixels, UNIT, atol=1e-6)


@pytest.mark.parametrize(
    ("elements", "inverted"),
    [
        ({}, False),
        ({"PhotometricInterpretation": "MONOCHROME1"}, True),
        ({"PresentationLUTShape": "INVERSE"}, True),
        ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}, True),
        ({"PresentationLUTShape": "IDENTITY"}, False),
    ],
)
def test_inversion_happens_once(elements, inverted, tmp_path):
    pixels = read(tmp_path, with_window(**elements)).pixels
    np.testing.assert_allclose(pixels, 1 - UNIT if inverted else UNIT, atol=1e-6)


@pytest.mark.parametrize(
    ("stored", "elements"),
    [
        ((GRAY16 >> 4) | 0xF000, {"BitsStored": 12, "HighBit": 11}),  # an overlay in the four unused bits
        ((GRAY16 >> 4) << 4, {"BitsStored": 12, "HighBit": 15}),  # the old, left-aligned form
    ],
)
def test_unused_bits_are_removed(stored, elements, tmp_path):
    window = {"WindowCenter": 2047.5, "WindowWidth": 4095}
    np.testing.assert_allclose(read(tmp_path, with_window(stored, **elements, **window)).pixels, UNIT, atol=1e-3)


def test_signed_samples_keep_their_sign(tmp_path):
    stored = ((GRAY.astype(np.int16) - 128) & 0x0FFF).astype(np.int16)
    data = with_window(stored, BitsStored=12, HighBit=11, WindowCenter=-0.5)
    np.testing.assert_allclose(read(tmp_path, data).pixels, UNIT, atol=1e-6)


def test_the_window_is_in_rescaled_units(tmp_path):
    data = with_window(RescaleSlope=2, RescaleIntercept=-100, WindowCenter=155, WindowWidth=510)
    np.testing.assert_allclose(read(tmp_path, data).pixels, UNIT, atol=1e-6)


def test_the_first_of_several_windows_is_used(tmp_path):
    data = with_window(WindowCenter=[127.5, 10], WindowWidth=[255, 5])
    np.testing.assert_allclose(read(tmp_path, data).pixels, UNIT, atol=1e-6)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_agree_with_pydicom(function):
    dataset = pydicom.Dataset()
    dataset.PhotometricInterpretation, dataset.BitsStored, dataset.PixelRepresentation = "MONOCHROME2", 8, 0
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = 100, 60, function
    theirs = pydicom.pixels.apply_windowing(GRAY, dataset) / 255
    np.testing.assert_allclose(apply_window(GRAY, 100, 60, function), theirs, atol=1e-6)


def test_a_window_of_width_one_is_a_threshold():
    np.testing.assert_array_equal(apply_window(np.array([[1, 2, 3]]), 2, 1), [[0, 1, 1]])


def test_rescaling_that_takes_gray_values_together_is_named(tmp_path):
    radiograph = read(tmp_path, dicom_bytes(GRAY, RescaleSlope=1, RescaleIntercept="1e17"))
    assert "neighbouring gray values" in radiograph.remarks[0]
    np.testing.assert_allclose(radiograph.pixels, normalize_window(GRAY // 16), atol=0.07)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG])
@pytest.mark.parametrize("width_of_data", ["US", "OW"])
def test_a_voi_table_is_preferred_to_the_window(syntax, width_of_data, tmp_path):
    square = [level * level for level in range(256)]
    order = ">" if syntax == BIG else "<"
    data = square if width_of_data == "US" else struct.pack(order + "256H", *square)
    table = {"LUTDescriptor": ("US", [256, 0, 16]), "LUTData": (width_of_data, data)}
    pixels = read(tmp_path, dicom_bytes(syntax=syntax, sequences={"VOILUTSequence": [table]}, **FULL_WINDOW)).pixels
    np.testing.assert_allclose(pixels, np.square(GRAY / 1.0) / 65535, atol=1e-6)


def test_an_eight_bit_table_does_not_wrap_twelve_bit_values(tmp_path):
    table = {"LUTDescriptor": ("US", [4096, 0, 8]), "LUTData": ("US", [value >> 4 for value in range(4096)])}
    data = dicom_bytes(GRAY16 >> 4, sequences={"VOILUTSequence": [table]}, BitsStored=12, HighBit=11)
    np.testing.assert_allclose(read(tmp_path, data).pixels, UNIT, atol=1e-3)


def test_a_modality_table_comes_before_the_window_and_clamps_at_its_ends(tmp_path):
    table = {"LUTDescriptor": ("US", [3, 100, 16]), "LUTData": ("US", [10, 20, 30]), "ModalityLUTType": "US"}
    stored = np.array([[0, 100, 101, 102, 200]], np.uint8)
    data = dicom_bytes(
        stored, sequences={"ModalityLUTSequence": [table]}, **(FULL_WINDOW | {"WindowWidth": 40, "WindowCenter": 20})
    )
    np.testing.assert_allclose(read(tmp_path, data).pixels, [[0.25, 0.25, 0.5, 0.75, 0.75]], atol=1e-6)


def test_colour_becomes_luma(tmp_path):
    primaries = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]], np.uint8)
    np.testing.assert_allclose(
        read(tmp_path, dicom_bytes(primaries)).pixels, [[0.299, 0.587, 0.114, 9 / 255]], atol=1e-6
    )


FIFTEEN, TEN = [0.15, 0.15], [0.1, 0.1]


@pytest.mark.parametrize(
    ("elements", "spacing_mm", "source"),
    [
        ({}, None, None),
        ({"PixelSpacing": [0.1, 0.2]}, (0.1, 0.2), UNKNOWN),
        ({"PixelSpacing": TEN, "PixelSpacingCalibrationType": "FIDUCIAL"}, (0.1, 0.1), CALIBRATED),
        ({"PixelSpacing": TEN, "PixelSpacingCalibrationType": "GEOMETRY"}, (0.1, 0.1), CALIBRATED),
        ({"PixelSpacing": TEN, "PixelSpacingCalibrationType": "NONE"}, (0.1, 0.1), UNKNOWN),
        ({"PixelSpacing": TEN, "PixelSpacingCalibrationType": ""}, (0.1, 0.1), UNKNOWN),
        ({"PixelSpacing": TEN, "EstimatedRadiographicMagnificationFactor": 1.1}, (0.1, 0.1), UNKNOWN),
        ({"ImagerPixelSpacing": [0.15, 0.16]}, (0.15, 0.16), AT_DETECTOR),
        ({"PixelSpacing": TEN, "ImagerPixelSpacing": FIFTEEN}, (0.1, 0.1), CALIBRATED),
        ({"PixelSpacing": FIFTEEN, "ImagerPixelSpacing": FIFTEEN}, (0.15, 0.15), AT_DETECTOR),
        ({"PixelSpacing": ["0.1500001"] * 2, "ImagerPixelSpacing": FIFTEEN}, (0.15, 0.15), AT_DETECTOR),
        (
            {"PixelSpacing": TEN, "ImagerPixelSpacing": TEN, "PixelSpacingCalibrationType": "FIDUCIAL"},
            (0.1, 0.1),
            CALIBRATED,
        ),
        ({"NominalScannedPixelSpacing": [0.17, 0.18]}, (0.17, 0.18), AT_DETECTOR),  # of a scanned film
        ({"PixelSpacing": TEN, "NominalScannedPixelSpacing": TEN}, (0.1, 0.1), AT_DETECTOR),
        ({"PixelSpacing": TEN, "NominalScannedPixelSpacing": FIFTEEN}, (0.1, 0.1), CALIBRATED),
        ({"PixelSpacing": []}, None, None),
        ({"PixelAspectRatio": [1, 2]}, None, None),
    ],
)
def test_spacing_names_its_source(elements, spacing_mm, source, tmp_path):
    radiograph = read(tmp_path, with_window(**elements))
    assert (radiograph.spacing_mm, radiograph.spacing_source) == (spacing_mm, source)


@pytest.mark.parametrize("bad", [[0, 0], [-0.1, 0.1], ["nan", 0.1], ["inf", 0.1], [0.1], [0.1, 0.1, 0.1]])
def test_spacing_that_makes_no_sense_is_ignored_with_a_remark(bad, tmp_path):
    radiograph = read(tmp_path, with_window(PixelSpacing=bad, ImagerPixelSpacing=[0.2, 0.2]))
    assert (radiograph.spacing_mm, radiograph.spacing_source) == ((0.2, 0.2), AT_DETECTOR)
    assert "PixelSpacing is not two positive numbers" in radiograph.remarks[0]


def with_text(keyword):
    elements = {"RescaleSlope": 1, "RescaleIntercept": 0} | {keyword: 1234567}
    return with_window(**elements).replace(b"1234567.0", b"Secret^Pa").replace(b"1234567 ", b"Secret^P")


REFUSED = {
    "slope nan": (lambda: with_window(RescaleSlope="nan", RescaleIntercept=0), "RescaleSlope"),
    "slope inf": (lambda: with_window(RescaleSlope="inf", RescaleIntercept=0), "RescaleSlope"),
    "slope zero": (lambda: with_window(RescaleSlope=0, RescaleIntercept=0), "RescaleSlope"),
    "slope huge": (lambda: with_window(RescaleSlope="1e307", RescaleIntercept=0), "rescaling"),
    "intercept nan": (lambda: with_window(RescaleSlope=1, RescaleIntercept="nan"), "RescaleIntercept"),
    "intercept huge": (lambda: with_window(RescaleSlope=1, RescaleIntercept="1e20"), "rescaling"),
    "intercept 1e300": (lambda: with_window(RescaleSlope=1, RescaleIntercept="1e300"), "rescaling"),
    "slope lost in the intercept": (lambda: with_window(RescaleSlope="1e-20", RescaleIntercept=1000), "rescaling"),
    "slope text": (lambda: with_text("RescaleSlope"), "RescaleSlope"),
    "frames": (lambda: dicom_bytes(NumberOfFrames=2), "several frames"),
    "frames negative": (lambda: dicom_bytes(NumberOfFrames=-2), "NumberOfFrames"),
    "frames nan": (lambda: dicom_bytes(NumberOfFrames="2").replace(b"IS\x02\x002 ", b"IS\x02\x00na"), "NumberOfFrames"),
    "sign": (lambda: dicom_bytes(PixelRepresentation=7), "PixelRepresentation"),
    "float pixels": (lambda: dicom_bytes(PixelData=None, FloatPixelData=bytes(120)), "integer pixel data"),
    "too many pixels": (lambda: dicom_bytes(PixelData=bytes(60)), "another size"),
    "no pixels": (lambda: dicom_bytes(PixelData=None), "without pixel data"),
    "no rows": (lambda: dicom_bytes(Rows=None), "DICOM"),
    "zero rows": (lambda: dicom_bytes(Rows=0), "no pixels"),
    "bomb": (lambda: dicom_bytes(Rows=20_000, Columns=20_000), "400.0 megapixels"),
    "truncated": (lambda: dicom_bytes()[:-6], "DICOM"),
    "short": (lambda: dicom_bytes(Rows=6), "DICOM"),
    "palette": (lambda: dicom_bytes(PhotometricInterpretation="PALETTE COLOR"), "neither gray nor RGB"),
    "one bit": (lambda: dicom_bytes(BitsAllocated=1), "8, 16 or 32"),
    "bits": (lambda: dicom_bytes(BitsStored=12), "contradict"),
    "bits zero": (lambda: dicom_bytes(BitsStored=0), "BitsStored"),
    "header only": (lambda: bytes(128) + b"DICM", "transfer syntax"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_trusted_is_refused_without_quoting_the_patient(case, tmp_path):
    make, word = REFUSED[case]
    with pytest.raises(BadImageError, match=word) as caught:
        read(tmp_path, make())
    assert "secret" not in str(caught.value).lower()


def test_numbers_that_are_text_do_not_reach_message_or_traceback(tmp_path):
    data = with_window(RescaleSlope=1234567, RescaleIntercept=0)
    data = data.replace(b"1234567.0", b"Secret^Pa")
    with pytest.raises(BadImageError) as caught:
        read(tmp_path, data)
    assert "ecret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.100", "MPEG2"),
        ("1.2.840.10008.1.2.4.94", "JPIP"),
        ("1.2.840.10008.1.2.4.52", "JPEG Extended"),
        ("1.2.3.4.5", "unknown"),
    ],
)
def test_other_transfer_syntaxes_are_refused_by_name(syntax, name, tmp_path):
    data = replace_syntax(dicom_bytes(), syntax)
    with pytest.raises(BadImageError, match=name):
        read(tmp_path, data)
    with pytest.raises(BadImageError, match=name):
        read_size_hw(tmp_path / "picture.dcm")


def test_without_pydicom_the_remedy_is_named(tmp_path, monkeypatch):
    data = dicom_bytes()
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InstallationError, match="pip install pydicom"):
        read(tmp_path, data)


def test_pydicoms_warnings_which_quote_the_header_stay_silent(tmp_path, recwarn):
    data = with_window(PixelSpacing=["nan", "0.1"])
    recwarn.clear()  # writing it warned, too
    read(tmp_path, data)
    assert not recwarn.list
