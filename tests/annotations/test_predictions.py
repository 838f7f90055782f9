import copy
import json

import numpy as np
import pytest

from segtumor.annotations.coco import load_coco
from segtumor.annotations.predictions.document import read_predictions
from segtumor.annotations.predictions.items import reading_fields
from segtumor.annotations.predictions.writing import predictions_document
from segtumor.errors import DataError
from segtumor.structures.lesions import AnnotatedImage, Finding
from segtumor.structures.masks import mask_from_rle, rle_from_mask
from segtumor.structures.outcomes import InferenceOutcome, failed
from segtumor.structures.readings import Note, Reading, Similar

NAMES = ("benign", "malignant")
HERE = [AnnotatedImage(1, "a/x.png", (4, 6)), AnnotatedImage(2, "b/x.png", (4, 6)), AnnotatedImage(3, "y.png", (4, 6))]
MASK = np.zeros((4, 6), dtype=bool)
MASK[1:3, 2:5] = True


def item(**changes):
    base = {"image_id": 3, "category_id": 9, "bbox": [2, 1, 3, 2], "score": 0.5, "segmentation": rle_from_mask(MASK)}
    return {key: value for key, value in {**base, **changes}.items() if value is not ...}


def own_form(images, annotations=(), **changes):
    """predictions.json as infer.py writes it: its own numbers for images, categories from 1 in its own order."""
    categories = [{"id": 1, "name": "malignant"}, {"id": 2, "name": "benign"}]
    content = {"schema_version": 1, "categories": categories, "images": images, "annotations": list(annotations)}
    return {**content, **changes}


def listed(image_id, file_name, status="ok"):
    return {"image_id": image_id, "file_name": file_name, "width": 6, "height": 4, "status": status}


@pytest.fixture
def read(tmp_path):
    def reader(content, images=HERE):
        path = tmp_path / "predictions.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_predictions(path, images, class_names=NAMES, category_id_of_class=(4, 9))

    return reader


def test_plain_results_go_by_id(read):
    predictions = read([item(score=0.2), item(category_id=4, score=0.7), item(image_id=1)])
    assert predictions.absent_ids is None
    assert predictions.failed_ids == ()
    assert [(f.class_id, f.score) for f in predictions.findings[3]] == [(0, 0.7), (1, 0.2)]  # highest first
    assert predictions.findings[2] == ()
    finding = predictions.findings[1][0]
    assert finding.box_xyxy == (2, 1, 5, 3)
    np.testing.assert_array_equal(mask_from_rle(finding.rle), MASK)
    assert finding.probabilities == ()


def test_equal_scores_keep_the_order_of_the_file(read):
    boxes = [[0, 0, 1, 1], [1, 1, 2, 2], [2, 2, 1, 1]]
    found = read([item(bbox=box) for box in boxes]).findings[3]
    assert [f.box_xyxy[0] for f in found] == [0, 1, 2]


def test_boxes_alone_and_masks_alone(read):
    box_only, mask_only, no_polygons = read(
        [item(segmentation=...), item(bbox=...), item(segmentation=[], score=0.1)]
    ).findings[3]
    assert box_only.rle is None
    assert no_polygons.rle is None
    assert mask_only.box_xyxy == (2, 1, 5, 3)


def test_all_three_forms_of_a_mask(read):
    uncompressed = {"size": [4, 6], "counts": [9, 2, 2, 2, 2, 2, 5]}
    found = read([item(segmentation=uncompressed), item(segmentation=[[2, 1, 5, 1, 5, 3, 2, 3]])]).findings[3]
    for finding in found:
        np.testing.assert_array_equal(mask_from_rle(finding.rle), MASK)


def test_own_form_goes_by_name(read):
    images = [listed(1, "y.png"), listed(2, "/data/b/x.png"), listed(3, "a\\x.png")]
    annotations = [
        item(image_id=1, category_id=1, class_probabilities={"malignant": 0.5, "benign": 0.25}),
        item(image_id=2, category_id=2),
    ]
    predictions = read(own_form(images, annotations))
    assert [len(predictions.findings[i]) for i in (1, 2, 3)] == [0, 1, 1]
    assert predictions.findings[3][0].class_id == 1
    assert predictions.findings[3][0].probabilities == (0.25, 0.5)
    assert predictions.findings[2][0].class_id == 0
    assert predictions.absent_ids == ()


