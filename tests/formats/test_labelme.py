"""LabelMe folders to a Collection and back."""

import base64
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from repository import ROOT

from segtumor.annotations.coco import dataset_of
from segtumor.annotations.remarks import kinds_of
from segtumor.errors import DataError
from segtumor.formats import coco, labelme
from segtumor.formats.conversion.assemble import assemble
from segtumor.formats.sources.image_folder import ImageFolder
from segtumor.structures.masks import mask_from_rle

EXAMPLES = ROOT / "datasets" / "examples"
POLYGON = [[2, 2], [10, 2], [10, 8]]


def _png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _text(data):
    return base64.b64encode(data).decode("ascii")


def _shape(kind, points, label="benign", **more):
    return {"label": label, "shape_type": kind, "points": points, "group_id": None, "flags": {}, **more}


def _json(tmp_path, *shapes, name="a.json", **more):
    document = {"version": "5.4.1", "flags": {}, "shapes": list(shapes), "imagePath": "a.png", "imageData": None}
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**document, "imageHeight": 20, "imageWidth": 30, **more}))


def _read(tmp_path, images=("a.png",), size_hw=(20, 30)):
    (tmp_path / "images").mkdir(exist_ok=True)
    for name in images:
        (tmp_path / "images" / name).write_bytes(_png(np.zeros(size_hw)))
    return labelme.read(tmp_path, ImageFolder(tmp_path / "images"))


def _regions(tmp_path, *shapes, **more):
    _json(tmp_path, *shapes, **more)
    (image,) = _read(tmp_path).images
    return image.regions


def _again(collection, folder):
    """Collection -> COCO -> LabelMe -> Collection."""
    dataset = dataset_of(assemble(collection).document, collection.root)
    lost = labelme.write(dataset, folder)
    return labelme.read(folder, ImageFolder(collection.root)), lost


def test_polygon_and_label_as_written(tmp_path):
    (region,) = _regions(tmp_path, _shape("polygon", POLYGON, " Other  BT ", description="left", flags={"sure": True}))
    assert (region.label, region.segmentation) == ("Other  BT", [[2, 2, 10, 2, 10, 8]])
    assert (region.box_xywh, region.extra) == (None, {"description": "left", "flags": {"sure": True}})


def test_a_rectangle_alone_stays_a_box(tmp_path):
    (region,) = _regions(tmp_path, _shape("rectangle", [[9.3, 8], [0.1, 2]]))
    assert (region.segmentation, region.box_xywh) == (None, (0.1, 2, 9.2, 6))


def test_rectangle_and_polygon_of_one_lesion_are_joined_and_it_is_told(tmp_path):
    _json(tmp_path, _shape("rectangle", [[1, 1], [11, 9]]), _shape("polygon", POLYGON))
    collection = _read(tmp_path)
    (region,) = collection.images[0].regions
    assert region.segmentation == [[2, 2, 10, 2, 10, 8]] and region.extra == {"drawn_box": [1, 1, 10, 8]}
    assert kinds_of(collection.notes) == {"rectangle and polygon of one lesion, joined": 1}


def test_shapes_of_one_group_and_label_are_one_lesion(tmp_path):
    second = [[20, 10], [25, 10], [25, 15]]
    shapes = [_shape("polygon", points, group_id=4) for points in (POLYGON, second)]
    first, other = _regions(tmp_path, *shapes, _shape("polygon", second, "malignant", group_id=4))
    assert len(first.segmentation) == 2 and first.extra == {"group_id": 4}
    assert other.label == "malignant"


def test_a_circle_is_a_polygon_that_remembers(tmp_path):
    (region,) = _regions(tmp_path, _shape("circle", [[10, 10], [13, 14]]))
    points = np.reshape(region.segmentation[0], (-1, 2))
    assert np.allclose(np.hypot(*(points - 10).T), 5) and region.extra == {"circle": [10, 10, 5]}


RING = np.ones((4, 5), dtype=np.uint8)
RING[1:3, 2] = 0


def test_a_mask_keeps_its_hole(tmp_path):
    (region,) = _regions(tmp_path, _shape("mask", [[3, 2], [7, 5]], mask=_text(_png(RING))))
    mask = mask_from_rle(region.segmentation)
    assert mask.shape == (20, 30) and mask.sum() == 18
    assert np.array_equal(mask[2:6, 3:8], RING)


