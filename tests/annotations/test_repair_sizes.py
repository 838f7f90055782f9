"""Repairing sizes: outlines are scaled where the picture is the same one at another size, and else left out."""

import copy

import numpy as np
import pytest
from PIL import Image

from segtumor.annotations.problems import ERROR
from segtumor.annotations.repair import repair
from segtumor.annotations.validation import find_problems
from segtumor.structures.masks import mask_from_rle, rle_from_mask

SQUARE = [40, 20, 80, 20, 80, 60, 40, 60]


def _coco(lesion=None, **image):
    """A lesion of 40 x 40 px on an image of 400 x 200 px, 0.1 mm per px."""
    image = {
        "id": 1,
        "file_name": "r.png",
        "width": 400,
        "height": 200,
        "case_id": "c",
        "spacing_mm": [0.1, 0.1],
    } | image
    box = {"bbox": [40, 20, 40, 40], "area": 1600, "iscrowd": 0, "segmentation": [SQUARE]}
    lesion = {"id": 1, "image_id": 1, "category_id": 1, **box, **(lesion or {})}
    other = {"id": 2, "file_name": "normal.png", "width": 8, "height": 8, "case_id": "n"}
    return {"images": [image, other], "annotations": [lesion], "categories": [{"id": 1, "name": "benign"}]}


@pytest.fixture
def repaired(tmp_path):
    """Repairs a COCO object whose r.png has a size (width, height); (image, lesion), or None where it was left out."""

    def _repaired(size_wh, coco, exif=None):
        picture = Image.new("L", size_wh)
        options = {}
        if exif:
            options["exif"] = picture.getexif()
            options["exif"][0x0112] = exif
        picture.save(tmp_path / "r.png", **options)
        Image.new("L", (8, 8)).save(tmp_path / "normal.png")
        before = copy.deepcopy(coco)
        done = repair(coco, image_root=tmp_path)
        assert coco == before
        assert [p for p in find_problems(done.coco, image_root=tmp_path) if p.severity == ERROR] == []
        if not done.coco["annotations"]:
            assert [remark.image for remark in done.left_out] == ["r.png"] and done.left_out[0].detail
            return None
        assert done.left_out == [] and done.changes
        return done.coco["images"][0], done.coco["annotations"][0]

    return _repaired


@pytest.mark.parametrize("factor", [0.5, 2, 0.25])
def test_outline_box_area_and_spacing_are_scaled_with_the_picture(repaired, factor):
    image, lesion = repaired((int(400 * factor), int(200 * factor)), _coco())
    assert (image["width"], image["height"]) == (400 * factor, 200 * factor)
    assert lesion["bbox"] == [v * factor for v in (40, 20, 40, 40)]
    assert lesion["segmentation"] == [[v * factor for v in SQUARE]]
    assert lesion["area"] == 1600 * factor**2
    assert image["spacing_mm"] == [0.1 / factor] * 2


def test_the_two_factors_are_each_their_own(repaired):
    image, lesion = repaired((200, 101), _coco())
    assert (image["width"], image["height"]) == (200, 101)
    np.testing.assert_allclose(lesion["bbox"], [20, 10.1, 20, 20.2])
    np.testing.assert_allclose(image["spacing_mm"], [0.1 * 200 / 101, 0.2])


def test_a_mask_is_scaled_with_the_picture(repaired):
    mask = np.zeros((200, 400), dtype=bool)
    mask[20:60, 40:80] = True
    _, lesion = repaired((200, 100), _coco({"segmentation": rle_from_mask(mask)}))
    np.testing.assert_array_equal(mask_from_rle(lesion["segmentation"]), mask[::2, ::2])
    assert (lesion["bbox"], lesion["area"]) == ([20, 10, 20, 20], 400)


def test_a_mask_of_the_files_size_shows_that_only_the_list_is_wrong(repaired):
    mask = np.zeros((100, 200), dtype=bool)
    mask[20:60, 40:80] = True
    image, lesion = repaired((200, 100), _coco({"segmentation": rle_from_mask(mask)}))
    assert (image["width"], lesion["bbox"], lesion["segmentation"]) == (200, [40, 20, 40, 40], rle_from_mask(mask))


def test_further_fields_in_pixels_are_scaled(repaired):
    fields = {"keypoints": [40, 20, 2, 0, 0, 0], "drawn_box": [40, 20, 8, 8], "circle": [60, 40, 20]}
    fields["rotated_box"] = {"bbox": [40, 20, 40, 40], "degrees": 30, "about": "center"}
    _, lesion = repaired((200, 100), _coco(fields))
    assert lesion["keypoints"] == [20, 10, 2, 0, 0, 0]
    assert (lesion["drawn_box"], lesion["circle"]) == ([20, 10, 4, 4], [30, 20, 10])
    assert lesion["rotated_box"] == {"bbox": [20, 10, 20, 20], "degrees": 30, "about": "center"}


def test_a_flat_outline_is_nested_and_scaled(repaired):
    _, lesion = repaired((200, 100), _coco({"segmentation": SQUARE}))
    assert lesion["segmentation"] == [[v / 2 for v in SQUARE]]


LEFT_OUT = {
    "another shape": ((200, 150), {}, {}),
    "turned": ((200, 400), {}, {}),
    "nearly square and turned": ((200, 201), {}, {"width": 201, "height": 200}),
    "outline far beyond the size listed": ((200, 100), {}, {"width": 60, "height": 30}),
    "box far beyond the size listed": ((200, 100), {"bbox": [300, 20, 200, 40]}, {}),
    "a mask of a third size": ((200, 100), {"segmentation": rle_from_mask(np.ones((50, 100), dtype=bool))}, {}),
    "an unsound outline": ((200, 100), {"segmentation": [[*SQUARE, 3]]}, {}),
    "unknown size and an outline beyond the file": ((50, 25), {}, {"width": None}),
}


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_no_outline_is_put_where_nobody_drew_it(repaired, kind):
    size_wh, lesion, image = LEFT_OUT[kind]
    assert repaired(size_wh, _coco(lesion, **image)) is None


def test_a_picture_stored_turned_is_measured_upright(repaired):
    assert repaired((100, 200), _coco(), exif=6)[1]["bbox"] == [20, 10, 20, 20]
    assert repaired((400, 200), _coco(), exif=6) is None


def test_an_unknown_size_is_that_of_the_file_if_everything_fits(repaired):
    for unknown in ({"width": None}, {"width": 0, "height": 0}, {"height": "about 200"}):
        image, lesion = repaired((400, 200), _coco(**unknown))
        assert (image["width"], image["height"], lesion["bbox"]) == (400, 200, [40, 20, 40, 40])


def test_a_normal_image_takes_the_size_of_its_file_but_not_a_spacing_of_another_shape(tmp_path):
    coco = _coco()
    coco["annotations"] = []
    for size_wh, spacing in (((200, 100), [0.2, 0.2]), ((200, 150), None)):
        Image.new("L", size_wh).save(tmp_path / "r.png")
        Image.new("L", (8, 8)).save(tmp_path / "normal.png")
        image = repair(coco, image_root=tmp_path).coco["images"][0]
        assert ((image["width"], image["height"]), image["spacing_mm"]) == (size_wh, spacing)
