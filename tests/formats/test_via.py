"""Files of the VGG Image Annotator to a collection."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from segtumor.annotations.remarks import kinds_of
from segtumor.errors import DataError
from segtumor.formats import via
from segtumor.formats.sources.image_folder import ImageFolder

POLYGON = {"name": "polygon", "all_points_x": [2, 9, 9], "all_points_y": [1, 1, 7.5]}
TRIANGLE = [[2, 1, 9, 1, 9, 7.5]]


def _region(shape, attributes=None):
    return {"shape_attributes": shape, "region_attributes": {"type": "benign"} if attributes is None else attributes}


def _entry(*regions, name="a.png", file_attributes=None, by_number=False):
    listed = {str(n): region for n, region in enumerate(regions)} if by_number else list(regions)
    return {"filename": name, "size": 77, "regions": listed, "file_attributes": file_attributes or {}}


def _read(tmp_path, *entries, project=False, names=("a.png", "b.png")):
    document = {f"{entry['filename']}77": entry for entry in entries}
    if project:
        document = {"_via_settings": {"core": {}}, "_via_img_metadata": document, "_via_attributes": {"region": {}}}
    (tmp_path / "via.json").write_text(json.dumps(document))
    for name in names:
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (20, 10)).save(tmp_path / "images" / name)
    assert via.recognises(tmp_path / "via.json") and via.recognises(tmp_path)
    return via.read(tmp_path / "via.json", ImageFolder(tmp_path / "images"))


@pytest.mark.parametrize("by_number", [False, True])
@pytest.mark.parametrize("project", [False, True])
def test_versions_and_the_saved_project(tmp_path, by_number, project):
    collection = _read(tmp_path, _entry(_region(POLYGON), by_number=by_number), project=project)
    ((region,),) = [image.regions for image in collection.images]
    assert (region.label, region.segmentation, region.box_xywh) == ("benign", TRIANGLE, None)
    assert collection.left_out == collection.notes == []


@pytest.mark.parametrize(
    ("options", "value", "label"),
    [
        ({"0": "benign", "1": "malignant"}, "1", "malignant"),
        ({"0": "benign", "1": "malignant"}, {"0": True}, "benign"),
        ({"0": "", "1": "malignant"}, "0", "0"),
        ({"mt": "a malignant tumour"}, "mt", "mt"),
        (["odd"], "1", "1"),
    ],
)
def test_the_numbers_of_a_projects_options_are_their_descriptions(tmp_path, options, value, label):
    project = {
        "_via_settings": {},
        "_via_img_metadata": {"a.png77": _entry(_region(POLYGON, {"type": value}))},
        "_via_attributes": {"region": {"type": {"type": "radio", "options": options}}},
    }
    (tmp_path / "via.json").write_text(json.dumps(project))
    Image.new("L", (20, 10)).save(tmp_path / "a.png")
    (image,) = via.read(tmp_path / "via.json", ImageFolder(tmp_path)).images
    assert image.regions[0].label == label


def _center_and_radii(points):
    points = np.reshape(points, (-1, 2))
    return *points.mean(axis=0).round(3).tolist(), *(np.ptp(points, axis=0) / 2).round(1).tolist()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ({"name": "circle", "cx": 9, "cy": 5, "r": 4}, (9, 5, 4, 4)),
        ({"name": "ellipse", "cx": 9, "cy": 5, "rx": 4, "ry": 2}, (9, 5, 4, 2)),
        ({"name": "ellipse", "cx": 9, "cy": 5, "rx": 4, "ry": 2, "theta": math.pi / 2}, (9, 5, 2, 4)),
    ],
)
def test_round_shapes(tmp_path, shape, expected):
    (image,) = _read(tmp_path, _entry(_region(shape))).images
    assert _center_and_radii(image.regions[0].segmentation[0]) == expected


def test_rectangles_and_closed_polylines_and_what_has_no_area(tmp_path):
    closed = {"name": "polyline", "all_points_x": [2, 9, 9, 2], "all_points_y": [1, 1, 7.5, 1]}
    shapes = [{"name": "rect", "x": 1, "y": 2, "width": 5, "height": 4}, closed, {"name": "point", "cx": 1, "cy": 1}]
    shapes.append({**closed, "all_points_x": [2, 9, 9, 3]})
    collection = _read(tmp_path, _entry(*map(_region, shapes)))
    box, outline = collection.images[0].regions
    assert (box.segmentation, box.box_xywh, outline.segmentation) == (None, (1, 2, 5, 4), TRIANGLE)
    assert [(note.kind, note.detail) for note in collection.notes] == [("shape not usable", "point, polyline")]


@pytest.mark.parametrize(
    ("attributes", "label", "kept"),
    [
        ({"tumor": "malignant"}, "malignant", {}),
        ({"note": "near the joint", "label": "malignant"}, "malignant", {"attributes": {"note": "near the joint"}}),
        ({"type": {"benign": False, "malignant": True}}, "malignant", {}),
        ({"Class": "malignant", "": ""}, "malignant", {}),
        ({}, "lesion", {}),
    ],
)
def test_the_class_of_a_region(tmp_path, attributes, label, kept):
    collection = _read(tmp_path, _entry(_region(POLYGON, attributes)))
    assert (collection.images[0].regions[0].label, collection.images[0].regions[0].extra) == (label, kept)
    assert kinds_of(collection.notes) == ({"regions without attributes, called lesion": 1} if not attributes else {})


@pytest.mark.parametrize(
    ("region", "kind"),
    [
        (_region(POLYGON, {"type": {"benign": True, "malignant": True}}), "several classes of one region"),
        (_region(POLYGON, {"a": "x", "b": "y"}), "which attribute is the class?"),
        (_region({**POLYGON, "all_points_x": [1, 2]}), "polygon not readable"),
        (_region({"name": "rect", "x": 1, "y": None, "width": 2, "height": 2}), "number not readable"),
        (_region({"name": "point", "cx": 1, "cy": 1}), "shape not usable"),
    ],
)
def test_an_image_with_an_unknown_lesion_is_left_out(tmp_path, region, kind):
    collection = _read(tmp_path, _entry(region))
    assert [(remark.image, remark.kind) for remark in collection.left_out] == [("a.png", kind)]


def test_images_without_regions_are_normal_only_if_called_so(tmp_path):
    collection = _read(tmp_path, _entry(), _entry(name="b.png", file_attributes={"finding": "Normal"}))
    assert [(image.file_name, image.attributes) for image in collection.images] == [
        ("b.png", {"image_label": "normal"})
    ]


def test_csv(tmp_path):
    shape, attributes = json.dumps(POLYGON), json.dumps({"type": "benign"})
    quoted = ['"' + text.replace('"', '""') + '"' for text in (shape, attributes)]
    header = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
    for first in ("", "#"):
        rows = [first + header, f'a.png,77,"{{}}",1,0,{quoted[0]},{quoted[1]}', 'b.png,77,"{}",0,0,"{}","{}"']
        (tmp_path / "via.csv").write_text("\n".join(rows))
        Image.new("L", (20, 10)).save(tmp_path / "a.png")
        assert via.recognises(tmp_path / "via.csv")
        (image,) = via.read(tmp_path / "via.csv", ImageFolder(tmp_path)).images
        assert (image.file_name, image.regions[0].segmentation) == ("a.png", TRIANGLE)


def test_folders_of_parts(tmp_path):
    for folder in ("train", "val"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "via_region_data.json").write_text(json.dumps({"a.png77": _entry(_region(POLYGON))}))
        Image.new("L", (20, 10)).save(tmp_path / folder / "a.png")
    collection = via.read(tmp_path, ImageFolder(tmp_path))
    assert [(i.file_name, i.attributes) for i in collection.images] == [
        ("train/a.png", {"part": "train"}),
        ("val/a.png", {"part": "val"}),
    ]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"project": {}, "file": {}, "metadata": {}, "view": {}, "_via_settings": {}}, "VIA 3 is not read"),
        ({"a": {"regions": []}}, "is not a file of VIA"),
        ({"a": {"filename": "a.png", "regions": 5}}, "regions is not a list"),
    ],
)
def test_what_is_none_is_refused(tmp_path, document, message):
    (tmp_path / "x.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match=message):
        via.read(tmp_path / "x.json", ImageFolder(tmp_path))
