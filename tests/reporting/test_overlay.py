import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageDraw

from segtumor.reporting.pictures.overlay import draw_overlay, size_text
from segtumor.reporting.pictures.overlay_labels import leader_line, place_labels
from segtumor.reporting.pictures.overlay_view import MAX_LONG_SIDE_PX, overlay_base
from segtumor.structures.lesions import Finding, Lesion
from segtumor.structures.masks import rle_from_mask
from segtumor.taxonomy import color_rgb

NAMES = ("benign", "malignant")
few = settings(max_examples=25, deadline=None)


def square(size_hw, x0, y0, side, class_id=0, score=0.9):
    mask = np.zeros(size_hw, dtype=bool)
    mask[y0 : y0 + side, x0 : x0 + side] = True
    return Finding(class_id, score, (x0, y0, x0 + side, y0 + side), rle_from_mask(mask))


@pytest.fixture
def written(monkeypatch):
    """All text that is drawn, in order, with where it starts."""
    texts, draw = [], ImageDraw.ImageDraw.text

    def spy(self, xy, text, **options):
        texts.append(text)
        return draw(self, xy, text, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", spy)
    return texts


@pytest.mark.parametrize(
    ("size_hw", "picture_wh"),
    [
        ((256, 256), (768, 768)),
        ((256, 128), (459, 768)),  # widened by a surround, for the text to have room
        ((1000, 900), (900, 1000)),
        ((2500, 2000), (1600, 2000)),
        ((1, 1), (768, 768)),
        ((4, 400), (768, 153)),
    ],
)
def test_small_images_are_enlarged_and_large_ones_reduced(size_hw, picture_wh):
    overlay = draw_overlay(np.full(size_hw, 0.5), [], NAMES, score_threshold=0.5)
    assert overlay.dtype == np.uint8
    assert overlay.shape[1] == picture_wh[0]
    assert picture_wh[1] < overlay.shape[0] < picture_wh[1] + 0.2 * max(picture_wh)  # a header and a footer
    assert max(picture_wh) <= MAX_LONG_SIDE_PX


def test_an_empty_result_says_so(written):
    findings = [square((64, 64), 8, 8, 9, score=0.49)]
    overlay = draw_overlay(np.full((64, 64), 0.5), findings, NAMES, score_threshold=0.5, file_name="a.png")
    assert "no finding above 0.50" in written
    assert "Research use only. Not a medical device." in written
    assert "a.png" in written
    empty = draw_overlay(np.full((64, 64), 0.5), [], NAMES, score_threshold=0.5, file_name="a.png")
    np.testing.assert_array_equal(overlay, empty)


def test_a_finding_is_named_with_class_score_and_size(written):
    findings = [square((64, 64), 0, 0, 5, score=0.3), square((64, 64), 20, 20, 9, class_id=1, score=0.87)]
    options = {"score_threshold": 0.5, "spacing_mm": (0.5, 1.0), "spacing_source": "mm at detector"}
    draw_overlay(np.zeros((64, 64)), findings, NAMES, note="Epoch 3.", synthetic=True, **options)
    assert "#2 malignant 0.87" in written  # its number in findings.csv, although the first is not shown
    assert "9 x 4 mm at detector" in written
    assert "Epoch 3." in written
    assert "SYNTHETIC IMAGE" in written
    assert not any("no finding" in text or "0.30" in text for text in written)


@pytest.mark.parametrize(
    ("spacing", "text"),
    [
        ((None, None), "34 x 21 px"),
        (((0.5, 2.0), "mm (calibrated)"), "68 x 10 mm (calibrated)"),
        (((1.0, 1.0), None), "34 x 21 mm (source unknown)"),
    ],
)
def test_size_by_eye(spacing, text):
    assert size_text(Finding(0, 0.5, (1, 1, 35, 22), None), *spacing) == text


def test_the_contour_lies_on_top_of_a_translucent_fill():
    findings = [square((768, 768), 200, 200, 300, class_id=1), square((768, 768), 300, 300, 300, class_id=0, score=0.8)]
    plain = draw_overlay(np.full((768, 768), 0.5), [], NAMES, score_threshold=0.5)
    overlay = draw_overlay(np.full((768, 768), 0.5), findings, NAMES, score_threshold=0.5)
    top = next(row for row in range(200) if tuple(plain[row, 700]) == (128, 128, 128))  # below the header
    # On the first square's edge, inside the second, whose fill is painted later.
    assert tuple(overlay[top + 400, 499]) == color_rgb(1)
    expected = np.rint(0.75 * 128 + 0.25 * np.array(color_rgb(1)))
    np.testing.assert_array_equal(overlay[top + 250, 350], expected)
    np.testing.assert_array_equal(overlay[top + 700, 100], plain[top + 700, 100])


def test_the_smallest_lesion_shows_on_the_largest_image():
    overlay = draw_overlay(np.zeros((100, 4000)), [square((100, 4000), 2001, 51, 1)], NAMES, score_threshold=0.5)
    area = overlay[200:-200, 980:1020]
    assert np.any(np.all(area == color_rgb(0), axis=-1))


def test_true_lesions_are_dashed_and_explained(written):
    mask = np.zeros((256, 256), dtype=bool)
    mask[50:200, 50:200] = True
    lesions = [Lesion(1, 1, (50, 50, 200, 200), rle_from_mask(mask), 1.0), Lesion(2, 0, (5, 5, 30, 30), None, 1.0)]
    overlay = draw_overlay(np.zeros((256, 256)), [], NAMES, score_threshold=0.5, true_lesions=lesions)
    assert "dashed: true lesion" in written
    assert "no finding above 0.50" in written
    colored = np.all(overlay == color_rgb(1), axis=-1)
    outline = colored[:, 148:156].any(axis=1)  # down the left edge: on, off, on, off
    assert 5 < np.count_nonzero(np.diff(outline.astype(int)) == 1) < 60


def test_crowd_regions_are_called_so(written):
    lesion = Lesion(1, 1, (5, 5, 30, 30), None, 1.0, iscrowd=True)
    draw_overlay(np.zeros((64, 64)), [], NAMES, score_threshold=0.5, true_lesions=[lesion])
    assert "dashed: true lesion or crowd region" in written


def test_a_crowd_is_numbered_and_explained(written):
    rng = np.random.default_rng(0)
    findings = [square((64, 64), *rng.integers(0, 50, 2), 9, class_id=i % 2) for i in range(20)]
    draw_overlay(np.zeros((64, 64)), findings, NAMES, score_threshold=0.5)
    assert "#1" in written
    assert any("findings.csv" in text for text in written)


def test_input_is_not_modified_and_unfit_input_is_refused():
    pixels = np.full((32, 32), 0.5, dtype=np.float32)
    draw_overlay(pixels, [square((32, 32), 3, 3, 9)], NAMES, score_threshold=0.5)
    np.testing.assert_array_equal(pixels, 0.5)
    with pytest.raises(ValueError, match="shape"):
        draw_overlay(np.zeros((4, 4, 3)), [], NAMES, score_threshold=0.5)
    with pytest.raises(ValueError, match="mask of size"):
        draw_overlay(pixels, [square((16, 16), 3, 3, 9)], NAMES, score_threshold=0.5)


# Placement of labels


def rectangles(boxes, picture_wh):
    grid = np.zeros((picture_wh[1], picture_wh[0]), dtype=int)
    for x0, y0, x1, y1 in boxes:
        grid[int(y0) : int(y1), int(x0) : int(x1)] += 1
    return grid


@few
@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 70), st.integers(0, 30), st.integers(0, 30)), max_size=9))
def test_labels_stay_inside_and_apart(anchors_xywh):
    anchors = [(x, y, x + w, y + h) for x, y, w, h in anchors_xywh]
    boxes = place_labels(anchors, [(30, 12)] * len(anchors), (100, 80))
    assert len(boxes) == len(anchors)
    placed = [box for box in boxes if box is not None]
    assert all(x0 >= 0 and y0 >= 0 and x1 <= 100 and y1 <= 80 for x0, y0, x1, y1 in placed)
    grid = rectangles(placed, (100, 80))
    assert grid.max(initial=0) <= 1
    assert np.count_nonzero(grid) == len(placed) * 30 * 12
    assert boxes[:1] != [None]


