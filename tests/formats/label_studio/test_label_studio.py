"""Label Studio's JSON to a collection and back."""

import base64
import io
import json

import numpy as np
import pytest
from defusedxml.ElementTree import parse
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from repository import ROOT
from round_trips import UnseenImages, written_and_read

from segtumor.annotations.coco import dataset_of
from segtumor.annotations.remarks import kinds_of
from segtumor.errors import DataError
from segtumor.formats import label_studio
from segtumor.formats.collection import Region, SourceImage
from segtumor.formats.conversion.assemble import assemble
from segtumor.formats.label_studio.brush_rle import brush_from_mask
from segtumor.formats.label_studio.tasks import names_of
from segtumor.formats.shapes.drawn_boxes import rotated_box, rotated_box_polygon
from segtumor.formats.sources.image_folder import ImageFolder
from segtumor.structures.masks import mask_from_rle

EXAMPLES = ROOT / "datasets" / "examples"
SIZE_HW = (40, 80)
IMAGES = UnseenImages(["a.png", "b c.png", "sub/d.png", "1a2b3c4d-own.png"], SIZE_HW)
TRIANGLE = [[10, 10], [50, 10], [50, 50]]
TRIANGLE_PX = [[8, 4, 40, 4, 40, 20]]


def _result(value, kind="polygonlabels", label="benign", **more):
    labels = {} if label is None else {kind: [label]}
    common = {"type": kind, "from_name": "label", "to_name": "image", "original_width": 80, "original_height": 40}
    return {**common, "image_rotation": 0, "value": {**value, **labels}, **more}


def _task(*results, image="/data/upload/3/0f0f0f0f-a.png", **more):
    return {"id": 1, "annotations": [{"id": 5, "result": list(results)}], "data": {"image": image}, **more}


def _read(tmp_path, *tasks):
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks))
    return label_studio.read(path, IMAGES)


def _regions(tmp_path, *results):
    collection = _read(tmp_path, _task(*results))
    assert not collection.left_out
    return collection.images[0].regions


def _reason(tmp_path, task):
    collection = _read(tmp_path, task)
    assert not collection.images
    return collection.left_out[0].kind


def test_the_example_has_three_lesions():
    source = EXAMPLES / "label-studio"
    assert label_studio.recognises(source) and label_studio.recognises(source / "project-3.json")
    collection = label_studio.read(source, ImageFolder(EXAMPLES / "images"))
    assert not collection.left_out and not collection.notes
    document = assemble(collection).document
    truth = json.loads((EXAMPLES / "coco" / "annotations.json").read_text())
    assert [c["name"] for c in document["categories"]] == ["benign", "malignant"]
    assert [image["image_label"] for image in document["images"]] == ["benign", "malignant", "normal"]
    for got, expected in zip(document["annotations"], truth["annotations"], strict=True):
        assert (got["image_id"], got["category_id"]) == (expected["image_id"], expected["category_id"])
        assert got["segmentation"] == expected["segmentation"]
        assert got["bbox"] == expected["bbox"]


@pytest.mark.parametrize(
    "value",
    [
        {"images": [], "annotations": [], "categories": []},
        [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5}],
        {"version": "5.0", "shapes": [], "imagePath": "a.png"},
        [],
        [{"annotations": []}],
        "text",
    ],
)
def test_other_files_are_not_claimed(tmp_path, value):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(value))
    assert not label_studio.recognises(path) and not label_studio.recognises(tmp_path)


def test_shapes_in_percent_of_the_picture(tmp_path):
    polygon, box, turned, ellipse = _regions(
        tmp_path,
        _result({"points": TRIANGLE, "closed": True}),
        _result({"x": 12.5, "y": 2.5, "width": 50, "height": 50, "rotation": 0}, "rectanglelabels", "malignant"),
        _result({"x": 50, "y": 25, "width": 10, "height": 10, "rotation": 90}, "rectanglelabels"),
        _result({"x": 50, "y": 50, "radiusX": 5, "radiusY": 20, "rotation": 90}, "ellipselabels"),
    )
    assert polygon == Region("benign", TRIANGLE_PX)
    assert box == Region("malignant", None, (10, 1, 40, 20))
    assert turned.segmentation[0] == pytest.approx([40, 10, 40, 18, 36, 18, 36, 10])  # about its top left corner
    points = np.reshape(ellipse.segmentation[0], (-1, 2))
    assert np.hypot((points[:, 0] - 40) / 8, (points[:, 1] - 20) / 4) == pytest.approx(np.ones(len(points)))