@pytest.mark.parametrize(("corner", "kept"), [((-2, -1), RING[1:, 2:]), ((28, 18), RING[:2, :2]), ((0, 0), RING)])
def test_a_mask_over_the_border_is_cut(tmp_path, corner, kept):
    x, y = corner
    (region,) = _regions(tmp_path, _shape("mask", [[x, y], [x + 4, y + 3]], mask=_text(_png(RING))))
    mask = mask_from_rle(region.segmentation)
    assert np.array_equal(mask[max(y, 0) :, max(x, 0) :][: kept.shape[0], : kept.shape[1]], kept)
    assert mask.sum() == kept.sum()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (_shape("line", [[1, 1], [5, 5]]), "is a line"),
        (_shape("mask", [[3, 2], [7, 6]], mask=_text(_png(RING))), "not as its corners say"),
        (_shape("mask", [[3, 2], [7, 5]], mask="?"), "not base64"),
        (_shape("mask", [[3, 2], [7, 5]]), "not base64"),
        (_shape("mask", [[3, 2], [7, 5]], mask=_text(_png(RING)[:-30])), "damaged"),
        (_shape("mask", [[3, 2], [7, 5]], mask=_text(_png(RING * 0))), "has no area"),
        (_shape("circle", [[3, 2], [3, 2]]), "has no area"),
        (_shape("circle", [[3, 2]]), "has 1 points"),
    ],
)
def test_an_unusable_shape_is_told_beside_others_and_alone_leaves_the_image_out(tmp_path, shape, expected):
    _json(tmp_path, shape, _shape("polygon", POLYGON))
    collection = _read(tmp_path)
    assert len(collection.images[0].regions) == 1 and expected in collection.notes[0].detail
    _json(tmp_path, shape)
    collection = _read(tmp_path)
    assert collection.images == [] and collection.left_out[0][:2] == ("a.png", "no usable shape")


@pytest.mark.parametrize("label", ["  ", "\ud800"])
def test_a_lesion_without_a_class_leaves_the_image_out(tmp_path, label):
    _json(tmp_path, _shape("polygon", POLYGON), _shape("polygon", POLYGON, label))
    collection = _read(tmp_path)
    assert collection.images == [] and collection.left_out[0].kind == "shape without a label that can be written"


def test_fields_of_another_type_say_nothing(tmp_path):
    shape = _shape("polygon", POLYGON, attributes="x", description=3, group_id="1")
    (region,) = _regions(tmp_path, shape, attributes=[1], flags=None, imagePath="a.png")
    assert region.extra == {}


def test_a_mask_of_a_gigapixel_is_refused_by_its_header(tmp_path):
    header = _png(np.zeros((1, 1)))
    bomb = header[:16] + (60_000).to_bytes(4, "big") * 2 + header[24:]
    _json(tmp_path, _shape("mask", [[0, 0], [59_999, 59_999]], mask=_text(bomb)))
    assert len(_read(tmp_path).left_out) == 1


def test_no_shapes_is_a_normal_image_and_an_old_file_has_polygons(tmp_path):
    _json(tmp_path, flags={"normal": True})
    _json(tmp_path, {"label": "benign", "points": POLYGON}, name="b.json", imagePath="b.png")
    first, second = _read(tmp_path, ("a.png", "b.png")).images
    assert (first.regions, first.attributes) == ((), {"flags": {"normal": True}})
    assert len(second.regions) == 1


def test_outlines_are_scaled_to_the_image(tmp_path):
    _json(
        tmp_path,
        _shape("polygon", POLYGON),
        _shape("rectangle", [[20, 10], [25, 15]]),
        _shape("mask", [[3, 2], [7, 5]], "malignant", mask=_text(_png(RING))),
    )
    collection = _read(tmp_path, size_hw=(40, 60))
    polygon, mask, box = collection.images[0].regions
    assert polygon.segmentation == [[4, 4, 20, 4, 20, 16]] and box.box_xywh == (40, 20, 10, 10)
    assert np.array_equal(mask_from_rle(mask.segmentation)[4:12, 6:16], np.kron(RING, np.ones((2, 2))))
    assert "outlines scaled to the size of the image" in kinds_of(collection.notes)
    assert _read(tmp_path, size_hw=(30, 20)).left_out[0].kind == "outlines drawn on an image of another shape"


def test_a_mask_of_a_huge_drawing_takes_no_more_memory_than_the_image(tmp_path):
    shape = _shape("mask", [[0, 0], [4, 3]], mask=_text(_png(RING)))
    _json(
        tmp_path,
        shape,
        _shape("polygon", [[0, 0], [500_000, 0], [0, 500_000]]),
        imageHeight=600_000,
        imageWidth=900_000,
    )
    mask, polygon = _read(tmp_path).images[0].regions
    assert not mask_from_rle(mask.segmentation).any()  # smaller than a pixel; the validator names it
    assert polygon.segmentation[0][4:] == pytest.approx([0, 500_000 * 20 / 600_000])