def test_a_label_keeps_off_other_lesions_while_there_is_room():
    anchors = [(40, 40, 60, 60), (40, 20, 80, 38)]  # the second lies where the first's label would go
    boxes = place_labels(anchors, [(30, 12), (30, 12)], (100, 100))
    lesions = rectangles(anchors, (100, 100))
    assert np.count_nonzero(lesions[rectangles(boxes, (100, 100)) > 0]) == 0


def test_a_label_larger_than_the_picture_has_no_place():
    assert place_labels([(0, 0, 5, 5)], [(101, 10)], (100, 80)) == [None]
    assert place_labels([], [], (100, 80)) == []


@pytest.mark.parametrize(
    ("box", "anchor", "line"),
    [
        ((0, 0, 10, 10), (20, 0, 30, 10), (10, 5, 20, 5)),
        ((0, 0, 10, 10), (20, 20, 30, 30), (10, 10, 20, 20)),
        ((0, 0, 10, 10), (2, 20, 4, 30), (3, 10, 3, 20)),
    ],
)
def test_leader_lines_by_eye(box, anchor, line):
    assert leader_line(box, anchor) == line


@pytest.mark.parametrize("size_hw", [(1, 1), (30, 700), (900, 800), (1500, 2500)])
def test_a_base_gives_the_picture_of_its_radiograph(size_hw):
    pixels = np.random.default_rng(0).random(size_hw, dtype=np.float32)
    left_half = np.broadcast_to(np.arange(size_hw[1]) < size_hw[1] / 2, size_hw)
    findings = [Finding(0, 0.75, (0.0, 0.0, size_hw[1] / 2, size_hw[0]), rle_from_mask(left_half))]
    base = overlay_base(pixels)
    assert base.image_hw == size_hw and max(base.gray.shape) <= MAX_LONG_SIDE_PX
    whole = draw_overlay(pixels, findings, NAMES, score_threshold=0.5)
    assert np.array_equal(draw_overlay(base, findings, NAMES, score_threshold=0.5), whole)


