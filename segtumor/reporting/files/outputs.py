"""The files of one result, written together: tables as CSV, documents as JSON, pages and pictures as they are.

Each file is written atomically. The last one stands for the others: it is taken away first and written last, so that
an interrupted run leaves no page beside tables of another. Not here: what is in them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtumor import NOTICE, __version__
from segtumor.files import prepare_output_folder, remove_files, write_bytes, write_csv, write_json, write_text

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Table:
    """Rows by column, and the columns in their order. In a file NaN is an empty cell, a list one text."""

    rows: Sequence[Mapping[str, Any]]
    columns: Sequence[str]

    def cells(self) -> list[dict[str, Any]]:
        """The rows as they are written."""
        return [{name: _cell(value) for name, value in row.items()} for row in self.rows]


#: A table (CSV), a document (JSON), a text or a picture.
Content = Table | Mapping[str, Any] | str | bytes


def document(**content: Any) -> dict[str, Any]:
    """The head that JSON documents share, and the content."""
    return {"schema_version": SCHEMA_VERSION, "segtumor_version": __version__, "notice": NOTICE, **content}


def write_files(folder: str | Path, contents: Mapping[str, Content], *, earlier: Iterable[str] = ()) -> list[Path]:
    """Write files into a folder, which is created if needed; returns their paths.

    Args:
        contents: {name: content}, the one that stands for the others last.
        earlier: names of files that an earlier result may have left, removed as well.

    Raises:
        OutputError: a file cannot be written or removed.
    """
    root = prepare_output_folder(folder)
    remove_files([root / name for name in dict.fromkeys([*reversed([*contents]), *earlier])])
    for name, content in contents.items():
        _write(root / name, content)
    return [root / name for name in contents]


def _write(path: Path, content: Content) -> None:
    if isinstance(content, Table):
        write_csv(path, content.cells(), content.columns)
    elif isinstance(content, str):
        write_text(path, content)
    elif isinstance(content, bytes):
        write_bytes(path, content)
    else:
        write_json(path, content)


def _cell(value: Any) -> Any:
    return "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