def test_the_example(tmp_path):
    collection = labelme.read(EXAMPLES / "labelme", ImageFolder(EXAMPLES / "images"))
    truth = coco.read(EXAMPLES / "coco", ImageFolder(EXAMPLES / "images"))
    for image, wanted in zip(collection.images, truth.images, strict=True):
        assert image.file_name == wanted.file_name
        assert [(r.label, r.segmentation) for r in image.regions] == [(r.label, r.segmentation) for r in wanted.regions]
    assert collection.notes == collection.left_out == []


def test_images_of_other_computers_and_renamed_ones_are_found(tmp_path):
    _json(tmp_path, imagePath="..\\pictures\\a.png")
    _json(tmp_path, name="train/b.json", imagePath="old name.png")
    collection = _read(tmp_path, ("a.png", "b.jpeg"))
    assert [(image.file_name, image.attributes) for image in collection.images] == [
        ("a.png", {}),
        ("b.jpeg", {"part": "train"}),
    ]
    assert collection.notes[0].kind == "found by the name of the JSON file"


def test_an_image_is_looked_for_from_the_folder_of_its_file(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / "images" / folder).mkdir(parents=True)
        _json(tmp_path, name=f"{folder}/a.json")
    collection = _read(tmp_path, ("a.png", "x/a.png", "y/a.png"))
    assert [image.file_name for image in collection.images] == ["x/a.png", "y/a.png"]


def test_an_image_that_cannot_be_read_is_not_replaced_by_another(tmp_path):
    _json(tmp_path, imagePath="b.png")
    images = tmp_path / "images"
    images.mkdir()
    (images / "b.png").write_bytes(b"no image")
    assert _read(tmp_path).left_out[0].kind == "image cannot be read"


def test_an_embedded_image_is_used_only_if_there_is_no_file(tmp_path):
    data = _text(_png(np.zeros((20, 30))))
    _json(tmp_path, imageData=data)
    _json(tmp_path, name="sub/b c.json", imagePath="../../../etc/passwd", imageData=data)
    first, second = _read(tmp_path).images
    assert first.content is None
    assert (second.file_name, second.size_hw) == ("sub/b c.png", (20, 30))
    assert second.content == base64.b64decode(data)


@pytest.mark.parametrize("data", ["%%%", _text(b"MZ no image"), _text(_png([[1]])[:20])])
def test_an_embedded_image_that_is_none_is_left_out(tmp_path, data):
    _json(tmp_path, imagePath="b.png", imageData=data)
    collection = _read(tmp_path)
    assert collection.images == [] and collection.left_out[0].kind == "embedded image cannot be read"


def test_a_bad_file_stops_nothing(tmp_path):
    _json(tmp_path, _shape("polygon", POLYGON))
    (tmp_path / "b.json").write_text("{")
    (tmp_path / "c.json").write_text('{"shapes": [], "imagePath": "nowhere.png"}')
    (tmp_path / "d.json").write_text('{"imagePath": "a.png"}')
    (tmp_path / "report.json").write_text('{"images": 3}')
    collection = _read(tmp_path)
    assert len(collection.images) == 1
    assert [(r.image, r.kind) for r in collection.notes] == [("report.json", "JSON file of another kind, not read")]
    assert [(r.image, r.kind) for r in collection.left_out] == [
        ("b.json", "file cannot be read"),
        ("c.json", "image listed but not in the folder"),
        ("d.json", "file cannot be read"),
    ]


def test_two_files_of_one_image(tmp_path):
    for name in ("a.json", "b.json"):
        _json(tmp_path, _shape("polygon", POLYGON), name=name)
    assert len(assemble(_read(tmp_path)).document["images"]) == 1
    _json(tmp_path, _shape("line", POLYGON), name="c.json")  # one of them says more than can be read
    assert _read(tmp_path).images == []


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(DataError, match="no JSON file"):
        _read(tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"version": "5", "shapes": [], "imagePath": "a.png"}', True),
        ('{"shapes": [' + "1, " * 40_000 + "1]}", True),
        ('{"images": [], "annotations": [], "categories": []}', False),
        ('[{"shapes": []}]', False),
        ('{"data": {"shapes": []}}', False),
        ("{", False),
    ],
)
def test_recognises(tmp_path, content, expected):
    (tmp_path / "a.json").write_text(content)
    assert labelme.recognises(tmp_path) == labelme.recognises(tmp_path / "a.json") == expected


