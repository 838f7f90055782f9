import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segtumor.errors import DataError
from segtumor.structures import masks
from segtumor.structures.masks import mask_from_rle, rle_from_mask

any_mask = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))
pair = st.integers(1, 9).flatmap(lambda n: st.tuples(arrays(bool, (n, 7)), arrays(bool, (n, 7))))
few = settings(max_examples=40, deadline=None)


@few
@given(any_mask)
def test_a_mask_survives_its_encoding_and_json(mask):
    copy = mask.copy()
    rle = json.loads(json.dumps(rle_from_mask(mask)))
    decoded = mask_from_rle(rle)
    assert decoded.dtype == bool
    np.testing.assert_array_equal(decoded, mask)
    np.testing.assert_array_equal(mask, copy)
    assert masks.rle_area(rle) == np.count_nonzero(mask)


@few
@given(any_mask)
def test_the_box_is_the_smallest_that_holds_the_mask(mask):
    box = masks.box_from_mask(mask)
    if not mask.any():
        assert box is None
        return
    x0, y0, x1, y1 = map(int, box)
    ys, xs = np.nonzero(mask)
    assert (x0, y0, x1, y1) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    assert np.count_nonzero(mask[y0:y1, x0:x1]) == np.count_nonzero(mask)


@few
@given(pair)
def test_iou_agrees_with_counting_pixels(two):
    first, second = two
    union = np.count_nonzero(first | second)
    iou = masks.mask_iou([rle_from_mask(first)], [rle_from_mask(second)])
    assert iou == pytest.approx(np.array([[np.count_nonzero(first & second) / union if union else 0]]))
    sizes = np.count_nonzero(first) + np.count_nonzero(second)
    dice = 2 * np.count_nonzero(first & second) / sizes if sizes else 0
    assert masks.dice_from_iou(iou) == pytest.approx(np.array([[dice]]))


def test_iou_with_nothing_has_the_right_shape():
    rle = rle_from_mask(np.ones((2, 2), bool))
    assert masks.mask_iou([], [rle]).shape == (0, 1)
    assert masks.mask_iou([rle, rle], []).shape == (2, 0)


def test_every_form_of_segmentation_gives_one_mask():
    square = np.zeros((4, 5), dtype=bool)
    square[1:3, 1:4] = True
    # Column by column: 5 clear, then three times 2 set and 2 clear, then the last column.
    uncompressed = {"size": [4, 5], "counts": [5, 2, 2, 2, 2, 2, 5]}
    rle = rle_from_mask(square)
    as_bytes = {"size": [4, 5], "counts": rle["counts"].encode()}
    for segmentation in ([[1, 1, 4, 1, 4, 3, 1, 3]], uncompressed, rle, as_bytes):
        result = masks.rle_from_segmentation(segmentation, (4, 5))
        assert result == rle
        np.testing.assert_array_equal(mask_from_rle(result), square)


def test_overlapping_polygons_are_united():
    two = [[0, 0, 3, 0, 3, 2, 0, 2], [1, 0, 4, 0, 4, 2, 1, 2]]
    assert masks.rle_area(masks.rle_from_polygons(two, (4, 5))) == 8


@pytest.mark.parametrize("segmentation", [None, [], {}, {"counts": "x"}, "x", {"size": [5, 4], "counts": [20]}])
def test_what_is_no_segmentation_of_this_image_is_refused(segmentation):
    with pytest.raises(DataError):
        masks.rle_from_segmentation(segmentation, (4, 5))


def test_contours_go_round_the_outside_and_round_holes():
    ring = np.pad(np.ones((5, 5), dtype=bool), 1)
    ring[3, 3] = False
    contours = masks.mask_contours(ring)
    assert len(contours) == 2
    assert all(ring[y, x] for contour in contours for x, y in contour)
    assert masks.mask_contours(np.zeros((3, 3), bool)) == []
    assert [c.tolist() for c in masks.mask_contours(np.ones((1, 1), bool))] == [[[0, 0]]]


#: Tenths of a pixel too: on them pycocotools, which rounds to fifths, has ties.
coordinate = st.floats(-30, 60) | st.integers(-300, 600).map(lambda tenths: tenths / 10)