def test_undefined_pixels_are_black_in_a_base():
    pixels = np.full((800, 800), 0.5, dtype=np.float32)
    pixels[:10] = np.nan
    assert overlay_base(pixels).gray[0, 0] == 0 and overlay_base(pixels).gray[400, 400] == 128
    assert np.isnan(pixels[0, 0])


def test_notes_stand_first_and_beside_no_finding(written):
    notes = ["The image is blank.", "The model knows phantoms only."]
    draw_overlay(np.zeros((3, 3)), [], NAMES, score_threshold=0.5, notes=notes, note="Epoch 3.")
    below = [text for text in written if text.startswith(("Note", "Epoch"))]
    assert below == ["Note: The image is blank.", "Note: The model knows phantoms only.", "Epoch 3."]
    assert "but see the note below" in written
    written.clear()
    draw_overlay(np.zeros((3, 3)), [square((3, 3), 0, 0, 2)], NAMES, score_threshold=0.5, notes=notes)
    assert "but see the note below" not in written and "Note: The image is blank." in written


def test_a_few_pixels_are_drawn_as_squares():
    base = overlay_base(np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert set(np.unique(base.gray)) == {0, 255}


def test_names_that_others_chose_are_drawn_on_one_line(written):
    names = ("a\nb\x1b[31m", "osteosarcoma, conventional, of the distal femur" * 5, "$x^2$ {0}", "\u202egnp")
    findings = [square((64, 64), 8 * i, 8, 6, class_id=i) for i in range(4)]
    draw_overlay(np.zeros((64, 64)), findings, names, score_threshold=0.5, file_name="x\x07\n.png")
    assert not any("\n" in text or "\x1b" in text or "\u202e" in text for text in written)
    assert r"x\x07\n.png" in written and r"a\nb\x1b[31m" in written
    assert "osteosarcoma…istal femur" in written
