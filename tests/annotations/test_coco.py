"""COCO files to records and annotated images."""

import copy
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtumor.annotations.attributes import label_of
from segtumor.annotations.coco import attributes_of, load_coco
from segtumor.annotations.problems import ProblemKind
from segtumor.annotations.validation import find_problems
from segtumor.datasets.splits.strata import image_labels
from segtumor.errors import DataError
from segtumor.evaluation.facts.truth import has_tumor
from segtumor.files import write_json
from segtumor.structures.lesions import AnnotatedImage
from segtumor.structures.masks import mask_from_rle, rle_area, rle_from_mask
from segtumor.structures.polygons import clip_polygon, measure_polygons, polygon_area

SQUARE = [1, 1, 3, 1, 3, 3, 1, 3]


def _coco():
    return {
        "info": {"description": "two images of 4 x 6"},
        "images": [
            {"id": 7, "file_name": "a.png", "width": 6, "height": 4, "case_id": "c1", "image_label": "malignant"},
            {"id": 3, "file_name": "b.png", "width": 6, "height": 4, "case_id": "c2", "image_label": "normal"},
        ],
        "annotations": [
            {"id": 11, "image_id": 7, "category_id": 40, "bbox": [1, 1, 2, 2], "segmentation": [SQUARE]},
        ],
        "categories": [{"id": 40, "name": "malignant"}, {"id": 5, "name": "benign"}],
    }


def _write(tmp_path, coco, images=("a.png", "b.png")):
    (tmp_path / "images").mkdir(exist_ok=True)
    for name in images:
        (tmp_path / "images" / name).write_bytes(b"")
    path = tmp_path / "annotations" / "train.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(coco))
    return path


def test_records_are_detectron2_dicts_with_contiguous_classes(tmp_path):
    path = _write(tmp_path, _coco())
    dataset = load_coco(path)
    assert dataset.taxonomy.names == ("benign", "malignant")
    assert dataset.category_id_of_class == (5, 40)
    assert dataset.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    first, second = dataset.records
    assert first == {
        "file_name": str(tmp_path / "images" / "a.png"),
        "image_id": 7,
        "height": 4,
        "width": 6,
        "case_id": "c1",
        "image_label": "malignant",
        "annotations": [
            {"bbox": [1, 1, 2, 2], "bbox_mode": 1, "category_id": 1, "iscrowd": 0, "segmentation": [SQUARE]}
        ],
    }
    assert second["annotations"] == []  # a normal image stays


def test_annotated_images_need_no_image_files(tmp_path):
    path = _write(tmp_path, _coco(), images=())
    with_lesion, normal = load_coco(path, check_files=False).annotated_images
    (lesion,) = with_lesion.lesions
    assert (lesion.lesion_id, lesion.class_id, lesion.box_xyxy, lesion.iscrowd) == (11, 1, (1, 1, 3, 3), False)
    assert np.argwhere(mask_from_rle(lesion.rle)).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
    assert lesion.area_px == 4  # missing in the file, so that of the mask
    assert (normal.image_id, normal.size_hw, normal.lesions) == (3, (4, 6), ())
    assert normal.attributes == {"case_id": "c2", "image_label": "normal"}


def test_all_three_kinds_of_segmentation_give_one_mask(tmp_path):
    coco = _coco()
    mask = np.zeros((4, 6), dtype=bool)
    mask[1:3, 1:3] = True
    compressed = rle_from_mask(mask)
    uncompressed = {"size": [4, 6], "counts": [5, 2, 2, 2, 13]}  # down the columns
    for number, segmentation in enumerate((compressed, uncompressed)):
        coco["annotations"].append({**coco["annotations"][0], "id": 20 + number, "segmentation": segmentation})
    lesions = load_coco(_write(tmp_path, coco), check_files=False).annotated_images[0].lesions
    assert [lesion.rle["counts"] for lesion in lesions] == [compressed["counts"]] * 3
    records = load_coco(_write(tmp_path, coco)).records
    assert records[0]["annotations"][2]["segmentation"] == compressed


def test_what_reaches_over_the_border_is_cut(tmp_path):
    coco = _coco()
    coco["annotations"][0] |= {"bbox": [-1, -1, 3, 3], "segmentation": [[-1, -1, 2, -1, 2, 2, -1, 2]]}
    before = copy.deepcopy(coco)
    dataset = load_coco(_write(tmp_path, coco))
    record = dataset.records[0]["annotations"][0]
    assert record["bbox"] == [0, 0, 2, 2]
    points = np.reshape(record["segmentation"][0], (-1, 2))
    assert (points.min(), points.max(), polygon_area(points)) == (0, 2, 4)
    assert rle_area(dataset.annotated_images[0].lesions[0].rle) == 4
    assert coco == before