def test_a_shape_and_its_labels_may_be_two_results(tmp_path):
    collection = _read(
        tmp_path,
        _task(
            _result({"points": TRIANGLE}, "polygon", None, id="r1"),
            _result({"points": TRIANGLE}, "labels", "malignant", id="r1"),
            {"id": "r1", "type": "choices", "value": {"points": TRIANGLE, "choices": ["sharp"]}},
            _result({"points": TRIANGLE, "polygonlabels": ["benign", "cyst"]}, "polygonlabels", None, id="r2"),
            {"type": "relation", "from_id": "r1", "to_id": "r2", "direction": "right"},
        ),
    )
    first, second = collection.images[0].regions
    assert first == Region("malignant", TRIANGLE_PX, None, {"choices": ["sharp"]})
    assert second.label == "benign"
    assert kinds_of(collection.notes) == {"several labels on one region, the first used": 1, "result not used": 1}


def _mask():
    mask = np.zeros(SIZE_HW, dtype=bool)
    mask[5:15, 20:60] = True
    mask[8:10, 30:35] = False
    return mask


def _png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize(
    "value",
    [
        {"format": "rle", "rle": brush_from_mask(_mask())},
        {"imageDataURL": _png(np.where(_mask(), 255, 0).astype(np.uint8))},
        {"imageDataURL": _png(np.dstack([np.zeros((*SIZE_HW, 3)), np.where(_mask(), 9, 0)]).astype(np.uint8))},
    ],
)
def test_brush_and_bitmask_keep_their_holes(tmp_path, value):
    (region,) = _regions(tmp_path, _result(value, "brushlabels"))
    assert np.array_equal(mask_from_rle(region.segmentation), _mask())


@pytest.mark.parametrize(
    "text", ["data:image/png;base64,AAAA", "data:image/jpeg;base64,", "http://x", 5, _png(np.ones((4, 4), np.uint8))]
)
def test_bitmasks_that_are_wrong_leave_the_image_out(tmp_path, text):
    assert _reason(tmp_path, _task(_result({"imageDataURL": text}, "bitmasklabels"))) == "mask not readable"


def test_sizes_that_differ(tmp_path):
    double = {"original_width": 160, "original_height": 80}
    large = np.kron(_mask(), np.ones((2, 2), dtype=bool))
    collection = _read(
        tmp_path,
        _task(
            _result({"points": TRIANGLE}, **double),
            _result({"rle": brush_from_mask(large)}, "brushlabels", **double),
            _result({"points": TRIANGLE}, original_width=0, original_height=None, image_rotation=90),
        ),
    )
    polygon, brush, unstated = collection.images[0].regions
    assert polygon.segmentation == unstated.segmentation == TRIANGLE_PX
    assert np.array_equal(mask_from_rle(brush.segmentation), _mask())
    assert kinds_of(collection.notes) == {
        "outlines scaled to the size of the image": 1,
        "picture was turned on the screen, outlines are not": 1,
    }
    turned = _task(_result({"points": TRIANGLE}, original_width=40, original_height=80))
    assert _reason(tmp_path, turned) == "outlines drawn on an image of another shape"


