"""Text and tables for Markdown files, escaped: names come from users' tables and may hold anything."""

import re

from segtumor.escaping import printable


def markdown_text(text):
    """The text on one line, without HTML, ends of cells, links and pictures, which a viewer would fetch."""
    text = printable(" ".join(str(text).split())).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"\\(?=[|\[\]!\\])|[|\[\]]", r"\\\g<0>", text)


def markdown_table(columns, rows):
    """Lines of a table."""
    lines = ["| " + " | ".join(map(markdown_text, cells)) + " |" for cells in (columns, *rows)]
    return [lines[0], "| --- " * len(columns) + "|", *lines[1:]]