def test_absent_and_failed_images_are_named(read):
    predictions = read(own_form([listed(1, "y.png", "failed"), listed(2, "b/x.png")]))
    assert predictions.absent_ids == (1,)
    assert predictions.failed_ids == (3,)
    assert predictions.findings == {1: (), 2: (), 3: ()}
    for status in ("not reached", "of a later version"):
        assert read(own_form([listed(1, "y.png", status)])).failed_ids == (3,)


def reading(*findings, **fields):
    return Reading(class_names=NAMES, size_hw=(4, 6), findings=findings, **fields)


def test_what_infer_writes_is_read_back(read):
    finding = Finding(1, 0.75, (2.0, 1.0, 5.0, 3.0), rle_from_mask(MASK), (0.25, 0.75))
    outcomes = [
        InferenceOutcome("y.png", reading(finding, Finding(0, 0.5, (0.0, 0.0, 1.0, 1.0), None))),
        failed("a/x.png", "truncated"),
        InferenceOutcome("b/x.png", reading()),
    ]
    predictions = read(predictions_document(outcomes, NAMES))
    assert predictions.findings == {1: (), 2: (), 3: outcomes[0].findings}
    assert (predictions.absent_ids, predictions.failed_ids) == ((), (1,))


def test_what_a_model_says_of_the_whole_image_is_read_back(read):
    notes = (Note("picture", "blank"), Note("size_reduced", "computed at 400 px"))
    of_image = {"image_probabilities": (0.25, 0.5, 0.25), "uncertainty": 0.0, "notes": notes}
    unplaced, uncertain = (
        Finding(0, 0.5, agreement=0.75),
        Finding(1, 0.25, (0.0, 0.0, 1.0, 1.0), None, (float("nan"), 0.25)),
    )
    written = [
        InferenceOutcome("y.png", reading(unplaced, uncertain, name="y.png", **of_image)),
        InferenceOutcome("a/x.png", reading(name="a/x.png")),
        InferenceOutcome("b/x.png", reading(name="b/x.png", image_probabilities=(1.0, 0.0, 0.0), marks_lesions=True)),
    ]
    document = json.loads(json.dumps(predictions_document(written, NAMES)).replace("NaN", "null"))
    assert document["annotations"][0]["bbox"] is None and document["annotations"][0]["agreement"] == 0.75
    assert "agreement" not in document["annotations"][1]
    assert document["images"][0]["notes"][1] == {"code": "size_reduced", "text": "computed at 400 px"}
    assert document["images"][1].keys() == {"image_id", "file_name", "width", "height", "status"}
    readings = read(document).readings
    assert [repr(readings[i]) for i in (3, 1, 2)] == [repr(outcome.reading) for outcome in written]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"image_probabilities": {"normal": 1}}, "malformed image_probabilities"),
        ({"image_probabilities": [1, 0, 0]}, "malformed image_probabilities"),
        ({"image_probabilities": {"normal": 1.5, "benign": 0, "malignant": 0}}, "image probability out of range"),
        ({"marks_lesions": "no"}, "malformed marks_lesions"),
        ({"uncertainty": -1}, "uncertainty out of range"),
        ({"notes": ["blank"]}, "malformed notes"),
        ({"timings_s": {"model": -1}}, "malformed timings_s"),
    ],
)
def test_malformed_images_are_named(read, entry, message):
    with pytest.raises(DataError, match=rf"images\[1\].*{message}"):
        read(own_form([listed(1, "y.png"), {**listed(2, "a/x.png"), **entry}], schema_version=2))


#: Written by segtumor 0.1.0 before a file could say anything of a whole image.
OLD_FILE = """{
  "schema_version": 1, "segtumor_version": "0.1.0", "notice": "Research use only. Not a medical device.",
  "categories": [{"id": 1, "name": "benign", "supercategory": "bone tumor"},
                 {"id": 2, "name": "malignant", "supercategory": "bone tumor"}],
  "images": [
    {"image_id": 1, "file_name": "scans/y.png", "width": 6, "height": 4, "status": "ok"},
    {"image_id": 2, "file_name": "scans/a/x.png", "width": null, "height": null, "status": "failed"},
    {"image_id": 3, "file_name": "scans/b/x.png", "width": 6, "height": 4, "status": "ok"}],
  "annotations": [
    {"image_id": 1, "category_id": 2, "bbox": [2.0, 1.0, 3.0, 2.0], "score": 0.75,
     "segmentation": {"size": [4, 6], "counts": "92222222:"},
     "class_probabilities": {"benign": 0.25, "malignant": 0.75}},
    {"image_id": 1, "category_id": 1, "bbox": [0.0, 0.0, 1.0, 1.0], "score": 0.5, "segmentation": null,
     "class_probabilities": {}}]
}"""