@pytest.mark.parametrize(
    ("reference", "names"),
    [
        ("/data/upload/3/1a2b3c4d-x.png", ["1a2b3c4d-x.png", "x.png"]),
        ("/upload/1a2b3c-b%20c.png", ["1a2b3c-b%20c.png", "1a2b3c-b c.png", "b c.png"]),
        ("/up/20240101-b%20c.png", ["/up/20240101-b%20c.png", "/up/20240101-b c.png"]),
        ("/data/local-files/?d=sub/b%20c.png", ["sub/b c.png"]),
        ("http://localhost:8080/data/local-files/?d=sub%2Fd.png", ["sub/d.png"]),
        ("s3://bucket/sub/d.png", ["sub/d.png"]),
        ("https://example.org/x/y/a.png?token=1", ["x/y/a.png"]),
        ("C:\\scans\\a.png", ["C:\\scans\\a.png"]),
        ("http://[broken/a.png", ["http://[broken/a.png"]),
    ],
)
def test_names_that_an_image_may_have(reference, names):
    assert names_of(reference) == names


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("/data/upload/3/0f0f0f0f-a.png", "a.png"),
        ("/data/upload/1a2b3c4d-own.png", "1a2b3c4d-own.png"),
        ("/data/local-files/?d=images/b%20c.png", "b c.png"),
        ("gs://bucket/sub/d.png", "sub/d.png"),
    ],
)
def test_images_are_found(tmp_path, reference, name):
    collection = _read(tmp_path, _task(image=reference))
    assert collection.images == [SourceImage(name, SIZE_HW)] and not collection.notes


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"data": {"image": "../../etc/passwd"}}, "image listed but not in the folder"),
        ({"data": {"image": "data:image/png;base64,AAAA"}}, "picture embedded as a data URI"),
        ({"data": {"image": ["a.png", "b.png"]}}, "several images in one task"),
        ({"data": {"left": "a.png", "right": "b.png"}}, "several images in one task"),
        ({"data": {"text": "nothing"}}, "task without an image"),
        ({"data": None}, "task without an image"),
        ({"annotations": []}, "not annotated"),
        ({"annotations": None, "predictions": [{"result": []}]}, "not annotated"),
        ({"annotations": [{"result": [], "was_cancelled": True}]}, "skipped in Label Studio"),
        ({"annotations": [{"result": None}]}, "annotation not readable"),
        ({"annotations": [{"result": ["text"]}]}, "annotation not readable"),
        ({"annotations": [{"result": [_result({"points": TRIANGLE}, item_index=1)]}]}, "several images in one task"),
    ],
)
def test_tasks_that_tell_nothing_are_left_out(tmp_path, change, kind):
    assert _reason(tmp_path, {**_task(), **change}) == kind


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (_result({"x": 1, "y": 1, "width": 0.5}, "keypointlabels"), "shape not usable"),
        (_result({"vertices": []}, "vectorlabels"), "shape not usable"),
        (_result({"points": TRIANGLE}, label=None), "annotation without a label"),
        (_result({"points": [[1, 2], [3]]}), "polygon not readable"),
        (_result({"points": 7}), "polygon not readable"),
        (_result({"points": TRIANGLE, "closed": False}), "polygon is not closed"),
        (_result({"points": [[1, 2], [3, float("nan")], [1, 1]]}), "number not readable"),
        (_result({"points": [[1, 2], [3, "4"], [1, 1]]}), "number not readable"),
        (_result({"x": 1, "y": 1, "width": True, "height": 2}, "rectanglelabels"), "number not readable"),
        (_result({"x": 1, "y": 1, "width": 1, "height": 2, "rotation": "a"}, "rectanglelabels"), "number not readable"),
        (_result({"x": 1, "y": 1, "radiusX": -1, "radiusY": 2}, "ellipselabels"), "radius is negative"),
        (_result({"rle": [1, 2, 3]}, "brushlabels"), "mask not readable"),
        (
            {"type": "choices", "value": {"choices": ["Malignant"]}},
            "called a tumour, but no lesion is annotated",
        ),
    ],
)
def test_an_image_whose_lesion_cannot_be_known_is_left_out(tmp_path, result, kind):
    assert _reason(tmp_path, _task(result)) == kind


def test_which_annotation_counts(tmp_path):
    def annotation(label, **more):
        return {"result": [_result({"points": TRIANGLE}, label=label)], **more}

    old, new = (
        annotation("old", updated_at="2026-01-01T00:00:00Z"),
        annotation("new", updated_at="2026-01-02T00:00:00Z"),
    )
    truth, skipped = annotation("truth", ground_truth=True), annotation("skipped", was_cancelled=True, updated_at="3")
    for annotations, label, count in (
        ([new, old, skipped], "new", 1),
        ([truth, new], "truth", 1),
        ([skipped, old], "old", 0),
    ):
        collection = _read(tmp_path, {**_task(), "annotations": annotations})
        assert collection.images[0].regions[0].label == label
        assert len(collection.notes) == count
    completions = {"completions": [old], "data": {"img": "a.png"}}
    assert _read(tmp_path, completions).images[0].regions[0].label == "old"


def test_choices_and_data_become_attributes(tmp_path):
    words = [{"type": "choices", "value": {"choices": [word]}} for word in ("Benign", "poor quality")]
    task = _task(_result({"points": TRIANGLE}), *words)
    task["data"] |= {"case_id": 17, "part": "val", "patient": "Nobody"}
    (image,) = _read(tmp_path, task).images
    assert image.attributes == {"image_label": "benign", "choices": ["poor quality"], "case_id": "17", "part": "val"}


def test_a_shape_without_an_area_beside_others_is_told(tmp_path):
    point = _result({"x": 1, "y": 1, "width": 0.5}, "keypointlabels")
    collection = _read(tmp_path, _task(point, _result({"points": TRIANGLE})))
    assert len(collection.images[0].regions) == 1
    assert kinds_of(collection.notes) == {"shape not usable": 1}


