"""What a line of a label file is, by its numbers: the right shape, and what was dropped is told; or refused."""

import pytest

from segtumor.annotations.remarks import LeftOutError
from segtumor.formats.yolo.lines import (
    CONFIDENCE,
    KEY_POINTS,
    ODD_LINE,
    OUTLINE_CONFIDENCE,
    TRACK,
    WHOLE_END,
    read_lines,
    share_of_sound_lines,
)

BOX = (0.5, 0.4, 0.2, 0.1)
B = "0 0.5 0.4 0.2 0.1"
CORNERS = (0.1, 0.1, 0.5, 0.2, 0.4, 0.6, 0.1, 0.5)
O = f"0 {' '.join(map(str, CORNERS))}"  # noqa: E741


def _lines(tmp_path, text, key_points=0):
    (tmp_path / "a.txt").write_text(text)
    return read_lines(tmp_path / "a.txt", key_points)


@pytest.mark.parametrize(
    ("text", "key_points", "box", "outline", "confidence", "told"),
    [
        (B, 0, BOX, None, None, ()),
        (f"{B} 0.9", 0, BOX, None, 0.9, (CONFIDENCE,)),
        (f"{B} 1", 0, BOX, None, 1.0, (CONFIDENCE,)),
        (f"{B} 17", 0, BOX, None, None, (TRACK,)),
        (f"{B} 0.9 17", 0, BOX, None, 0.9, (TRACK, CONFIDENCE)),
        ("0 0.1 0.1 0.5 0.2 0.4 0.6", 0, None, CORNERS[:6], None, ()),
        ("0 0 0 0.5 0 0.5 1", 0, None, (0, 0, 0.5, 0, 0.5, 1), None, ()),
        (O, 0, None, CORNERS, None, ()),
        (f"{O} 0.9", 0, None, CORNERS, None, (OUTLINE_CONFIDENCE,)),
        (f"{O} 0.9 17", 0, None, CORNERS, None, (OUTLINE_CONFIDENCE, TRACK)),
        (f"{O} 0.9 1", 0, None, (*CORNERS, 0.9, 1.0), None, (WHOLE_END,)),
        (f"{B} 0.5 0.4 2 0.45 0.4 1 0.5 0.42 0", 0, BOX, None, None, (KEY_POINTS,)),
        (f"{B} 0.5 0.4 2 0.45 0.4 1", 0, BOX, None, None, (KEY_POINTS,)),
        (f"{B} 0.5 0.4 0.45 0.4", 4, BOX, None, None, (KEY_POINTS,)),
        (f"{B} 0.5 0.4 2 0.45 0.4 1", 6, BOX, None, None, (KEY_POINTS,)),
        (f"{B} 0.5 0.4 0.45 0.4 0.9", 4, BOX, None, 0.9, (KEY_POINTS, CONFIDENCE)),
        (f"{B} 0.5 0.4 0.45 0.4 0.9 1", 4, BOX, None, 0.9, (KEY_POINTS, TRACK, CONFIDENCE)),
        (B, 4, BOX, None, None, ()),
    ],
)
def test_what_a_line_is(tmp_path, text, key_points, box, outline, confidence, told):
    assert _lines(tmp_path, text, key_points) == [(0, box, outline, confidence, told)]


@pytest.mark.parametrize(
    ("text", "key_points", "kind"),
    [
        (f"{B} -0.5", 0, "box with a further number that is not known"),
        (f"{B} 1.57", 0, "box with a further number that is not known"),
        (f"{B} 0.9 1", 0, "line of six numbers: an outline, or a box with confidence and track number?"),
        (O, 4 * 3, "line that does not fit kpt_shape"),
        (f"{O} 7.5", 0, ODD_LINE),
        ("0", 0, ODD_LINE),
        ("0 0.5 0.5 0_1 0.2", 0, ODD_LINE),
        ("0 64 28 30 27 4 5", 0, "coordinates are not in parts of the image's size; in px?"),
    ],
)
def test_what_could_be_another_shape_is_refused_by_its_line(tmp_path, text, key_points, kind):
    with pytest.raises(LeftOutError) as caught:
        _lines(tmp_path, f"\n{B}\n{text}", key_points)
    assert caught.value.kind == kind and caught.value.detail.startswith(f"a.txt, line 3: {text}")


@pytest.mark.parametrize(
    ("text", "share"),
    [("", 1.0), (f"{B}\n{O}\n", 1.0), (f"{B}\n0 x\n", 0.5), ("a table\n", 0.0), ("1.0 .5 .5 .1 .1", 1.0)],
)
def test_share_of_sound_lines(tmp_path, text, share):
    (tmp_path / "a.txt").write_text(text)
    assert share_of_sound_lines(tmp_path / "a.txt") == share
