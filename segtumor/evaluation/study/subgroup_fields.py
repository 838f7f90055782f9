"""How images and lesions divide into subgroups: the level or levels of each, by field.

A field belongs to lesions (class, size, longest diameter in mm if limits of it are set, the subtype that their image is
labelled with) or to images (site, view, center, age group, sex, device, manufacturer, label). An image can have several
levels of a list, as of site and view; it then belongs to each. A missing value is the level "unknown". Not here: the
measures (``subgroups``).
Letters: M lesions, N images.
"""

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segtumor.ages import AGE_GROUP, OLDEST_YEARS, age_group, age_groups, is_age
from segtumor.annotations.attributes import texts_of
from segtumor.arrays import Ints
from segtumor.errors import DataError
from segtumor.evaluation.facts.coco import SIZE_RANGES_PX
from segtumor.evaluation.facts.facts import Facts
from segtumor.evaluation.measures.measure import IMAGES, LESIONS
from segtumor.structures.diameters import longest_extent

UNKNOWN = "unknown"
CLASS, SIZE, SIZE_MM, SUBTYPE, IMAGE_LABEL = "class", "size", "size_mm", "subtype", "image_label"
LESION_FIELDS = (CLASS, SUBTYPE, SIZE, SIZE_MM)
IMAGE_FIELDS = ("site", "view", "center", AGE_GROUP, "sex", "device", "manufacturer", IMAGE_LABEL)


@dataclass(frozen=True)
class Division:
    """One field and what has each of its levels.

    Attributes:
        of: ``"lesions"`` or ``"images"``.
        levels: {level: indices of lesions or images}, "unknown" last.
        overlapping: whether something belongs to several levels.
    """

    field: str
    of: str
    levels: dict[str, Ints]
    overlapping: bool


def divisions_of(facts: Facts, fields: Sequence[str] | None = None) -> tuple[list[Division], list[str]]:
    """The Divisions of Facts, and sentences about fields that were left out and ages that are no numbers.

    Args:
        fields: names of fields, or None for all that the images have.

    Raises:
        DataError: a field that is unknown or that no image has, naming those that exist.
    """
    mm_groups, in_mm = _size_mm_levels(facts)
    values = {name: in_mm if name == SIZE_MM else _lesion_levels(facts, name) for name in LESION_FIELDS}
    values |= {name: _image_levels(facts, name) for name in IMAGE_FIELDS}
    present = [name for name, levels in values.items() if any(levels)]
    _check_fields(fields, present)
    not_asked = SIZE_MM if facts.settings.size_limits_mm is None else ""
    absent = [name for name in values if name not in (*present, not_asked)]
    remarks = [f"No subgroups by {', '.join(absent)}: no image says."] if absent and fields is None else []
    remarks += _of_ages(facts) if fields is None or AGE_GROUP in fields else []
    chosen = [name for name in present if fields is None or name in fields]
    groups = {AGE_GROUP: age_groups(facts.settings.age_limits), SIZE: tuple(SIZE_RANGES_PX), SIZE_MM: mm_groups}
    return [_division(name, values[name], groups.get(name, ())) for name in chosen], remarks


def _check_fields(fields: Sequence[str] | None, present: Sequence[str]) -> None:
    for field in fields or ():
        if field not in present:
            expected = ", ".join(present) or "no image has any field"
            raise DataError("subgroups by a field that no image has", got=field, expected=expected)


def _division(field: str, levels_of_each: Sequence[tuple[str, ...]], groups: Sequence[str]) -> Division:
    """``groups``: levels whose order is not the alphabet's."""
    members: dict[str, list[int]] = {}
    for number, levels in enumerate(levels_of_each):
        for level in dict.fromkeys(levels) or (UNKNOWN,):
            members.setdefault(level, []).append(number)
    places = {level: place for place, level in enumerate(groups)}
    order = sorted(members, key=lambda level: (level == UNKNOWN, places.get(level, len(places)), level))
    return Division(
        field,
        LESIONS if field in LESION_FIELDS else IMAGES,
        {level: np.array(members[level], dtype=np.int64) for level in order},
        any(len(set(levels)) > 1 for levels in levels_of_each),
    )


def _lesion_levels(facts: Facts, field: str) -> list[tuple[str, ...]]:
    """Levels of each lesion: M tuples, empty where unknown."""
    table = facts.lesions
    if field == CLASS:
        return [(facts.class_names[class_id],) for class_id in table.class_id]
    if field == SIZE:
        return [(size_of(area),) for area in table.area_px]
    return [texts_of(facts.results[image].truth.attributes.get(field)) for image in table.image]


def size_of(area_px: float) -> str:
    """COCO's size class of an area in px^2."""
    return next((name for name, (low, high) in SIZE_RANGES_PX.items() if low <= area_px < high), "large")


def _size_mm_levels(facts: Facts) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The groups of the longest diameter, and the group of each lesion: M tuples, empty without spacing."""
    limits = facts.settings.size_limits_mm
    if limits is None:
        return (), [() for _ in range(len(facts.lesions))]
    diameters = [
        longest_extent(lesion, spacing) if (spacing := image.truth.attributes.get("spacing_mm")) else math.nan
        for image in facts.images
        for lesion in image.lesions
    ]
    known = [diameter for diameter in diameters if not math.isnan(diameter)]
    if not known:
        return (), [() for _ in diameters]
    starts = (float(np.median(known)),) if isinstance(limits, str) else limits
    texts = [f"{start:.4g}" for start in starts]
    note = " (median)" if isinstance(limits, str) else ""
    between = (f"{low} to {high} mm" for low, high in itertools.pairwise(texts))
    groups = (f"<{texts[0]} mm{note}", *between, f">={texts[-1]} mm{note}")
    return groups, [() if math.isnan(d) else (groups[bisect_right(starts, d)],) for d in diameters]


def _image_levels(facts: Facts, field: str) -> list[tuple[str, ...]]:
    """Levels of each image: N tuples, empty where unknown."""
    attributes = [result.truth.attributes for result in facts.results]
    if field == AGE_GROUP:
        limits = facts.settings.age_limits
        return [(group,) if (group := age_group(a.get("age"), limits)) else () for a in attributes]
    return [texts_of(a.get(field)) for a in attributes]


def _of_ages(facts: Facts) -> list[str]:
    truths = [r.truth for r in facts.results]
    unread = [t for t in truths if t.attributes.get("age") not in (None, "") and not is_age(t.attributes["age"])]
    if not unread:
        return []
    example = f"{unread[0].attributes['age']!r} of {unread[0].file_name}"
    return [
        f"The age of {len(unread)} images is no number, such as {example} (expected: 0 to {OLDEST_YEARS} years); their "
        "age group is unknown."
    ]
