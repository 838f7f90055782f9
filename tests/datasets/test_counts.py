"""Three images of 100 x 50 px, counted by hand."""

import pytest

from segtumor.annotations.coco import dataset_of
from segtumor.datasets.annotation_files import load_parts
from segtumor.datasets.counts import describe
from segtumor.datasets.sampling import sample_images
from segtumor.datasets.splits.output import summarize
from segtumor.errors import DataError
from segtumor.files import write_json

CLASSES = [{"id": 3, "name": "benign"}, {"id": 5, "name": "malignant"}]


def image(number, **more):
    return {"id": number, "file_name": f"{number}.png", "width": 100, "height": 50, **more}


def box(number, image_id, category_id, side):
    corners = [0, 0, side, 0, side, side, 0, side]
    common = {"id": number, "image_id": image_id, "category_id": category_id, "iscrowd": 0}
    return {**common, "bbox": [0, 0, side, side], "area": side * side, "segmentation": [corners]}


IMAGES = [
    image(1, case_id="a", age=9, site=["tibia", "fibula"], image_label="malignant"),
    image(2, case_id="a", age=65, image_label="normal"),
    image(3, age=9, image_label="benign", spacing_mm=[0.1, 0.1]),
]
ANNOTATIONS = [box(1, 1, 3, 4), box(2, 1, 5, 20), box(3, 3, 3, 10)]
DOCUMENT = {"images": IMAGES, "annotations": ANNOTATIONS, "categories": CLASSES}


def tables(parts):
    return {table.title: table for table in describe(parts).tables}


@pytest.fixture
def whole():
    return {"all": dataset_of(DOCUMENT, "images")}


def test_classes(whole):
    table = tables(whole)["Classes"]
    assert table.header[:4] == ("class", "lesions", "images", "cases")
    assert [(*row[:4], row[5], row[7]) for row in table.rows] == [
        ("benign", 2, 2, 2, "7.0", "1.16"),
        ("malignant", 1, 1, 1, "20.0", "8.00"),
        ("no lesion", 0, 1, 1, "-", "-"),
        ("all", 3, 3, 2, "10.0", "2.00"),
    ]


def test_sizes(whole):
    filled = [row for row in tables(whole)["Lesion sizes"].rows if row[1]]
    assert filled == [("0 to 8 px", 1, 1, 0), ("8 to 16 px", 1, 1, 0), ("16 to 32 px", 1, 0, 1)]


def test_attributes_that_are_known(whole):
    found = tables(whole)
    assert found["Age group (years)"].rows == (("<18", 2, 2, 0, 2, 1), (">=60", 1, 1, 1, 0, 0))
    assert found["Site"].rows == (("fibula+tibia", 1, 1, 0, 1, 1), ("unknown", 2, 2, 1, 1, 0))
    assert found["Image label"].rows[0] == ("normal", 1, 1, 1, 0, 0)
    assert "Centre" not in found
    assert found["Image sizes"].rows[0] == ("shorter side (px)", 50, "50", 50)
    assert found["Image sizes"].note.startswith("1 of 3")


def test_ages_that_are_none_are_counted_and_named():
    ages = ["12 years", -3, True, 41, None, "", 131]
    images = [{**IMAGES[0], "id": i, "file_name": f"{i}.png", "age": age} for i, age in enumerate(ages)]
    statistics = describe({"all": dataset_of({**DOCUMENT, "images": images, "annotations": []}, "images")})
    (table,) = [table for table in statistics.tables if table.title.startswith("Age")]
    assert [row[:2] for row in table.rows] == [("40-59", 1), ("unknown", 6)] and statistics.ages == [41]
    assert table.note.startswith("The age of 4 images is not a number of years, such as '12 years' of 0.png")


def test_parts_and_folds(whole):
    one = {**DOCUMENT, "images": IMAGES[:1], "annotations": ANNOTATIONS[:2]}
    found = tables({"fold1-train": whole["all"], "fold1-val": dataset_of(one, "images")})
    assert found["Parts"].rows == (("fold1-train", 3, 1, 2, 3, 2, 1), ("fold1-val", 1, 0, 1, 2, 1, 1))
    assert found["Classes"].rows[-1][:4] == ("all", 3, 3, 2)  # image 1 stands in both parts and counts once


def test_a_data_set_without_lesions():
    normal = {**DOCUMENT, "images": IMAGES[1:2], "annotations": []}
    statistics = describe({"all": dataset_of(normal, "images")})
    assert statistics.sides_px == {"benign": [], "malignant": []}
    assert statistics.tables[0].rows[0][1:] == (0, 0, 0, "-", "-", "-", "-")


def test_parts_of_a_folder_come_in_their_order(tmp_path):
    for part in ("val", "test", "all", "train"):
        write_json(tmp_path / "annotations" / f"{part}.json", DOCUMENT)
    assert list(load_parts(tmp_path)) == ["train", "val", "test"]
    assert list(load_parts(tmp_path / "annotations" / "all.json")) == ["all"]
    with pytest.raises(DataError, match="no annotation files"):
        load_parts(tmp_path / "annotations")


def test_a_sample_has_every_kind(whole):
    images = whole["all"].annotated_images
    assert [i.image_id for i in sample_images(images, 9)] == [1, 2, 3]
    assert len(sample_images(images, 2, seed=1)) == 2
    assert [i.image_id for i in sample_images(images, 5, only="malignant")] == [1]
    with pytest.raises(DataError, match=r"no image of this kind.*expected benign, malignant, normal"):
        sample_images(images, 5, only="cyst")


def test_crowds_are_counted_apart_from_lesions_and_from_images_without(tmp_path):
    crowd = {**box(4, 2, 3, 30), "iscrowd": 1}  # in the image that has no lesion
    beside = {**box(5, 3, 3, 30), "iscrowd": 1}
    whole = dataset_of({**DOCUMENT, "annotations": [*ANNOTATIONS, crowd, beside]}, "images")
    statistics = describe({"train": whole, "test": dataset_of({**DOCUMENT, "annotations": ANNOTATIONS}, "images")})
    found = {table.title: table for table in statistics.tables}
    assert found["Parts"].header == (
        *("part", "images", "without lesion", "crowds only", "cases", "lesions"),
        *("benign lesions", "malignant lesions", "crowd regions"),
    )
    assert found["Parts"].rows == (("train", 3, 0, 1, 2, 3, 2, 1, 2), ("test", 3, 1, 0, 2, 3, 2, 1, 0))
    assert [row[:4] for row in found["Classes"].rows] == [
        ("benign", 2, 2, 2),
        ("malignant", 1, 1, 1),
        ("no lesion", 0, 0, 0),
        ("crowds only", 0, 1, 1),
        ("all", 3, 3, 2),
    ]
    assert "2 of 5 regions, in 2 images, are crowds" in found["Classes"].note
    normal = next(row for row in found["Image label"].rows if row[0] == "normal")
    assert normal == ("normal", 1, 1, 0, 1, 0, 0)
    assert sorted(statistics.sides_px["benign"]) == [4, 10]


def test_split_counts_crowds_apart():
    crowd = {**box(4, 2, 3, 30), "iscrowd": 1}
    summary = summarize({**DOCUMENT, "annotations": [*ANNOTATIONS, crowd]})
    assert (summary["lesions"], summary["crowd_regions"]) == (3, 1)
    assert summary["lesions_by_class"] == {"benign": 2, "malignant": 1}
    assert "crowd_regions" not in summarize(DOCUMENT)
