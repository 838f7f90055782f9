"""The contact sheet and the data card."""

import dataclasses
import re

import numpy as np
import pytest
from repository import ROOT

from segtumor import NOTICE
from segtumor.datasets.annotation_files import load_parts
from segtumor.datasets.counts import describe
from segtumor.datasets.flow import Amount, Flow
from segtumor.reporting.figures.histograms import age_histogram_figure, lesion_size_figure
from segtumor.reporting.pages.data_card import data_card, data_card_text
from segtumor.reporting.pictures.contact_sheet import contact_sheet
from segtumor.structures.lesions import AnnotatedImage, Lesion
from segtumor.structures.masks import rle_from_mask
from segtumor.taxonomy import color_rgb
from segtumor.texts import markdown_table

EXAMPLES = ROOT / "datasets" / "examples"


def truth(size_hw, lesions=(), name="a.png"):
    return AnnotatedImage(1, name, size_hw, tuple(lesions), {"case_id": "7"})


def lesion(size_hw, box_xyxy, class_id=1, masked=True):
    mask = np.zeros(size_hw, dtype=bool)
    x0, y0, x1, y1 = box_xyxy
    mask[y0:y1, x0:x1] = True
    return Lesion(1, class_id, box_xyxy, rle_from_mask(mask) if masked else None, float(mask.sum()))


def pixels_of(sheet, class_id, top=30):
    """(row, column) where a class's colour, or nearly so since lines are smoothed, is drawn below the header."""
    difference = np.abs(sheet[top:-25].astype(int) - color_rgb(class_id)).max(axis=-1)
    return np.add(np.argwhere(difference < 50), (top, 0))


def test_the_card_shows_what_was_left_out():
    parts = load_parts(EXAMPLES / "coco" / "annotations.json", EXAMPLES / "images")
    used = Amount("data set", 3, 3, 3)
    pages = [
        data_card("x", parts, describe(parts), [], flow=flow) for flow in (None, Flow(5, {"damaged": 2}, used, ()))
    ]
    assert ["left out with the reason" in page for page in pages] == [False, True]
    assert [page.count("data:image/png") for page in pages] == [1, 2]


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("size_hw", [(50, 100), (400, 800)])
def test_outlines_lie_where_the_lesion_is(size_hw, masked):
    scale = 200 / size_hw[1]
    box = tuple(round(value / scale) for value in (40, 20, 120, 80))
    pixels = np.random.default_rng(0).random(size_hw, dtype=np.float32)
    sheet = contact_sheet([(truth(size_hw, [lesion(size_hw, box, masked=masked)]), pixels)], ("b", "m"), tile_px=200)
    rows, columns = pixels_of(sheet, 1).T
    assert columns.max() - columns.min() == pytest.approx(80, abs=6)
    assert rows.max() - rows.min() == pytest.approx(60, abs=6)
    assert columns.min() == pytest.approx(6 + 40, abs=4)


def test_a_lesion_of_one_pixel_of_a_large_image_is_still_seen():
    size_hw = (2000, 2000)
    image = truth(size_hw, [lesion(size_hw, (1000, 1000, 1001, 1001), class_id=0)])
    assert len(pixels_of(contact_sheet([(image, np.zeros(size_hw, np.float32))], ("b", "m"), tile_px=100), 0))


def test_a_picture_of_another_size_gets_no_outline():
    image = truth((40, 40), [lesion((40, 40), (10, 10, 30, 30), class_id=0)])
    assert len(pixels_of(contact_sheet([(image, np.zeros((40, 40), np.float32))], ("b", "m"), tile_px=100), 0))
    assert not len(pixels_of(contact_sheet([(image, np.zeros((20, 40), np.float32))], ("b", "m"), tile_px=100), 0))


def test_many_and_odd_classes_have_room_in_the_header():
    few = contact_sheet([], ("b", "m"), tile_px=60)
    many = contact_sheet([], ("a\nb", "", *(f"class with a long name {i}" for i in range(9))), tile_px=60)
    assert many.shape[1] == few.shape[1] and many.shape[0] > few.shape[0]


