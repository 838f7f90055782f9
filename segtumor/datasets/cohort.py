"""Patients by centre, or by another field, side by side with tests: the first table of a paper.

The unit is the case, so that tests may take units as independent: its age, sex and site are the first known ones of its
images, its class is the gravest of its lesions, else the label of an image; its size is that of its largest lesion. Not
here: counts of images and lesions (``counts``).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segtumor.ages import is_age
from segtumor.annotations.coco import CocoDataset
from segtumor.cases import case_or_own
from segtumor.datasets.splits.strata import UNKNOWN, attribute_text, check_attribute
from segtumor.statistics.hypothesis import holm, independence, kruskal_wallis
from segtumor.statistics.interval import TestResult
from segtumor.structures.diameters import longest_extent
from segtumor.structures.lesions import AnnotatedImage
from segtumor.texts import UNDEFINED, p_text

_USUAL = "center"
_NO_LESION = "no lesion"


@dataclass(frozen=True)
class CohortGroups:
    """Cells: a variable, one of its values, each group, all cases, p, p after Holm, the test."""

    header: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str


@dataclass(frozen=True)
class _Case:
    group: str
    n_images: int
    age: float
    sex: str
    site: str
    label: str
    size_px: float
    size_mm: float


def cohort_groups(parts: Mapping[str, CocoDataset], field: str) -> CohortGroups | None:
    """The cases of all parts by a field of their images; None unless two of its values are known.

    Raises:
        ConfigError: another field than ``center`` that no image has.
    """
    if field != _USUAL:
        images = [image for dataset in parts.values() for image in dataset.images]
        check_attribute(images, field, option="--cohort-by")
    cases = _cases(parts, field)
    groups = sorted({case.group for case in cases} - {UNKNOWN})
    if len(groups) < 2:
        return None
    by_group = {group: [case for case in cases if case.group == group] for group in groups}
    counted: list[tuple[list[tuple[Any, ...]], TestResult | None]] = [
        ([("cases", "", *map(len, by_group.values()), len(cases))], None),
        ([("images", "", *(sum(c.n_images for c in own) for own in (*by_group.values(), cases)))], None),
        *(_numbers(name, by_group, cases, key) for name, key in _NUMBERS.items()),
        *(_categories(name, by_group, cases, key) for name, key in _CATEGORIES.items()),
    ]
    known = [(rows, test) for rows, test in counted if rows]
    adjusted = iter(holm([test.p_value for _, test in known if test is not None]))
    rows = []
    for lines, test in known:
        cells: tuple[str, ...] = ("", "", "")
        if test is not None:
            shown = (p_text(p, undefined="-") for p in (test.p_value, float(next(adjusted))))
            cells = (*shown, "; ".join(filter(None, (test.name, test.note))))
        rows += [(*line, *(cells if number == 0 else ("", "", ""))) for number, line in enumerate(lines)]
    n_unknown = len(cases) - sum(map(len, by_group.values()))
    note = "Cases: median (quartiles), or number and percentage of those known. Tests are across the groups."
    note += f" Cases of an unknown group, in the column of all only: {n_unknown}." if n_unknown else ""
    return CohortGroups(("", "value", *groups, "all", "p", "p (Holm)", "test"), tuple(rows), note)


_NUMBERS: dict[str, Callable[[_Case], float]] = {
    "age (years)": lambda case: case.age,
    "largest lesion (px)": lambda case: case.size_px,
    "largest lesion (mm)": lambda case: case.size_mm,
}
_CATEGORIES: dict[str, Callable[[_Case], str]] = {
    "sex": lambda case: case.sex,
    "class": lambda case: case.label,
    "site": lambda case: case.site,
}
_ByGroup = Mapping[str, Sequence[_Case]]


def _numbers(
    name: str, by_group: _ByGroup, cases: Sequence[_Case], key: Callable[[_Case], float]
) -> tuple[list[tuple[Any, ...]], TestResult | None]:
    values = [[key(case) for case in own if not math.isnan(key(case))] for own in (*by_group.values(), cases)]
    if not values[-1]:
        return [], None
    return [(name, "", *map(_quartiles, values))], kruskal_wallis(values[:-1])


def _categories(
    name: str, by_group: _ByGroup, cases: Sequence[_Case], key: Callable[[_Case], str]
) -> tuple[list[tuple[Any, ...]], TestResult | None]:
    levels = sorted({key(case) for case in cases} - {UNKNOWN}, key=lambda level: (level == _NO_LESION, level))
    if not levels:
        return [], None
    counts = [[sum(key(case) == level for case in own) for level in levels] for own in (*by_group.values(), cases)]
    rows = [(name, level, *(_share(column[i], sum(column)) for column in counts)) for i, level in enumerate(levels)]
    return rows, independence(counts[:-1])


def _cases(parts: Mapping[str, CocoDataset], field: str) -> list[_Case]:
    """The cases; an image that is in several parts counts once."""
    images: dict[str, list[tuple[Mapping[str, Any], AnnotatedImage]]] = {}
    seen = set()
    names: Sequence[str] = ()
    for dataset in parts.values():
        names = dataset.taxonomy.names
        truths = {truth.image_id: truth for truth in dataset.annotated_images}
        for image in dataset.images:
            if image["file_name"] not in seen:
                seen.add(image["file_name"])
                images.setdefault(str(case_or_own(image)), []).append((image, truths[image["id"]]))
    return [_case(own, field, names) for own in images.values()]


def _case(own: Sequence[tuple[Mapping[str, Any], AnnotatedImage]], field: str, names: Sequence[str]) -> _Case:
    def first(key: str) -> str:
        texts = (attribute_text(image, key) for image, _ in own)
        return next((text for text in texts if text != UNKNOWN), UNKNOWN)

    lesions = [(lesion, truth) for _, truth in own for lesion in truth.lesions if not lesion.iscrowd]
    label = names[max(lesion.class_id for lesion, _ in lesions)] if lesions else first("image_label")
    spaced = [(lesion, spacing) for lesion, truth in lesions if (spacing := truth.attributes.get("spacing_mm"))]
    ages = (float(image["age"]) for image, _ in own if is_age(image.get("age")))
    return _Case(
        group=first(field),
        n_images=len(own),
        age=next(ages, math.nan),
        sex=first("sex"),
        site=first("site"),
        label=_NO_LESION if label == UNKNOWN else label,
        size_px=max((longest_extent(lesion) for lesion, _ in lesions), default=math.nan),
        size_mm=max((longest_extent(lesion, spacing) for lesion, spacing in spaced), default=math.nan),
    )


def _quartiles(values: Sequence[float]) -> str:
    if not values:
        return "-"
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def _share(count: int, n: int) -> str:
    return f"{count} ({100 * count / n:.1f}%)" if n else UNDEFINED