@few
@given(st.lists(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=8), min_size=1, max_size=3))
def test_polygons_are_drawn_as_they_are_encoded(polygons):
    """Inside, across the border, outside: the part that is drawn against the whole canvas that is encoded."""
    canvas = np.zeros((31, 43), dtype=bool)
    masks.draw_polygons([np.array(polygon) for polygon in polygons], canvas)
    flat = [list(np.ravel(polygon)) for polygon in polygons]
    encoded = mask_from_rle(masks.rle_from_polygons(flat, canvas.shape))
    assert np.count_nonzero(canvas != encoded) <= 1  # a tie along an edge, one in 10,000


def test_drawing_keeps_what_is_drawn_and_leaves_out_what_is_outside():
    canvas = np.zeros((4, 4), dtype=bool)
    canvas[3, 3] = True
    masks.draw_polygons([[0, 0, 2, 0, 2, 2, 0, 2]], canvas)
    assert canvas.astype(int).tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    masks.draw_polygons([[10, 10, 12, 10, 12, 12], [-9, -9, -7, -9, -7, -7]], canvas)
    assert canvas.sum() == 5


@few
@given(any_mask, st.tuples(*[st.integers(0, 3)] * 4))
def test_a_part_is_encoded_as_the_image_that_holds_it(part, margins):
    above, below, left, right = margins  # 0 on both sides: runs go on from column to column
    image = np.pad(part, ((above, below), (left, right)))
    assert masks.rle_from_crop(part, above, left, image.shape) == rle_from_mask(image)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0)])
def test_a_part_without_pixels_is_an_empty_image(shape):
    assert masks.rle_from_crop(np.ones(shape, dtype=bool), 1, 1, (4, 5)) == rle_from_mask(np.zeros((4, 5), dtype=bool))


def test_a_part_is_encoded_with_runs_that_meet_joined():
    full, part = np.ones((3, 4), dtype=bool), np.ones((2, 2), dtype=bool)
    assert masks.rle_from_crop(full, 0, 0, (3, 4)) == rle_from_mask(full)
    assert masks.rle_from_crop(part, 0, 1, (2, 4)) == rle_from_mask(np.array([[0, 1, 1, 0]] * 2, dtype=bool))


@few
@given(any_mask, st.integers(0, 3), st.integers(0, 3), st.integers(0, 700))
def test_the_part_of_an_encoding_is_that_of_the_decoded_image(mask, above, left, margin):
    """Against pycocotools' decoder; a wide margin makes numbers of several characters, and falling ones."""
    image = np.pad(mask, ((above, margin), (left, margin % 7)))
    rle = rle_from_mask(image)
    part, top, first = masks.crop_from_rle(rle)
    again = np.zeros_like(image)
    again[top : top + part.shape[0], first : first + part.shape[1]] = part
    np.testing.assert_array_equal(again, mask_from_rle(rle))
    x0, y0, x1, y1 = masks.box_from_mask(image) or (0, 0, 0, 0)
    assert (first, top, *part.shape) == (x0, y0, y1 - y0, x1 - x0)
    encoded = {**rle, "counts": rle["counts"].encode()}
    np.testing.assert_array_equal(masks.crop_from_rle(encoded)[0], part)


def test_the_part_of_a_large_round_lesion_is_found():
    rows, columns = np.mgrid[:900, :1100]
    image = (rows - 500) ** 2 + (columns - 300) ** 2 < 250**2
    part, top, left = masks.crop_from_rle(rle_from_mask(image))
    np.testing.assert_array_equal(part, image[top : top + 499, left : left + 499])


@pytest.mark.parametrize("runs", [[0, 12], [12], [5, 0, 2, 3, 2], [0, 0, 12], [3, 2, 0, 2, 5]])
def test_runs_of_length_zero_are_none(runs):
    rle = masks.coco_mask.frPyObjects({"size": [3, 4], "counts": runs}, 3, 4)
    part, top, left = masks.crop_from_rle(rle)
    again = np.zeros((3, 4), dtype=bool)
    again[top : top + part.shape[0], left : left + part.shape[1]] = part
    np.testing.assert_array_equal(again, mask_from_rle(rle))
