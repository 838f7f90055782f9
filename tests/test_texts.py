import math

import pytest

from segtumor.texts import aligned_table, counted, markdown_table, markdown_text, p_text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", r"a\|b"),
        (r"a\|b", r"a\\\|b"),
        ("![x](http://a/b.png)", r"!\[x\](http://a/b.png)"),  # a viewer would fetch it
        ("<img src=x>&", "&lt;img src=x>&amp;"),
        ("a\n\n# b\x1b", r"a # b\x1b"),
        ("`dice_matched`", "`dice_matched`"),
        (r"C:\x", r"C:\x"),
    ],
)
def test_no_name_is_markup(text, escaped):
    assert markdown_text(text) == escaped


def test_every_row_has_as_many_cells():
    lines = markdown_table(("a|", "b"), [("x\\", "|"), ("\\|", "[y](z)")])
    assert [line.replace("\\\\", "").replace("\\|", "").count("|") for line in lines] == [3] * 4


def test_counts_and_p_values_in_words():
    assert [counted(n, "lesions") for n in (0, 1, 2)] == ["0 lesions", "1 lesion", "2 lesions"]
    assert [p_text(p) for p in (0.04, 1e-5, math.nan, None)] == ["0.040", "< 0.001", "undefined", "undefined"]
    assert [p_text(p, least="< .001", undefined="–") for p in (0.0004, 0.001, math.nan)] == ["< .001", "0.001", "–"]


@pytest.mark.parametrize(
    ("align", "lines"),
    [
        ("<>", ["part     n   m", "train  120   1", "v        3"]),
        (">", [" part    n   m", "train  120   1", "    v    3"]),
        ("<><", ["part     n  m", "train  120  1", "v        3"]),
    ],
)
def test_columns_are_aligned(align, lines):
    rows = [("part", "n", " m"), ("train", 120, 1), ("v", 3, "")]
    assert aligned_table([[str(c).strip() if align == "<><" else c for c in row] for row in rows], align) == lines


def test_a_rule_follows_the_header():
    assert aligned_table([("a", "bb"), ("ccc", 1)], rule=True) == ["a    bb", "---  --", "ccc   1"]
