"""Label Studio's brush code against a second reading of its description, one bit at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtumor.annotations.remarks import LeftOutError
from segtumor.formats.label_studio.brush_rle import brush_from_mask, mask_from_brush


def _decoded(code):
    """All values of a code, from the text of its bits."""
    text = "".join(f"{byte:08b}" for byte in code)

    def take(count):
        nonlocal text
        number, text = int(text[:count], 2), text[count:]
        return number

    length, word, sizes = take(32), take(5) + 1, [take(4) + 1 for _ in range(4)]
    values = []
    while len(values) < length:
        repeated, size = take(1), sizes[take(2)]
        count = take(size) + 1
        values += [take(word)] * count if repeated else [take(word) for _ in range(count)]
    return values


def _encoded(values, runs, sizes=(3, 4, 8, 16), word=8):
    """A code of the given runs (index of the run size, repeated, number of values), which need not be the shortest."""
    text = f"{len(values):032b}{word - 1:05b}" + "".join(f"{size - 1:04b}" for size in sizes)
    start = 0
    for index, repeated, count in runs:
        text += f"{int(repeated)}{index:02b}{count - 1:0{sizes[index]}b}"
        words = values[start : start + (1 if repeated else count)]
        text += "".join(f"{value:0{word}b}" for value in words)
        start += count
    text += "0" * (8 - len(text) % 8)  # the reference pads a whole byte where none is needed
    return [int(text[i : i + 8], 2) for i in range(0, len(text), 8)]


def test_the_code_of_one_set_pixel():
    mask = np.array([[False, True]])
    code = brush_from_mask(mask)
    # 8 values; words of 8 bits; run sizes 3, 4, 8, 16; then twice "repeated, size 0, 4 values" and the word.
    bits = f"{8:032b}" + "00111" + "0010001101111111" + "100011" + "00000000" + "100011" + "11111111"
    assert "".join(f"{byte:08b}" for byte in code).startswith(bits)
    assert _decoded(code) == [0, 0, 0, 0, 255, 255, 255, 255]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**64 - 1))
def test_masks_come_back(height, width, bits):
    mask = np.array([bits >> i & 1 for i in range(height * width)], dtype=bool).reshape(height, width)
    code = brush_from_mask(mask)
    assert _decoded(code) == np.repeat(np.where(mask, 255, 0).ravel(), 4).tolist()
    assert np.array_equal(mask_from_brush(code, mask.shape), mask)


@pytest.mark.parametrize("value", [False, True])
def test_long_runs_are_split(value):
    mask = np.full((200, 200), value)
    mask[199, 199] = not value
    code = brush_from_mask(mask)
    assert len(code) < 40
    assert np.array_equal(mask_from_brush(code, mask.shape), mask)


@st.composite
def _codes(draw):
    """(code, values) of some pixels, in runs that begin and end anywhere, single values among them."""
    word = draw(st.integers(1, 8))
    sizes = draw(st.tuples(*[st.integers(1, 16)] * 4))
    length = 4 * draw(st.integers(1, 12))
    values, runs = [], []
    while len(values) < length:
        index, repeated = draw(st.integers(0, 3)), draw(st.booleans())
        count = min(draw(st.integers(1, 9)), 2 ** sizes[index], length - len(values))
        some = draw(st.lists(st.integers(0, 2**word - 1), min_size=count, max_size=count))
        values += [some[0]] * count if repeated else some
        runs.append((index, repeated, count))
    return _encoded(values, runs, sizes, word), values


@settings(max_examples=50, deadline=None)
@given(_codes())
def test_any_code_gives_the_pixels_with_alpha(code_and_values):
    code, values = code_and_values
    assert mask_from_brush(code, (1, len(values) // 4)).ravel().tolist() == [alpha > 0 for alpha in values[3::4]]


@pytest.mark.parametrize(
    ("code", "size_hw", "why"),
    [
        ([], (1, 1), "cut off"),
        ("text", (1, 1), "cut off"),
        ([1, 2, 300], (1, 1), "bytes"),
        ([1, 2, None], (1, 1), "bytes"),
        (brush_from_mask(np.ones((3, 3)))[:-2], (3, 3), "cut off"),
        (brush_from_mask(np.ones((3, 3))), (3, 4), "36 values"),
        (_encoded([1] * 4, [(1, True, 9)]), (1, 1), "longer"),
        (_encoded([1] * 4, [(1, True, 4)], word=9), (1, 1), "words of 9"),
        ([255] * 40, (10**6, 10**6), "1000000"),
        ([255, 255, 255, 255, 0, 0, 0], (1, 1), "4294967295 values"),
    ],
)
def test_a_code_that_is_wrong_is_refused(code, size_hw, why):
    with pytest.raises(LeftOutError, match=why):
        mask_from_brush(code, size_hw)
