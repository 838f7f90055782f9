"""How a collection became a data set: images found, left out and why, used, and how they are split.

From the report of a conversion (``segtumor.formats.conversion.output``, ``formats.btxrd``) and the annotation files
beside it. Not here: drawing (``segtumor.reporting.figures.flow``).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtumor.annotations.coco import CocoDataset
from segtumor.annotations.json_input import parse_json, read_bytes
from segtumor.annotations.regions import is_crowd
from segtumor.cases import case_or_own
from segtumor.errors import DataError

REPORT = "conversion_report.json"


@dataclass(frozen=True)
class Amount:
    """What a part holds."""

    name: str
    images: int
    cases: int
    lesions: int


@dataclass(frozen=True)
class Flow:
    """Counts of images, and what the data set and its parts hold.

    Attributes:
        found: images used and left out.
        left_out: {reason: images}, the most frequent first; an image with several reasons counts under its first one.
        parts: empty where the set is not split.
    """

    found: int
    left_out: Mapping[str, int]
    used: Amount
    parts: tuple[Amount, ...]


def read_flow(report: str | Path, parts: Mapping[str, CocoDataset]) -> Flow:
    """The Flow of a conversion and what became of it.

    Raises:
        DataError: no report of a conversion.
    """
    content = parse_json(read_bytes(report, remedy="segtumor data convert writes it"), report)
    left_out = content.get("left_out") if isinstance(content, dict) else None
    entries: list[Any] = left_out if isinstance(left_out, list) else [None]
    if not all(isinstance(entry, dict) and {"image", "kind"} <= set(entry) for entry in entries):
        raise DataError("not the report of a conversion", where=report, expected="left_out: a list with image and kind")
    reasons: dict[str, str] = {}
    for entry in entries:
        if entry["image"]:
            reasons.setdefault(str(entry["image"]), str(entry["kind"]))
    used = _amount("data set", [*parts.values()])
    reasons = {name: kind for name, kind in reasons.items() if name not in _names(parts)}
    counts = dict(Counter(reasons.values()).most_common())
    split = tuple(_amount(name, [dataset]) for name, dataset in parts.items()) if len(parts) > 1 else ()
    return Flow(used.images + len(reasons), counts, used, split)


def _names(parts: Mapping[str, CocoDataset]) -> set[str]:
    return {image["file_name"] for dataset in parts.values() for image in dataset.images}


def _amount(name: str, datasets: list[CocoDataset]) -> Amount:
    """Of one or several parts; an image that is in several (folds) counts once."""
    images: dict[str, tuple[Mapping[str, Any], int]] = {}
    for dataset in datasets:
        for image in dataset.images:
            own = dataset.annotations_of_image.get(image["id"], ())
            images.setdefault(image["file_name"], (image, sum(not is_crowd(one) for one in own)))
    cases = {case_or_own(image) for image, _ in images.values()}
    return Amount(name, len(images), len(cases), sum(n for _, n in images.values()))
