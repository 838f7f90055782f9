"""The parts of one data set: annotation files of a folder, or what a split file makes of one annotation file.

Not here: comparing parts (``segtumor.datasets.leaks``) and making them (``segtumor.datasets.splits``).
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segtumor.annotations.coco import CocoDataset, load_coco
from segtumor.cases import case_of
from segtumor.datasets.splits.cases import read_case_table
from segtumor.datasets.splits.document import read_split_document
from segtumor.errors import DataError

#: The part that holds every image, as conversions write it; left aside where other parts divide it.
WHOLE = "all"


def load_parts(
    source: Path | str, image_root: Path | str | None = None, *, check_files: bool = False
) -> dict[str, CocoDataset]:
    """Read one annotation file, or all of a data set's folder.

    Args:
        source: annotation file, or folder with ``annotations/<part>.json``.
        image_root: folder of the images; None takes ``images`` beside the annotations' folder.

    Returns:
        {part: CocoDataset}, in the order of their names, training first. ``all`` is alone or not there at all.

    Raises:
        DataError: there is nothing, or a file is malformed.
    """
    source = Path(source)
    paths = sorted((source / "annotations").glob("[!.]*.json")) if source.is_dir() else [source]
    if len(paths) > 1:
        paths = [path for path in paths if path.stem != WHOLE]
    if not paths:
        expected = "an annotation file, or a folder with annotations/<part>.json in it"
        raise DataError("no annotation files", where=source, expected=expected, remedy="Try segtumor data convert")
    order = {"train": 0, "val": 1, "test": 2}
    paths.sort(key=lambda path: (order.get(path.stem.rpartition("-")[2], 3), path.stem))
    return {path.stem: load_coco(path, image_root, check_files=check_files, require_masks=False) for path in paths}


def parts_of_split(dataset: CocoDataset, split_path: str | Path) -> dict[str, CocoDataset]:
    """The parts by a split file, whose cases images without one get; raises DataError if one is not in it."""
    document = read_split_document(split_path)
    assignment = document["assignment"]
    missing = [image["file_name"] for image in dataset.images if image["file_name"] not in assignment]
    if missing:
        what = f"{len(missing)} images are not in the split, the first {missing[0]}"
        raise DataError(what, where=split_path, remedy="Give the split of these annotations")
    composition = document.get("composition") or {part: (part,) for part in document["fractions"]}
    images_of_fold: dict[str, list[dict[str, Any]]] = {}
    for image in dataset.images:
        entry = assignment[image["file_name"]]
        known = {} if case_of(image) is not None else {"case_id": entry["case_id"]}
        images_of_fold.setdefault(entry["part"], []).append({**image, **known})
    return {
        part: dataclasses.replace(
            dataset, images=tuple(image for fold in folds for image in images_of_fold.get(fold, ()))
        )
        for part, folds in composition.items()
    }


def with_case_table(parts: Mapping[str, CocoDataset], table: str | Path) -> dict[str, CocoDataset]:
    """The parts with the cases of a table image_id,case_id in place of the files' own."""
    replaced = {}
    for part, dataset in parts.items():
        cases, _ = read_case_table(table, [image["file_name"] for image in dataset.images])
        images = ({**image, "case_id": cases.get(index)} for index, image in enumerate(dataset.images))
        replaced[part] = dataclasses.replace(dataset, images=tuple(images))
    return replaced