def test_files_of_the_first_version_are_still_read(read):
    old = OLD_FILE.replace("92222222:", rle_from_mask(MASK)["counts"])
    predictions = read(old)
    finding = Finding(1, 0.75, (2.0, 1.0, 5.0, 3.0), rle_from_mask(MASK), (0.25, 0.75))
    assert predictions.findings == {1: (), 2: (), 3: (finding, Finding(0, 0.5, (0.0, 0.0, 1.0, 1.0), None))}
    assert (predictions.absent_ids, predictions.failed_ids) == ((), (1,))
    found = predictions.readings[3]
    assert (found.image_probabilities, found.uncertainty, found.notes) == (None, None, ())
    assert (found.tumor_score, found.image_class(0.5)) == (0.75, 2)


def test_ids_serve_where_there_are_no_names(read):
    predictions = read(own_form([{"image_id": 2}], [item(image_id=2, category_id=1)]))
    assert len(predictions.findings[2]) == 1
    content = own_form([], [item(image_id=2, category_id=1)])
    del content["images"]
    assert len(read(content).findings[2]) == 1
    assert read(content).absent_ids is None


def coco_form(images, annotations):
    categories = [{"id": 7, "name": "benign"}, {"id": 8, "name": "malignant"}]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


@pytest.mark.parametrize("ids", [(5, 6), ("5", "6"), ("0a-uuid", "0b-uuid")])
def test_a_coco_file_whose_annotations_have_scores_is_read(read, ids):
    images = [{"id": ids[0], "file_name": "b/x.png", "width": 6, "height": 4}, {"id": ids[1], "file_name": "y.png"}]
    found = read(coco_form(images, [item(image_id=ids[0], category_id=8, id=1, iscrowd=0)]))
    assert [len(found.findings[i]) for i in (1, 2, 3)] == [0, 1, 0] and found.findings[2][0].class_id == 1
    assert found.absent_ids == (1,)
    with pytest.raises(DataError, match=r"images\[0\].*another size|another size"):
        read(coco_form([{**images[0], "width": 7}, images[1]], [item(image_id=ids[0], category_id=8)]))


@pytest.mark.parametrize(
    ("given", "expected"),
    [("y", 3), ("y.png", 3), ("a/x.png", 1), ("b/x", 2), ("2", 2), (2, 2), ("C:\\scans\\b\\x.png", 2)],
)
def test_ids_of_a_results_list_may_be_file_names(read, given, expected):
    found = read([item(image_id=given)]).findings
    assert [i for i in found if found[i]] == [expected]


@pytest.mark.parametrize("given", ["x", "x.png", "patient3/x.png", "y.jpg"])
def test_a_file_name_that_could_be_two_or_is_elsewhere_is_refused(read, given):
    with pytest.raises(DataError, match=r"could be 2 annotated images|not annotated"):
        read([item(image_id=given)])


def test_numbers_in_file_names_serve_as_ids_where_no_id_is_one(read, caplog):
    images = [AnnotatedImage(1, "000012.png", (4, 6)), AnnotatedImage(2, "a/000013.jpg", (4, 6))]
    assert [len(found) for found in read([item(image_id=13)], images).findings.values()] == [0, 1]
    assert "numbers in the file names" in caplog.text
    assert [len(found) for found in read([item(image_id=2)], images).findings.values()] == [0, 1]  # as COCO has it
    with pytest.raises(DataError, match="not annotated"):
        read([item(image_id=13), item(image_id=2)], images)
    with pytest.raises(DataError, match="'12' could be 2 annotated images"):
        read([item(image_id="12")], [AnnotatedImage(12, "1.png", (4, 6)), AnnotatedImage(1, "12.png", (4, 6))])


def test_what_takes_time_without_end_is_refused(read):
    with pytest.raises(DataError, match=r"too many findings \(got 10001; expected at most 10000"):
        read([item(segmentation=...)] * 10_001)
    for polygons in ([[0, 0, 1, 0, 1, 1]] * 1_001, [[0, 0, 6, 4] * 100_000], [[-6, -6, 12, 12] * 30_000]):
        with pytest.raises(DataError, match=r"\[0\]: outline too long"):
            read([item(segmentation=polygons)])


