"""Why a source is in none of the known formats: which file is nearly in one, and what is odd about it.

Not here: recognising formats, which each format does for itself.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from segtumor.annotations.remarks import LeftOutError
from segtumor.annotations.tables.csv_rows import first_cells
from segtumor.errors import DataError
from segtumor.formats.csv_boxes.layout import layout_of
from segtumor.formats.masks.names import FOLDERS
from segtumor.formats.masks.pixels import SUFFIXES, binary_mask, read_mask
from segtumor.formats.sources.encodings import read_json, read_xml
from segtumor.formats.sources.files import MAX_FILE_BYTES, files_below
from segtumor.formats.sources.parts import part_named
from segtumor.formats.yolo.lines import read_lines, share_of_sound_lines
from segtumor.formats.yolo.names import NAME_FILES, find_names
from segtumor.imaging import SUPPORTED_SUFFIXES

_ASKED = 3
_LISTS = ("images", "annotations", "categories")
#: Suffix -> what to do about files of a kind that no format reads.
_OTHER_KINDS = {
    ".nii": "NIfTI volumes are not read; save each slice and its mask as PNG",
    ".gz": "packed files and NIfTI volumes (.nii.gz) are not read; save slices and masks as PNG",
    ".nrrd": "NRRD volumes are not read; save each slice and its mask as PNG",
    ".mha": "MetaImage volumes are not read; save each slice and its mask as PNG",
    ".zip": "packed files are not read; unpack it",
    ".tar": "packed files are not read; unpack it",
    ".7z": "packed files are not read; unpack it",
    ".xls": "save the table as CSV",
    ".xlsx": "save the table of boxes as CSV",
    ".ods": "save the table of boxes as CSV",
}


def reasons(source: Path) -> list[str]:
    """What is odd in the first files that look like annotations, a sentence each; the likeliest first."""
    found = [*_of_json(source), *_of_xml(source), *_of_texts(source), *_of_tables(source), *_of_masks(source)]
    return found[:_ASKED] or _of_other_kinds(source)


def _of_json(source: Path) -> Iterator[str]:
    for path in islice(files_below(source, (".json",)), _ASKED):
        try:
            document = read_json(path, max_bytes=MAX_FILE_BYTES)
        except DataError as error:
            yield f"{path.name}: {error.what}"
            continue
        if not isinstance(document, dict):
            yield f"{path.name}: a JSON {type(document).__name__} that is not a list of Label Studio's tasks"
        elif set(_LISTS) & set(document):
            missing = [name for name in _LISTS if not isinstance(document.get(name), list)]
            odd = f"in a folder ({path.parent.name}) that says no part, such as train; give the file by itself"
            odd = f"without a list {' and '.join(missing)}" if missing else odd
            yield f"{path.name}: COCO, but {odd}"
        elif "imagePath" in document or "shapes" in document:
            yield f"{path.name}: LabelMe, but shapes is not a list"
        elif {"file", "metadata", "view"} <= set(document):
            yield f"{path.name}: of VIA 3, which is not read; export it from VIA 2"
        else:
            yield f"{path.name}: JSON with {', '.join(map(repr, list(document)[:4])) or 'nothing'}"


def _of_xml(source: Path) -> Iterator[str]:
    for path in islice(files_below(source, (".xml",)), _ASKED):
        try:
            root = read_xml(path, max_bytes=MAX_FILE_BYTES)
        except DataError as error:
            yield f"{path.name}: {error.what}"
        else:
            yield f"{path.name}: XML that begins with <{root.tag:.40}>, neither <annotation> nor <annotations>"


def _of_texts(source: Path) -> Iterator[str]:
    """Label files of YOLO without class names, or with odd lines."""
    paths = [p for p in islice(files_below(source, (".txt",)), 50) if p.name.lower() not in NAME_FILES]
    if not paths:
        return
    try:
        names = find_names(source) if source.is_dir() else None
    except DataError as error:
        yield str(error).rstrip(".")
        return
    if names is None:
        label = next((path for path in paths if share_of_sound_lines(path) > 0), None)
        if label is not None:
            yield f"{label.name}: YOLO, but without class names (data.yaml, classes.txt or obj.names)"
        return
    for path in paths[:_ASKED]:
        try:
            read_lines(path, names.key_points)
        except LeftOutError as error:
            yield error.detail or str(error)
        except DataError as error:
            yield str(error)


def _of_tables(source: Path) -> Iterator[str]:
    for path in islice(files_below(source, (".csv", ".tsv")), _ASKED):
        try:
            layout_of(first_cells(path), path)
        except DataError as error:
            expected = f"; expected {error.expected}" if error.expected else ""
            yield f"{path.name}: {error.what}" + (f" (columns {error.got}{expected})" if error.got else "")


def _of_masks(source: Path) -> Iterator[str]:
    """Pictures in folders of masks that cannot be read as masks."""
    for path in islice((p for p in files_below(source, SUFFIXES) if p.parent.name.lower() in FOLDERS), _ASKED):
        try:
            binary_mask(read_mask(path))
        except LeftOutError as error:
            yield f"{path.name}: {error.kind}" + (f": {error.detail}" if error.detail else "")


def _of_other_kinds(source: Path) -> list[str]:
    names = [source.name] if source.is_file() else sorted(name for _, _, names in os.walk(source) for name in names)
    for suffix, advice in _OTHER_KINDS.items():
        name = next((name for name in names if name.lower().endswith(suffix)), None)
        if name is not None:
            return [f"{name}: {advice}"]
    if names and all(name.lower().endswith(SUPPORTED_SUFFIXES) for name in names):
        folders = [path.name for path in sorted(source.iterdir()) if path.is_dir() and not part_named(path.name)]
        sorted_by = f" in folders ({', '.join(folders[:3])}), whose names say nothing about outlines" if folders else ""
        return [f"there are only images{sorted_by}; masks lie in a folder called masks"]
    return []
