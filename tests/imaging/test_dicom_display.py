"""Display settings of no use (PS3.3 C.11.2): the radiograph is read all the same, and the remark says what was done."""

import numpy as np
import pytest
from imaging_files import dicom_bytes

from segtumor.errors import BadImageError
from segtumor.imaging import normalize_window, read_radiograph

pytest.importorskip("pydicom")

#: 0 to 4095 from left to right, as a detector of 12 bits gives them.
RAMP = np.tile(np.linspace(0, 4095, 64).round().astype(np.uint16), (40, 1))
TWELVE = {"BitsStored": 12, "HighBit": 11}
FULL = {"WindowCenter": 2047.5, "WindowWidth": 4095, "VOILUTFunction": "LINEAR_EXACT"}
PERCENTILES, WINDOW = "percentiles are used instead", "window is used instead"


def read(folder, data):
    (folder / "picture.dcm").write_bytes(data)
    return read_radiograph(folder / "picture.dcm")


def ramp(**elements):
    return dicom_bytes(RAMP, **(TWELVE | elements))


def text_window(part):
    """A window in which text stands for a number."""
    return with_text(ramp(**{"WindowCenter": 2048, "WindowWidth": 4096, part: 1234567}))


def with_text(data):
    return data.replace(b"1234567.0", b"Secret^Pa").replace(b"1234567 ", b"Secret^P").replace(b"1234567", b"Secret^")


def table(descriptor, data, code="US"):
    return {"LUTDescriptor": ("US", descriptor), "LUTData": (code, data)}


def with_tables(*tables, **elements):
    return dicom_bytes(RAMP, sequences={"VOILUTSequence": list(tables)}, **(TWELVE | elements))


LINE = list(range(0, 65536, 16))
OF_NO_USE = {
    "width 0": (lambda: ramp(WindowCenter=2048, WindowWidth=0), "of width 0"),
    "width negative": (lambda: ramp(WindowCenter=2048, WindowWidth=-4096), "of width -4096"),
    "width 0, sigmoid": (lambda: ramp(WindowCenter=2048, WindowWidth=0, VOILUTFunction="SIGMOID"), "of width 0"),
    "width nan": (lambda: ramp(WindowCenter=2048, WindowWidth="nan"), "without a width"),
    "width inf": (lambda: ramp(WindowCenter=2048, WindowWidth="inf"), "without a width"),
    "width 1e999": (lambda: ramp(WindowCenter=2048, WindowWidth="1e999"), "without a width"),
    "width text": (lambda: text_window("WindowWidth"), "without a width"),
    "centre text": (lambda: text_window("WindowCenter"), "without a centre"),
    "centre nan": (lambda: ramp(WindowCenter="nan", WindowWidth=4096), "without a centre"),
    "no centre": (lambda: ramp(WindowWidth=4096), "without a centre"),
    "no width": (lambda: ramp(WindowCenter=2048), "without a width"),
    "empty centre": (lambda: ramp(WindowCenter="", WindowWidth=4096), "without a centre"),
    "beside the pixels": (lambda: ramp(WindowCenter=50_000, WindowWidth=100), "blank"),
    "a threshold": (lambda: ramp(WindowCenter=2048, WindowWidth=1), "blank"),
    "far too wide": (lambda: ramp(WindowCenter=2048, WindowWidth="1e9"), "blank"),
    "far too wide, sigmoid": (lambda: ramp(WindowCenter=0, WindowWidth="1e9", VOILUTFunction="SIGMOID"), "blank"),
    "hardly any pixels": (lambda: ramp(WindowCenter=4095, WindowWidth=2), "blank"),
    "function": (lambda: ramp(WindowCenter=2048, WindowWidth=4096, VOILUTFunction="CUBIC"), "unknown function"),
    "two windows": (lambda: ramp(WindowCenter=[0, 5], WindowWidth=[0, -1]), "of width 0"),
    "table empty": (lambda: with_tables({}), "table of no use"),
    "table of zero entries": (lambda: with_tables(table([0, 0, 0], [1, 2])), "table of no use"),
    "table of 17 bits": (lambda: with_tables(table([2, 0, 17], [1, 2])), "table of no use"),
    "descriptor of two": (lambda: with_tables(table([4096, 0], LINE)), "table of no use"),
    "table too short": (lambda: with_tables(table([4096, 0, 16], LINE[:100])), "table of no use"),
    "descriptor 0 stands for 65,536": (lambda: with_tables(table([0, 0, 16], LINE)), "table of no use"),
    "table without data": (lambda: with_tables({"LUTDescriptor": ("US", [4096, 0, 16])}), "table of no use"),
    "flat table": (lambda: with_tables(table([4096, 0, 16], [7] * 4096)), "blank"),
    "table beside the pixels": (lambda: with_tables(table([9, 9000, 16], list(range(9)))), "blank"),
}


@pytest.mark.parametrize("case", OF_NO_USE)
def test_without_a_setting_of_use_percentiles_are_used(case, tmp_path):
    make, word = OF_NO_USE[case]
    radiograph = read(tmp_path, make())
    np.testing.assert_allclose(radiograph.pixels, normalize_window(RAMP), atol=1e-6)
    assert (np.diff(radiograph.pixels[0]) > 0).sum() > 60  # gray rises from left to right
    assert len(radiograph.remarks) == 1
    assert word in radiograph.remarks[0]
    assert PERCENTILES in radiograph.remarks[0]
    assert "ecret" not in radiograph.remarks[0]


