"""What is on both sides of a split: cases, equal images and nearly equal ones, and the lesions this affects.

Parts are compared two by two; of each pair the later one (test after val after train) is the one whose measurements
suffer, and shares are shares of it. Folds such as fold1-train and fold1-val are compared within the fold. Not here:
making splits (``splits``), reading images (``fingerprints``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from segtumor.annotations.coco import CocoDataset
from segtumor.annotations.regions import is_crowd
from segtumor.cases import case_of, doubts
from segtumor.datasets.duplicates import Pair, near_duplicates
from segtumor.datasets.fingerprints import Fingerprint, fingerprint_images
from segtumor.errors import SegtumorError
from segtumor.progress import Progress

ROLES = ("train", "val", "test")


class _Item(NamedTuple):
    key: str
    file_name: str
    case: str | None
    n_lesions: int


@dataclass(frozen=True)
class PartCounts:
    """One part: its images, lesions (crowds not counted), known cases and images without a case."""

    images: int
    lesions: int
    cases: int
    images_without_case: int


@dataclass(frozen=True)
class PairLeak:
    """What two parts share.

    Attributes:
        first, second: names of the parts; the second is the one evaluated.
        cases: the case ids in both, sorted.
        exact: list of (image of first, image of second) with equal pixels, by file name; one for each image of second.
        near: list of duplicates.Pair, likewise by file name, image of first before image of second.
        images: {reason: number of images of the second part that are affected}.
        lesions: {reason: number of their lesions}.
    """

    first: str
    second: str
    cases: list[str]
    exact: list[tuple[str, str]]
    near: list[Pair]
    images: dict[str, int]
    lesions: dict[str, int]

    @property
    def leaks(self) -> bool:
        """Whether a case or an equal image is in both parts."""
        return bool(self.cases or self.exact)


@dataclass(frozen=True)
class LeakReport:
    """The result of ``find_leaks``; where images were not ``opened``, exact means the same file.

    ``cases_in_several``: {case id: its parts}, of cases in several of the parts that were compared. ``doubts``:
    sentences on cases that name no patient, or of which two may be one.
    """

    parts: dict[str, PartCounts]
    pairs: list[PairLeak]
    cases_in_several: dict[str, list[str]]
    opened: bool
    doubts: list[str] = field(default_factory=list)

    @property
    def leaks(self) -> bool:
        """Whether a case or an equal image is on both sides."""
        return any(pair.leaks for pair in self.pairs)

    @property
    def near(self) -> bool:
        """Whether nearly equal images are on both sides."""
        return any(pair.near for pair in self.pairs)

    def as_json(self) -> dict[str, Any]:
        """The report as plain values, with every case and image."""
        document = asdict(self)
        for pair in document["pairs"]:
            pair["exact"] = [{"first": first, "second": second} for first, second in pair["exact"]]
            pair["near"] = [near._asdict() for near in pair["near"]]
        return {"schema_version": 1, "leaks": self.leaks, **document}


def fingerprints_of_parts(
    parts: Mapping[str, CocoDataset], *, progress: Progress = iter, workers: int | None = None
) -> tuple[dict[str, Fingerprint], dict[str, SegtumorError]]:
    """{path: Fingerprint} and {path: error} of every image of the parts, each opened once."""
    paths = list(dict.fromkeys(image_key(dataset, image) for dataset in parts.values() for image in dataset.images))
    return fingerprint_images(paths, "/", progress=progress, workers=workers)


def find_leaks(
    parts: Mapping[str, CocoDataset], fingerprints: Mapping[str, Fingerprint] | None = None, *, near: bool = True
) -> LeakReport:
    """Compare the parts of a split; an image without ``case_id`` counts as a case of its own.

    ``fingerprints`` are by the paths of ``image_key``; images that have none, or all if nothing was opened, are
    compared by path.
    """
    prints = fingerprints or {}
    items = {part: _items(dataset) for part, dataset in parts.items()}
    partners: dict[str, list[Pair]] = {}
    for pair in near_duplicates(prints) if near else []:
        partners.setdefault(pair.first, []).append(pair)
        partners.setdefault(pair.second, []).append(pair)
    identity = {key: one.pixel_sha256 for key, one in prints.items()}
    pairs = [_compare(first, second, items, identity, partners) for first, second in pairs_to_compare(list(parts))]
    return LeakReport(
        parts={part: _counts(part_items) for part, part_items in items.items()},
        pairs=pairs,
        cases_in_several=_cases_in_several(pairs),
        opened=fingerprints is not None,
        doubts=doubts(item.case for part_items in items.values() for item in part_items if item.case is not None),
    )


def image_key(dataset: CocoDataset, image: Mapping[str, Any]) -> str:
    """Path of an image of a CocoDataset, as the fingerprints are keyed."""
    return str(Path(dataset.image_root) / image["file_name"])


def pairs_to_compare(names: Sequence[str]) -> list[tuple[str, str]]:
    """List of (part, part evaluated) that must share nothing.

    Every part with every other, except parts of different folds; a part ``test`` outside the folds belongs to all.
    """
    rank = {name: (_rank(name), position) for position, name in enumerate(names)}
    pairs = (pair for pair in combinations(names, 2) if _belong_together(*pair))
    return [(min(pair, key=rank.__getitem__), max(pair, key=rank.__getitem__)) for pair in pairs]


def _fold_and_role(name: str) -> tuple[str, str]:
    fold, _, role = name.rpartition("-")
    return (fold, role) if role in ROLES else ("", name)


def _rank(name: str) -> int:
    role = _fold_and_role(name)[1]
    return ROLES.index(role) if role in ROLES else len(ROLES)


def _belong_together(first: str, second: str) -> bool:
    same_fold = _fold_and_role(first)[0] == _fold_and_role(second)[0]
    return same_fold or "test" in (first, second)


def _items(dataset: CocoDataset) -> list[_Item]:
    items = []
    for image in dataset.images:
        lesions = [a for a in dataset.annotations_of_image.get(image["id"], ()) if not is_crowd(a)]
        items.append(_Item(image_key(dataset, image), image["file_name"], case_of(image), len(lesions)))
    return items


def _counts(items: Sequence[_Item]) -> PartCounts:
    cases = [item.case for item in items]
    return PartCounts(len(items), sum(item.n_lesions for item in items), len({*cases} - {None}), cases.count(None))


def _compare(
    first: str,
    second: str,
    items: Mapping[str, list[_Item]],
    identity: Mapping[str, str],
    partners: Mapping[str, list[Pair]],
) -> PairLeak:
    cases = {item.case for item in items[first] if item.case} & {item.case for item in items[second] if item.case}
    names = {item.key: item.file_name for item in items[first]}
    name_of: dict[str, str] = {}
    for item in items[first]:
        name_of.setdefault(identity.get(item.key, item.key), item.file_name)
    exact = {
        item.key: (name_of[identity.get(item.key, item.key)], item.file_name)
        for item in items[second]
        if identity.get(item.key, item.key) in name_of
    }
    near = {item.key: _partners_in(names, item, partners) for item in items[second] if item.key in partners}
    affected = {
        "case": [item.case in cases for item in items[second]],
        "exact": [item.key in exact for item in items[second]],
        "near": [bool(near.get(item.key)) for item in items[second]],
    }
    affected["any"] = [any(reasons) for reasons in zip(*affected.values(), strict=True)]
    lesions = [item.n_lesions for item in items[second]]
    return PairLeak(
        first,
        second,
        cases=sorted(cases),
        exact=list(exact.values()),
        near=[pair for pairs in near.values() for pair in pairs],
        images={reason: sum(flags) for reason, flags in affected.items()},
        lesions={
            reason: sum(n for n, flag in zip(lesions, flags, strict=True) if flag) for reason, flags in affected.items()
        },
    )


def _partners_in(names: Mapping[str, str], item: _Item, partners: Mapping[str, list[Pair]]) -> list[Pair]:
    """The pairs of an item with images of the other part ({key: file name}), by file name, that image first."""
    others = [(pair.first if pair.second == item.key else pair.second, pair) for pair in partners[item.key]]
    return [pair._replace(first=names[other], second=item.file_name) for other, pair in others if other in names]


def _cases_in_several(pairs: Sequence[PairLeak]) -> dict[str, list[str]]:
    parts_of_case: dict[str, list[str]] = {}
    for pair in pairs:
        for case in pair.cases:
            names = parts_of_case.setdefault(case, [])
            names.extend(name for name in (pair.first, pair.second) if name not in names)
    return dict(sorted(parts_of_case.items()))