def test_the_way_back_keeps_everything(tmp_path):
    points = [[20, 10], [25.123456, 10], [25, 15]]
    shapes = [
        _shape("polygon", POLYGON, group_id=7),
        _shape("polygon", points, group_id=7, description="two parts", attributes={"reader": "A"}),
        _shape("rectangle", [[12.3, 1.1], [17.7, 4.9]]),
        _shape("circle", [[10, 10], [13, 14]]),
        _shape("mask", [[3, 2], [7, 5]], "malignant", mask=_text(_png(RING))),
        _shape("polygon", [[15, 15], [19, 15], [19, 18]], "malignant"),
        _shape("rectangle", [[14.5, 15], [19, 18]], "malignant"),
    ]
    _json(tmp_path, *shapes, flags={"sure": True}, attributes={"case_id": "c1", "id": 9})
    first = _read(tmp_path)
    second, lost = _again(first, tmp_path / "back")
    assert lost == []
    (before,), (after,) = first.images, second.images
    assert after.attributes == {**before.attributes, "image_label": "malignant"}
    by_kind = [sorted(image.regions, key=lambda region: str(region.extra)) for image in (before, after)]
    for old, new in zip(*by_kind, strict=True):
        extra = {key: value for key, value in new.extra.items() if key in old.extra}
        assert (old.label, old.segmentation, old.box_xywh, old.extra) == (
            new.label,
            new.segmentation,
            new.box_xywh,
            extra,
        )


def test_writing_names_the_image_and_numbers_new_groups(tmp_path):
    _json(tmp_path, _shape("polygon", POLYGON, group_id=1), _shape("polygon", [[20, 10], [25, 10], [25, 15]]))
    document = assemble(_read(tmp_path)).document
    document["annotations"][1] |= {"drawn_box": [19, 9, 7, 7], "bbox": [0, 0, 30, 20]}
    lost = labelme.write(dataset_of(document, tmp_path / "images"), tmp_path / "back")
    written = json.loads((tmp_path / "back" / "a.json").read_text())
    assert written["imagePath"] == "../images/a.png" and written["imageData"] is None
    assert [(s["shape_type"], s["group_id"]) for s in written["shapes"]] == [
        ("polygon", 1),
        ("polygon", 2),
        ("rectangle", 2),
    ]
    assert [(r.image, r.detail) for r in lost] == [("a.png", "1")]


def test_strange_fields_of_a_coco_file_do_not_stop_the_writing(tmp_path):
    _json(tmp_path, _shape("polygon", POLYGON))
    document = assemble(_read(tmp_path)).document
    strange = {"group_id": [1], "drawn_box": [1, 2, 3, "4"], "circle": "x", "description": 3}
    document["annotations"][0] |= strange
    document["images"][0]["flags"] = "none"
    labelme.write(dataset_of(document, tmp_path / "images"), tmp_path / "back")
    written = json.loads((tmp_path / "back" / "a.json").read_text())
    (shape,) = written["shapes"]
    assert shape["attributes"] == strange and shape["points"] == POLYGON
    assert written["flags"] == {} and written["attributes"]["flags"] == "none"


def test_images_that_differ_in_suffix_only_keep_their_own_file(tmp_path):
    for name in ("a.png", "a.bmp"):
        _json(tmp_path, _shape("polygon", POLYGON), name=f"{name}.json", imagePath=name)
    second, _ = _again(_read(tmp_path, ("a.png", "a.bmp")), tmp_path / "back")
    assert [image.file_name for image in second.images] == ["a.bmp", "a.png"]


COORDINATES = st.floats(0, 100, allow_subnormal=False)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=8),
    st.tuples(COORDINATES, COORDINATES, st.floats(1, 100), st.floats(1, 100)),
)
def test_polygons_and_boxes_come_back_exactly(tmp_path_factory, points, box):
    tmp_path = tmp_path_factory.mktemp("labelme")
    x, y, width, height = box
    rectangle = _shape("rectangle", [[x, y], [x + width, y + height]], "malignant")
    _json(tmp_path, _shape("polygon", [list(p) for p in points]), rectangle, imageHeight=200, imageWidth=200)
    first = _read(tmp_path, size_hw=(200, 200))
    labelme.write(dataset_of(assemble(first).document, first.root), tmp_path / "back")
    shapes = json.loads((tmp_path / "back" / "a.json").read_text())["shapes"]
    assert next(s["points"] for s in shapes if s["shape_type"] == "rectangle") == rectangle["points"]
    if len(shapes) == 2:  # else the polygon had no area
        assert next(s["points"] for s in shapes if s["shape_type"] == "polygon") == [list(p) for p in points]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**30), st.floats(0.05, 0.95))
def test_masks_come_back_exactly(tmp_path_factory, seed, share):
    tmp_path = tmp_path_factory.mktemp("labelme")
    mask = np.random.default_rng(seed).random((20, 30)) < share
    _json(tmp_path, _shape("mask", [[0, 0], [29, 19]], mask=_text(_png(mask))))
    first = _read(tmp_path)
    second, _ = _again(first, tmp_path / "back")
    assert np.array_equal(mask_from_rle(second.images[0].regions[0].segmentation), mask)
