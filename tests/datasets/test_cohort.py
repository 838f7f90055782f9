"""Patients by centre, with tests, and the flow of images: small sets counted by hand."""

import json

import pytest
from scipy.stats import fisher_exact, kruskal

from segtumor.annotations.coco import dataset_of
from segtumor.datasets.cohort import cohort_groups
from segtumor.datasets.counts import describe
from segtumor.datasets.flow import Amount, read_flow
from segtumor.errors import ConfigError, DataError
from segtumor.reporting.figures.canvas import png_bytes
from segtumor.reporting.figures.flow import flow_figure

CLASSES = [{"id": 1, "name": "benign"}, {"id": 2, "name": "malignant"}]
#: case: (centre, age, sex, images, side of the lesion in px or None, its category)
CASES = {
    "a": ("east", 10, "M", 2, 4, 1),
    "b": ("east", 20, "M", 1, 8, 2),
    "c": ("east", 30, "M", 1, None, None),
    "d": ("west", 40, "F", 1, 6, 2),
    "e": ("west", 60, "F", 2, 3, 2),
    "f": ("", 50, "F", 1, None, None),
}


def document(cases=CASES):
    images, annotations = [], []
    for case, (center, age, sex, n, side, category) in cases.items():
        for view in range(n):
            number = len(images) + 1
            image = {"id": number, "file_name": f"{case}{view}.png", "width": 32, "height": 32, "case_id": case}
            images.append({**image, "age": age, "sex": sex, "center": center, "spacing_mm": [0.5, 0.5]})
            if side and not view:
                box = {"bbox": [0, 0, side, side], "area": side * side, "iscrowd": 0}
                corners = [[0, 0, side, 0, side, side, 0, side]]
                annotations.append(
                    {"id": number, "image_id": number, "category_id": category, "segmentation": corners, **box}
                )
    return {"images": images, "annotations": annotations, "categories": CLASSES}


@pytest.fixture
def whole():
    return {"all": dataset_of(document(), "images")}


def rows(table):
    return {(row[0], row[1]): row[2:] for row in table.rows}


def test_the_first_table_of_a_paper(whole):
    table = cohort_groups(whole, "center")
    assert table.header == ("", "value", "east", "west", "all", "p", "p (Holm)", "test")
    cells = rows(table)
    assert cells["cases", ""][:3] == (3, 2, 6) and cells["images", ""][:3] == (4, 3, 8)
    assert cells["age (years)", ""][:2] == ("20 (15 to 25)", "50 (45 to 55)")
    assert cells["age (years)", ""][3] == f"{kruskal([10, 20, 30], [40, 60]).pvalue:.3f}"
    assert cells["sex", "F"][:3] == ("0 (0.0%)", "2 (100.0%)", "3 (50.0%)")
    assert cells["sex", "F"][3] == f"{fisher_exact([[0, 3], [2, 0]]).pvalue:.3f}" and "Fisher" in cells["sex", "F"][5]
    assert cells["sex", "M"][3:] == ("", "", "")
    assert cells["class", "malignant"][:2] == ("1 (33.3%)", "2 (100.0%)")
    assert cells["class", "no lesion"][:2] == ("1 (33.3%)", "0 (0.0%)")
    assert "chi-squared" in cells["class", "benign"][5]
    # The diagonal of 4 and 8 px, at 0.5 mm a pixel.
    assert cells["largest lesion (px)", ""][0] == "8.49 (7.07 to 9.9)"
    assert cells["largest lesion (mm)", ""][0] == "4.24 (3.54 to 4.95)"
    assert ("site", "") not in cells and "only: 1." in table.note


def test_one_centre_is_no_comparison(whole):
    alone = {case: ("east", *values[1:]) for case, values in CASES.items()}
    assert cohort_groups({"all": dataset_of(document(alone), "images")}, "center") is None
    titles = [table.title for table in describe(whole).tables]
    assert titles[-1] == "Cohort by centre"
    assert describe(whole, cohort_by="sex").tables[-1].title == "Cohort by sex"
    with pytest.raises(ConfigError, match="no image has this attribute"):
        describe(whole, cohort_by="scanner")


def test_an_image_in_two_parts_counts_once(whole):
    twice = {**whole, "fold": dataset_of(document(), "images")}
    assert rows(cohort_groups(twice, "center")) == rows(cohort_groups(whole, "center"))


@pytest.fixture
def report(tmp_path):
    left_out = [
        {"image": "x.png", "kind": "image without annotation", "detail": ""},
        {"image": "y.png", "kind": "image without annotation", "detail": ""},
        {"image": "y.png", "kind": "damaged", "detail": ""},
        {"image": "z.png", "kind": "damaged", "detail": ""},
        {"image": "a0.png", "kind": "a region of an image that is used", "detail": ""},
        {"image": "", "kind": "said of the whole set", "detail": ""},
    ]
    (tmp_path / "conversion_report.json").write_text(json.dumps({"left_out": left_out}))
    return tmp_path / "conversion_report.json"


def test_the_flow_of_images(whole, report):
    flow = read_flow(report, whole)
    assert (flow.found, flow.left_out) == (11, {"image without annotation": 2, "damaged": 1})
    assert (flow.used, flow.parts) == (Amount("data set", 8, 6, 4), ())
    split = {"train": whole["all"], "test": dataset_of(document({"g": CASES["b"]}), "images")}
    assert read_flow(report, split).parts == (Amount("train", 8, 6, 4), Amount("test", 1, 1, 1))
    for parts in (whole, split):
        assert png_bytes(lambda parts=parts: flow_figure(read_flow(report, parts))).startswith(b"\x89PNG")


@pytest.mark.parametrize("content", ["[]", "{}", '{"left_out": [1]}', '{"left_out": [{"image": "a"}]}'])
def test_what_is_no_report(whole, tmp_path, content):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(DataError, match="not the report"):
        read_flow(tmp_path / "r.json", whole)