def test_boxes_alone_only_when_asked_for(tmp_path):
    coco = _coco()
    del coco["annotations"][0]["segmentation"]
    path = _write(tmp_path, coco)
    with pytest.raises(DataError, match=r"annotations\[0\] \(id 11\) segmentation: is missing"):
        load_coco(path)
    dataset = load_coco(path, require_masks=False)
    assert "segmentation" not in dataset.records[0]["annotations"][0]
    lesion = dataset.annotated_images[0].lesions[0]
    assert (lesion.rle, lesion.area_px) == (None, 4)


def test_the_error_lists_twenty_problems_and_counts_all(tmp_path):
    coco = _coco()
    coco["annotations"] = [{**coco["annotations"][0], "id": n, "bbox": [1, 1, 0, 2]} for n in range(1, 31)]
    with pytest.raises(DataError) as error:
        load_coco(_write(tmp_path, coco))
    text = str(error.value)
    assert "30 problems" in text and "... and 10 more" in text and text.count("has no extent") == 20
    assert "train.json" in text


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "\x00"])
def test_what_is_not_json_is_a_data_error(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"bad.json: (is not|not readable as) JSON"):
        load_coco(path)


def test_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match=r"No such file"):
        load_coco(tmp_path / "none.json")


def test_clip_polygon_agrees_with_counting_by_hand():
    triangle = [[-2, 0], [2, 0], [-2, 4]]  # x + y < 2 within the image: a triangle of legs 2
    assert polygon_area(clip_polygon(triangle, (4, 4))) == 2
    assert clip_polygon([[5, 5], [6, 5], [6, 6]], (4, 4)).shape == (0, 2)
    inside = [[0, 0], [4, 0], [4, 4]]
    assert sorted(map(tuple, clip_polygon(inside, (4, 4)))) == sorted(map(tuple, inside))


def test_measuring_many_polygons_equals_measuring_each():
    polygons = [np.array(p, dtype=float) for p in (SQUARE, [0, 0, 4, 0, 0, 3], [1, 1, 2, 2, 3, 3, 4, 4])]
    areas, boxes = measure_polygons(polygons)
    assert areas.tolist() == [polygon_area(p) for p in polygons] == [4, 6, 0]
    assert boxes.tolist() == [[1, 1, 3, 3], [0, 0, 4, 3], [1, 1, 4, 4]]
    assert measure_polygons([])[1].shape == (0, 4)


@pytest.mark.parametrize("written", ["malignant", "Malignant", " MALIGNANT "])
def test_a_label_is_the_same_label_however_it_is_written(written, tmp_path):
    image = {"id": 1, "file_name": "a.png", "width": 60, "height": 40, "image_label": written}
    crowd = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 1}
    crowd["segmentation"] = [[1, 1, 10, 1, 10, 10, 1, 10]]
    coco = {"images": [image], "annotations": [crowd], "categories": [{"id": 1, "name": "Osteosarcoma"}]}
    write_json(tmp_path / "a.json", coco)
    dataset = load_coco(tmp_path / "a.json", check_files=False)
    (record,), (truth,) = dataset.records, dataset.annotated_images
    assert record["image_label"] == truth.attributes["image_label"] == "malignant"
    another = {**coco, "images": [image, {**image, "id": 2, "file_name": "b.png"}]}  # it would train as normal
    assert any(problem.kind is ProblemKind.LABEL_BUT_NO_LESION for problem in find_problems(another))
    of_classes = {**coco, "annotations": []}  # nobody has drawn anything: for classifiers
    assert not any(problem.kind is ProblemKind.LABEL_BUT_NO_LESION for problem in find_problems(of_classes))
    assert label_of({"image_label": "osteosarcoma "}, dataset.taxonomy.names) == "Osteosarcoma"
    assert [label_of({"image_label": value}) for value in (None, "", 3, "odd")] == [None, "", 3, "odd"]


@given(st.sampled_from(["normal", "Benign", " benign", "OSTEOSARCOMA", "Normal "]))
def test_truth_and_strata_take_the_label_that_the_file_gives(written):
    names = ("benign", "malignant")
    image = {"id": 1, "file_name": "a.png", "width": 60, "height": 40, "image_label": written}
    attributes = attributes_of(image, names)
    truth = AnnotatedImage(1, "a.png", (40, 60), (), attributes)
    label = label_of(image, names)
    assert has_tumor(truth, names) == (label in ("benign", "malignant"))
    assert image_labels([image], {}, names)[0] == [label if label in ("normal", "benign", "malignant") else "normal"]
