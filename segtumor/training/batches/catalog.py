"""Data sets by name, as Detectron2 users expect: ``btxrd256_train`` is a part of the folder ``btxrd256``.

``<root>/<folder>/annotations/<part>.json`` with the images in ``<root>/<folder>/images``; the root is
``$DETECTRON2_DATASETS`` or ``datasets``. The only writer of Detectron2's catalogues. Not here: what is inside an
annotation file (``segtumor.annotations.coco``).
"""

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog

from segtumor.annotations.class_scheme import ClassScheme
from segtumor.annotations.coco import CocoDataset, load_coco
from segtumor.cases import case_or_own
from segtumor.errors import DataError
from segtumor.imaging import read_size_hw

#: {name: (annotation file, image folder)} of data sets that are not found by their name.
Files = Mapping[str, tuple[Path, Path]]
#: {"train": data sets, "validation": ..., "test": ...}
DataParts = Mapping[str, Sequence[CocoDataset]]


def dataset_paths(name: str, root: str | Path | None = None) -> tuple[Path, Path]:
    """Annotation file and image folder of a data set's name.

    Raises:
        DataError: the name has no part, or there is no such annotation file.
    """
    root = Path(root or os.environ.get("DETECTRON2_DATASETS", "datasets"))
    folder, _, part = name.rpartition("_")
    json_path = root / folder / "annotations" / f"{part}.json"
    if not folder or not json_path.is_file():
        raise DataError(
            "no such data set",
            where=name,
            expected=f"annotations in {json_path}",
            remedy="Make it with a script of datasets/ (see datasets/README.md) or set DETECTRON2_DATASETS",
        )
    return json_path, root / folder / "images"


def load_datasets(
    names: Iterable[str],
    *,
    root: str | Path | None = None,
    files: Files | None = None,
    scheme: ClassScheme | None = None,
) -> list[CocoDataset]:
    """Read, check and register data sets, in the order of their names.

    Args:
        root: folder of the data sets' folders; None takes ``$DETECTRON2_DATASETS`` or ``datasets``.
        files: {name: (annotation file, image folder)} of data sets that are elsewhere.
        scheme: of the classes (``scheme_of``); None: as the files have them.

    Raises:
        DataError: a file is missing or malformed, or the sets differ in their classes.
    """
    names, files = list(names), files or {}
    paths = [files[name] if name in files else dataset_paths(name, root) for name in names]
    datasets = [load_coco(*both, scheme=scheme) for both in paths]
    for name, dataset in zip(names, datasets, strict=True):
        if dataset.taxonomy != datasets[0].taxonomy:
            raise DataError(
                "data sets of one run must have the same classes",
                where=name,
                got=dataset.taxonomy.names,
                expected=datasets[0].taxonomy.names,
            )
        _register(name, dataset)
    return datasets


def scheme_of(cfg: CfgNode) -> ClassScheme:
    """What ``DATASETS.CLASSES`` and ``DATASETS.NORMAL`` make of the classes; ConfigError if they say nothing sound."""
    return ClassScheme.parse(cfg.DATASETS.CLASSES, normal=cfg.DATASETS.NORMAL, where="DATASETS.CLASSES")


def check_image_sizes(records: Iterable[Mapping[str, Any]], *, max_pixels: int) -> None:
    """Compare every image's header with its record, so that a wrong file stops a run before it starts.

    Raises:
        BadImageError: a file is unreadable.
        DataError: sizes differ or have more pixels than ``max_pixels``; names up to five.
    """
    wrong, large = [], []
    for record in records:
        size_hw = read_size_hw(record["file_name"])
        if size_hw[0] * size_hw[1] > max_pixels:
            large.append(record["file_name"])
        if size_hw != (record["height"], record["width"]):
            wrong.append(f"{record['file_name']} is {size_hw}, annotated as {(record['height'], record['width'])}")
    if large:
        raise DataError(
            f"{len(large)} images have more pixels than INPUT.MAX_PIXELS: {', '.join(large[:5])}",
            expected=f"at most {max_pixels}",
            remedy="Scale them down, or raise INPUT.MAX_PIXELS",
        )
    if wrong:
        raise DataError(
            f"{len(wrong)} images differ in (height, width) from their annotation file: {'; '.join(wrong[:5])}",
            remedy="Annotate the images as they are, or scale their outlines with `segtumor data check --fix`",
        )


def shared_cases(parts: DataParts) -> list[tuple[str, str, list[str]]]:
    """Cases that are in more than one part of a run: (part, other part, sorted ids that both have). An image without a
    case is its own, by file name.
    """
    cases = {
        part: {case_or_own(record) for dataset in sets for record in dataset.records} for part, sets in parts.items()
    }
    pairs = [(a, b, sorted(cases[a] & cases[b])) for a, b in itertools.combinations(cases, 2)]
    return [pair for pair in pairs if pair[2]]


def _register(name: str, dataset: CocoDataset) -> None:
    if name in DatasetCatalog.list():
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)
    DatasetCatalog.register(name, lambda: dataset.records)
    MetadataCatalog.get(name).set(
        thing_classes=list(dataset.taxonomy.names),
        json_file=str(dataset.json_path),
        image_root=str(dataset.image_root),
        evaluator_type="coco",
    )