def test_about_says_what_all_parts_say():
    parts = load_parts(EXAMPLES / "coco" / "annotations.json")
    (dataset,) = parts.values()
    two = {
        part: dataclasses.replace(dataset, info={"description": "knees", "part": part, "seed": seed})
        for part, seed in (("train", 1), ("test", 1))
    }
    page = data_card("x", two, describe(two), [])
    assert "<td>description</td>" in page and "<td>seed</td>" in page and "<td>part</td>" not in page


@pytest.mark.parametrize(("count", "rows"), [(0, 1), (1, 1), (6, 1), (7, 2), (13, 3)])
def test_the_grid_grows_with_the_images(count, rows):
    examples = [(truth((40, 40), name="a very long file name that cannot fit anywhere.png"), None)] * count
    sheet = contact_sheet(examples, ("b", "m"), tile_px=80, title="t")
    assert sheet.dtype == np.uint8
    one = contact_sheet([], ("b", "m"), tile_px=80, title="t")
    assert (len(sheet) - len(one)) % max(1, rows - 1) == 0
    assert (len(sheet) > len(one)) == (rows > 1)


def test_the_card_holds_everything_and_asks_for_nothing():
    parts = load_parts(EXAMPLES / "coco" / "annotations.json", EXAMPLES / "images")
    statistics = describe(parts)
    page = data_card("Phantoms <1>", parts, statistics, [(truth((9, 9)), None)], split_sha256="abc123")
    assert "Phantoms &lt;1&gt;" in page
    for text in (NOTICE, parts["annotations"].sha256, "abc123", *(table.title for table in statistics.tables)):
        assert text in page
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert page.count("<img") == 2  # sizes and examples; ages are not known


def test_the_card_as_markdown_has_the_same_tables():
    parts = load_parts(EXAMPLES / "coco" / "annotations.json", EXAMPLES / "images")
    statistics = describe(parts)
    flow = Flow(9, {"no outline": 6}, Amount("data set", 3, 3, 4), ())
    text = data_card_text("Phantoms <1>", parts, statistics, split_sha256="abc123", flow=flow)
    assert text.startswith("# Phantoms &lt;1>\n") and NOTICE in text
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert "| found | 9 |\n| left out: no outline | 6 |\n| used | 3 |" in text
    assert headings == ["About", "Flow of images", *(table.title for table in statistics.tables), "How to recognise it"]
    assert f"| annotations | 3 | {parts['annotations'].sha256} |\n| split |  | abc123 |" in text
    for table in statistics.tables:
        assert "\n".join(markdown_table(table.header, table.rows)) in text


def test_a_card_without_examples():
    parts = load_parts(EXAMPLES / "coco" / "annotations.json", EXAMPLES / "images")
    assert "<h2>Examples" not in data_card("t", parts, describe(parts), [])


@pytest.mark.parametrize("sides", [{"b": [], "m": []}, {"b": [5.0], "m": []}, {"b": [0.5, 1500.0], "m": [30.0] * 9}])
def test_size_plots(sides):
    figure = lesion_size_figure(sides)
    count = sum(map(len, sides.values()))
    assert f"n = {count}" in figure.get_suptitle()
    (axes,) = figure.axes
    assert sum(patch.get_height() for patch in axes.patches) == (count if len(axes.patches) else 0) or count > 1


def test_age_plot_counts_every_image():
    (axes,) = age_histogram_figure([0, 9, 104]).axes
    assert sum(patch.get_height() for patch in axes.patches) == 3


def test_an_age_beyond_all_costs_no_bars():
    figure = age_histogram_figure([9, 10**12])
    assert sum(patch.get_height() for patch in figure.axes[0].patches) == 2 and len(figure.axes[0].patches) < 30
    assert "1 above 130 years" in figure.get_suptitle()