def test_json_min(tmp_path):
    polygon = {"points": TRIANGLE, "closed": True, "polygonlabels": ["benign"]}
    box = {"x": 12.5, "y": 2.5, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": ["benign"]}
    size = {"original_width": 80, "original_height": 40}
    common = {"annotator": 1, "lead_time": 3.2, "created_at": "2026-01-01", "updated_at": "2026-01-01"}
    tasks = [
        {"image": "/data/upload/1/aaaaaaaa-a.png", "id": 1, "label": [{**polygon, **size}, {**box, **size}]}
        | {"choice": "benign", "annotation_id": 1, **common},
        {"picture": "sub/d.png", "id": 2, "annotation_id": 2, **common},
        {"picture": "sub/d.png", "id": 2, "annotation_id": 3, **common, "updated_at": "2026-02-01", "choice": "normal"},
    ]
    collection = _read(tmp_path, *tasks)
    assert label_studio.recognises(tmp_path)
    first, second = collection.images
    assert first.regions == (Region("benign", TRIANGLE_PX), Region("benign", None, (10, 1, 40, 20)))
    assert first.attributes == {"image_label": "benign"}
    assert second == SourceImage("sub/d.png", SIZE_HW, (), {"image_label": "normal"})
    assert kinds_of(collection.notes) == {"annotated several times, one used": 1}


@pytest.mark.parametrize("text", ["", "{", '{"data": {}}', "5", "[" * 100000])
def test_a_file_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "export.json"
    path.write_text(text)
    with pytest.raises(DataError):
        label_studio.read(path, IMAGES)


def test_of_several_files_only_exports_are_read(tmp_path):
    (tmp_path / "conversion_report.json").write_text("{}")
    (tmp_path / "bad.json").write_text('[{"annotations": [{"result": ')
    _read(tmp_path, _task(), "text")
    collection = label_studio.read(tmp_path, IMAGES)
    assert [image.file_name for image in collection.images] == ["a.png"]
    assert [(remark.image, remark.kind) for remark in collection.left_out] == [
        ("bad.json", "annotation file not readable"),
        ("export.json, task number 1", "not a task"),
    ]


def _again(tmp_path, regions, attributes=None):
    return written_and_read(label_studio, tmp_path, SourceImage("b c.png", SIZE_HW, tuple(regions), attributes or {}))


_coordinates = st.floats(0, 40, allow_subnormal=False)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(_coordinates, _coordinates), min_size=0, max_size=8))
def test_polygons_come_back(tmp_path_factory, points):
    polygon = [10, 10, 20, 10, 20, 20] + [value for point in points for value in point]
    before, after, _ = _again(tmp_path_factory.mktemp("ls"), [Region("benign", [polygon]), Region("x", TRIANGLE_PX)])
    for got, expected in zip(after["annotations"], before["annotations"], strict=True):
        assert got["segmentation"][0] == pytest.approx(expected["segmentation"][0], abs=1e-8)


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.integers(1, 10**7)] * 4), st.sampled_from([10**6, 10**4]))
def test_boxes_come_back_exactly(tmp_path_factory, numbers, unit):
    box = tuple(round(number / unit % 19 + 0.000001, 6) for number in numbers)
    before, after, remarks = _again(tmp_path_factory.mktemp("ls"), [Region("benign", None, box)])
    assert after["annotations"] == before["annotations"] and not remarks
    assert after["annotations"][0]["bbox"] == list(box)


def test_what_else_comes_back(tmp_path):
    corner, center = rotated_box((52.13, 8, 9.57, 5), 30, "corner"), rotated_box((12, 8, 9, 5), 333.25, "center")
    regions = [Region("benign", [rotated_box_polygon(box)], None, {"rotated_box": box}) for box in (corner, center)]
    regions.append(Region('a<"&b', TRIANGLE_PX, None, {"choices": ["sharp", "<"]}))
    attributes = {"image_label": "malignant", "choices": ["blurred", "<&>"], "case_id": "c1", "part": "train"}
    before, after, remarks = _again(tmp_path, regions, attributes)
    assert not remarks
    assert after["images"] == before["images"]
    for got, expected in zip(after["annotations"], before["annotations"], strict=True):
        assert got["segmentation"][0] == pytest.approx(expected["segmentation"][0], abs=0.01)
    assert after["annotations"][0]["rotated_box"] == corner
    assert after["annotations"][2]["choices"] == ["sharp", "<"]
    names = {element.get("name") for element in parse(tmp_path / "label_config.xml").iter() if element.get("name")}
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert {result["from_name"] for result in tasks[0]["annotations"][0]["result"]} < names


def test_what_the_format_cannot_hold_is_told(tmp_path):
    two = [[1, 1, 9, 1, 9, 9], [21, 21, 29, 21, 29, 29]]
    _, after, remarks = _again(tmp_path, [Region("x", two), Region("x", TRIANGLE_PX, (0, 0, 50, 30))])
    assert kinds_of(remarks) == {
        "outline of several parts written as a mask": 1,
        "box left out, an outline has its own": 1,
    }
    assert isinstance(after["annotations"][0]["segmentation"], dict)
    empty = dataset_of({"images": [], "annotations": [], "categories": [{"id": 1, "name": "x"}]}, "images")
    assert label_studio.write(empty, tmp_path / "none.json") == []
    assert json.loads((tmp_path / "none.json").read_text()) == []