GOOD_SECOND = {
    "second window": lambda: ramp(WindowCenter=[0, 2047.5], WindowWidth=[0, 4095], VOILUTFunction="LINEAR_EXACT"),
    "third window": lambda: ramp(
        WindowCenter=["nan", 9, 2047.5], WindowWidth=[50, -3, 4095], VOILUTFunction="LINEAR_EXACT"
    ),
    "first number is text": lambda: with_text(
        ramp(WindowCenter=[1234567, 2047.5], WindowWidth=[4095, 4095], VOILUTFunction="LINEAR_EXACT")
    ),
    "table of no use": lambda: with_tables(table([5, 0, 16], LINE), **FULL),
    "flat table": lambda: with_tables(table([4096, 0, 16], [7] * 4096), **FULL),
}


@pytest.mark.parametrize("case", GOOD_SECOND)
def test_a_sound_setting_behind_one_of_no_use_is_used(case, tmp_path):
    radiograph = read(tmp_path, GOOD_SECOND[case]())
    np.testing.assert_allclose(radiograph.pixels, RAMP / 4095, atol=1e-6)
    assert WINDOW in radiograph.remarks[0]


def test_the_second_of_two_tables(tmp_path):
    radiograph = read(tmp_path, with_tables({}, table([4096, 0, 16], LINE)))
    np.testing.assert_allclose(radiograph.pixels, RAMP * 16 / 65535, atol=1e-6)
    assert "another VOI look-up table is used instead" in radiograph.remarks[0]


SOUND = {
    "first of two": (lambda: ramp(**FULL | {"WindowCenter": [2047.5, 10], "WindowWidth": [4095, 5]}), RAMP / 4095),
    "no items": (lambda: with_tables(**FULL), RAMP / 4095),
    "narrow": (lambda: ramp(WindowCenter=2000, WindowWidth=1001), np.clip((RAMP - 1499.5) / 1000, 0, 1)),
    "two entries in each word": (
        lambda: dicom_bytes(
            (RAMP >> 4).astype(np.uint8),
            sequences={"VOILUTSequence": [table([256, 0, 8], [(2 * i + 1) << 8 | 2 * i for i in range(128)])]},
        ),
        (RAMP >> 4) / 255,
    ),
    "white beyond the window": (lambda: ramp(WindowCenter=1000, WindowWidth=2001), np.clip((RAMP + 0.5) / 2000, 0, 1)),
}


@pytest.mark.parametrize("case", SOUND)
def test_a_sound_setting_is_used_without_a_remark(case, tmp_path):
    make, expected = SOUND[case]
    radiograph = read(tmp_path, make())
    np.testing.assert_allclose(radiograph.pixels, expected, atol=1e-3)
    assert of_settings(radiograph) == []


def of_settings(radiograph):
    """Remarks but for what a window does to a ramp: much of it becomes white, and few gray values are left."""
    of_ramp = "plain white", "hardly any contrast: only"
    return [remark for remark in radiograph.remarks if not remark.startswith(of_ramp)]


def test_a_linear_window_narrower_than_one_is_exact(tmp_path):
    elements = {"RescaleSlope": "0.000244200244", "RescaleIntercept": 0, "WindowCenter": 0.5, "WindowWidth": 0.91}
    radiograph = read(tmp_path, ramp(**elements))
    np.testing.assert_allclose(radiograph.pixels, np.clip((RAMP / 4095 - 0.045) / 0.91, 0, 1), atol=1e-3)
    assert of_settings(radiograph) == ["DICOM window narrower than 1: taken as LINEAR_EXACT"]


def test_not_every_window_of_thousands_is_tried(tmp_path):
    radiograph = read(tmp_path, ramp(WindowCenter=[0] * 300 + [2048], WindowWidth=[0] * 300 + [4096]))
    assert PERCENTILES in radiograph.remarks[0]


@pytest.mark.parametrize(
    "padding", [{"PixelPaddingValue": 4095}, {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 9}]
)
def test_padding_hides_no_blank_picture(padding, tmp_path):
    stored = RAMP.copy()
    stored[:, :5] = padding["PixelPaddingValue"]
    radiograph = read(tmp_path, dicom_bytes(stored, WindowCenter=50_000, WindowWidth=10, **TWELVE, **padding))
    assert "blank" in radiograph.remarks[0]
    assert (np.diff(radiograph.pixels[0, 6:-1]) > 0).sum() > 50


@pytest.mark.parametrize(
    "wrong", [{}, table([0, 0, 0], [1]), table([4096, 0, 16], LINE[:7]), table([4096, 0, 16], [5] * 4096)]
)
def test_a_modality_table_of_no_use_is_refused_since_it_changes_the_values(wrong, tmp_path):
    with pytest.raises(BadImageError, match="look-up table"):
        read(tmp_path, dicom_bytes(RAMP, sequences={"ModalityLUTSequence": [wrong]}, **TWELVE))


def test_a_broken_window_of_an_enhanced_object_is_passed_over(tmp_path):
    group = {"FrameVOILUTSequence": [{"WindowCenter": 1234567, "WindowWidth": 0}]}
    data = dicom_bytes(RAMP, sequences={"SharedFunctionalGroupsSequence": [group]}, **TWELVE)
    radiograph = read(tmp_path, with_text(data))
    np.testing.assert_allclose(radiograph.pixels, normalize_window(RAMP), atol=1e-6)
    assert "without a centre" in radiograph.remarks[0]


def test_small_pictures_of_few_levels_keep_their_window(tmp_path):
    stored = np.array([[10, 10, 200]], np.uint8)
    pixels = read(tmp_path, dicom_bytes(stored, WindowCenter=100, WindowWidth=2)).pixels
    np.testing.assert_array_equal(pixels, [[0, 0, 1]])