def test_the_same_path_wins_over_the_same_name(read):
    images = [AnnotatedImage(1, "x.png", (4, 6)), AnnotatedImage(2, "sub/x.png", (4, 6))]
    assert read(own_form([listed(5, "./x.png")]), images).absent_ids == (2,)
    assert read(own_form([listed(5, "/data/sub/x.png")]), images).absent_ids == (1,)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([listed(1, "x.png")], "could be 2 annotated images"),
        (
            [listed(1, "z.png"), listed(2, "y.png"), listed(3, "w.png")],
            r"2 images that are not annotated: z.png, w.png",
        ),
        ([listed(1, "y.png"), listed(2, "other/y.png")], "both match"),
        ([listed(1, "y.png"), listed(1, "a/x.png")], r"images\[1\].*occurs twice"),
        ([listed(None, "y.png")], "image id that is none"),
        ([listed([1], "y.png")], "image id that is none"),
        ([listed(9, ["y.png"])], r"not annotated: \['y.png'\]"),
        ([listed(1, "c/x.png")], "1 image that is not annotated: c/x.png"),  # of another patient
        ([listed(1, "y.jpg")], "not annotated: y.jpg"),
        ([{"image_id": 8}], "not annotated: 8"),
        ([{**listed(1, "y.png"), "height": 8}], "another size"),
        (["y.png"], "not a list of objects"),
    ],
)
def test_images_that_do_not_fit(read, images, message):
    with pytest.raises(DataError, match=message):
        read(own_form(images))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"category_id": 1}, "unknown category_id"),
        ({"category_id": True}, "unknown category_id"),
        ({"score": ...}, "score"),
        ({"score": 1.5}, "score"),
        ({"score": -0.1}, "score"),
        ({"score": float("nan")}, "score"),
        ({"score": "0.5"}, "score"),
        ({"bbox": [0, 0, 1]}, "bbox"),
        ({"bbox": [0, 0, -1, 1]}, "bbox"),
        ({"bbox": [0, 0, float("inf"), 1]}, "bbox"),
        ({"bbox": [0, 0, 10**400, 1]}, "bbox"),
        ({"bbox": ..., "segmentation": ...}, "bbox"),
        ({"segmentation": {"size": [6, 4], "counts": "0"}}, "another image size"),
        ({"segmentation": {"size": [4, 6], "counts": "1"}}, "does not fill"),
        ({"segmentation": {"size": [4, 6], "counts": "é"}}, "unreadable counts"),
        ({"segmentation": {"size": [4, 6], "counts": 3}}, "unreadable counts"),
        ({"segmentation": {"size": [4, 6], "counts": ["a"]}}, "malformed segmentation"),
        ({"segmentation": "mask"}, "neither polygons nor an RLE"),
        ({"segmentation": [[0, 0, 1, 1]]}, "malformed polygon"),
        ({"segmentation": [[0, 0, 1, 1, 1e9, 2]]}, "malformed polygon"),
        ({"class_probabilities": {"benign": 2}}, "probability"),
        ({"class_probabilities": {"cyst": 0.5}}, "class_probabilities"),
    ],
)
def test_malformed_items_are_named(read, changes, message):
    with pytest.raises(DataError, match=message) as caught:
        read([item(), item(**changes)])
    assert "[1]" in str(caught.value)


@pytest.mark.parametrize("image_id", [99, "4", "z", "", None, [3], True, 3.0])
def test_unknown_image_of_a_plain_result(read, image_id):
    with pytest.raises(DataError, match="not annotated"):
        read([item(image_id=image_id)])


@pytest.mark.parametrize("content", ["", "[1", "3", '"text"', "{}", '{"annotations": [], "categories": 3}', "[3]"])
def test_files_that_are_no_predictions(read, content):
    with pytest.raises(DataError):
        read(content)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_predictions(tmp_path / "none.json", HERE, class_names=NAMES, category_id_of_class=(1, 2))


def test_own_form_is_checked(read):
    with pytest.raises(DataError, match="schema version"):
        read(own_form([], schema_version=3))
    with pytest.raises(DataError, match="category that the annotations lack"):
        read(own_form([], categories=[{"id": 1, "name": "cyst"}]))
    with pytest.raises(DataError, match="occurs twice"):
        read(own_form([], categories=[{"id": 1, "name": "benign"}, {"id": 1, "name": "malignant"}]))
    with pytest.raises(DataError, match=r"annotations\[0\].*score"):
        read(own_form([listed(3, "y.png")], [item(category_id=1, score=2)]))


