"""Text and tables for Markdown files, escaped: names come from users' tables and may hold anything."""


def markdown_text(text):
    """The text on one line, without HTML and without ends of cells."""
    text = " ".join(str(text).split())
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def markdown_table(columns, rows):
    """Lines of a table."""
    lines = ["| " + " | ".join(map(markdown_text, cells)) + " |" for cells in (columns, *rows)]
    return [lines[0], "| --- " * len(columns) + "|", *lines[1:]]
