"""What is known of radiographs beside their pixels, from a table or a COCO file, by the files that it is about.

Not here: what a model does with it (``runtime.protocols.ContextModel``), and what cells of tables mean
(``segtumor.annotations.tables``). No value of a patient goes into a message.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segtumor.annotations.coco import attributes_of, load_coco
from segtumor.annotations.tables.image_tables import match_images, read_image_table
from segtumor.errors import DataError
from segtumor.files import sha256_of_file
from segtumor.tabular.encoder import Context
from segtumor.tabular.values import source_of, value_in
from segtumor.texts import counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Contexts:
    """What is known of some files.

    Attributes:
        by_path: of a file that is not in it nothing is known.
        source: where it is from, for summary.json and for continuing; {} for nowhere.
    """

    by_path: Mapping[Path, Context] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)

    def of(self, path: Path) -> Context:
        """What is known of a file."""
        return self.by_path.get(path, {})


def read_contexts(source: str | Path, paths: Sequence[Path], columns: Sequence[str]) -> Contexts:
    """Read what is known of files; warns of columns and files that the source lacks.

    Args:
        source: a table with a column of image names, or a COCO file (.json).
        paths: of the radiographs.
        columns: what the model takes.

    Raises:
        DataError: the source cannot be read, a name that could be several files, or none of the files is in it.
    """
    table, unread = _rows(Path(source))
    found, _ = match_images(table, list(map(str, paths)), where=source)
    if paths and not found:
        remedy = "The column of image names must hold names of the files that are read"
        raise DataError(
            "no row is of a file that is read", where=source, got=counted(len(table), "rows"), remedy=remedy
        )
    if unread:
        name, fault = unread[0]
        logger.warning(
            "%s: %s cannot be read and count as missing, first: %s of %s",
            *(source, counted(len(unread), "cells"), fault.partition(":")[0], name),
        )
    for column in columns:
        if all(value_in(row, column) in (None, "", []) for row in found.values()):
            logger.warning("%s: nothing in column %s, which the model takes", source, source_of(column))
    if len(found) < len(paths):
        logger.warning("%s: no row for %d of %s", source, len(paths) - len(found), counted(len(paths), "files"))
    by_path = {path: found[str(path)] for path in paths if str(path) in found}
    return Contexts(by_path, {"file": str(source), "sha256": sha256_of_file(source)})


def _rows(source: Path) -> tuple[dict[str, dict[str, Any]], list[tuple[str, str]]]:
    """({name of an image: what is known}, cells that cannot be read)."""
    unread: list[tuple[str, str]] = []
    if source.suffix.lower() != ".json":
        return read_image_table(source, unread), unread
    images = load_coco(source, check_files=False, require_masks=False).images
    return {image["file_name"]: attributes_of(image) for image in images}, unread