def test_an_empty_list_means_no_findings(read):
    assert read([]).findings == {1: (), 2: (), 3: ()}


def test_input_is_not_modified(read):
    images = copy.deepcopy(HERE)
    read([item()], images)
    assert images == HERE


@pytest.mark.parametrize("form", ["segtumor", "plain"])
def test_images_that_are_not_annotated_are_left_out_if_asked(tmp_path, form):
    image = AnnotatedImage(7, "a.png", (4, 4))
    found = [
        {"image_id": i, "category_id": 1, "bbox": [0, 0, 2, 2], "score": 0.9}
        for i in ((7, 8, 9) if form == "plain" else (1, 2, 3))
    ]
    content = found
    if form == "segtumor":
        names = {1: "scans/a.png", 2: "b.png", 3: "c.png"}
        content = {
            "images": [{"image_id": i, "file_name": name, "status": "ok"} for i, name in names.items()],
            "categories": [{"id": 1, "name": "benign"}],
            "annotations": found,
        }
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps(content))
    kinds = {"class_names": ["benign"], "category_id_of_class": [1]}
    with pytest.raises(DataError, match="not annotated"):
        read_predictions(path, [image], **kinds)
    predictions = read_predictions(path, [image], **kinds, only_annotated=True)
    assert predictions.n_left_out == 2
    assert [len(f) for f in predictions.findings.values()] == [1]


@pytest.mark.parametrize(
    ("content", "only_annotated"),
    [
        (own_form([]), False),
        (own_form([listed(1, "other.png")]), True),
        ([item(image_id=99)], True),
        ({**own_form([listed(1, "y.png")]), "images": []}, True),
    ],
)
def test_predictions_of_other_images_are_refused(tmp_path, content, only_annotated):
    (tmp_path / "p.json").write_text(json.dumps(content))
    options = {"class_names": NAMES, "category_id_of_class": (4, 9), "only_annotated": only_annotated}
    with pytest.raises(DataError, match="no image in common with the annotations"):
        read_predictions(tmp_path / "p.json", HERE, **options)


TRUTH = {
    "images": [{"id": 3, "file_name": "y.png", "width": 6, "height": 4}],
    "annotations": [],
    "categories": [{"id": 4, "name": "benign"}, {"id": 9, "name": "malignant"}],
}


@pytest.mark.parametrize("annotations", [[], [{"id": 1, "image_id": 3, "category_id": 4, "bbox": [0, 0, 2, 2]}]])
def test_annotations_in_the_place_of_predictions_are_recognised(read, annotations):
    with pytest.raises(DataError, match=r"this is an annotation file.*Swapped with --annotations\?"):
        read({**TRUTH, "annotations": annotations})


@pytest.mark.parametrize("content", [own_form([listed(1, "y.png")]), own_form([]), [item()]])
def test_predictions_in_the_place_of_annotations_are_recognised(tmp_path, content):
    (tmp_path / "p.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"this is a predictions file.*Swapped with --predictions\?"):
        load_coco(tmp_path / "p.json", check_files=False)


@pytest.mark.parametrize("content", ["image,x0,y0\r\na.png,1,2\r\n", "\ufeffreader;image\n"])
def test_a_table_is_not_called_cut_off(read, content):
    with pytest.raises(DataError, match="is not JSON") as caught:
        read(content)
    assert "cut off" not in str(caught.value)


def test_annotations_may_have_a_schema_version(tmp_path):
    (tmp_path / "truth.json").write_text(json.dumps({**TRUTH, "schema_version": "1.0"}))
    assert len(load_coco(tmp_path / "truth.json", check_files=False).images) == 1


def test_similar_images_are_read_back():
    similar = [{"file_name": "a.png", "case_id": "c1", "label": "normal", "distance": 0.25}]
    assert reading_fields({"similar": similar}, ("benign",))["similar"] == (Similar("a.png", "c1", "normal", 0.25),)
    assert "similar" not in reading_fields({}, ("benign",))


@pytest.mark.parametrize("given", ["x", [1], [{"file_name": "a.png"}], [{"distance": "near"}], [{"distance": True}]])
def test_similar_images_that_are_none_are_said(given):
    with pytest.raises(DataError, match="malformed similar"):
        reading_fields({"similar": given}, ("benign",))
