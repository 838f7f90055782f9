import pytest

from segtumor.reporting.words.markdown import markdown_table, markdown_text


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
