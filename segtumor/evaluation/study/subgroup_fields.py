"""How images and lesions divide into subgroups: the level or levels of each, by field.

A field belongs to lesions (class, size, the subtype that their image is labelled with) or to images (site, view,
center, age group, sex, device, label). An image can have several levels of a list, as of site and view; it then belongs
to each. A missing value is the level "unknown". Not here: the measures (``subgroups``).
Letters: M lesions, N images.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segtumor.ages import AGE_GROUP, AGE_GROUPS, OLDEST_YEARS, age_group, is_age
from segtumor.annotations.attributes import texts_of
from segtumor.arrays import Ints
from segtumor.errors import DataError
from segtumor.evaluation.facts.coco import SIZE_RANGES_PX
from segtumor.evaluation.facts.facts import Facts
from segtumor.evaluation.measures.measure import IMAGES, LESIONS

UNKNOWN = "unknown"
CLASS, SIZE, SUBTYPE, IMAGE_LABEL = "class", "size", "subtype", "image_label"
LESION_FIELDS = (CLASS, SUBTYPE, SIZE)
IMAGE_FIELDS = ("site", "view", "center", AGE_GROUP, "sex", "device", IMAGE_LABEL)


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
    values = {name: _lesion_levels(facts, name) for name in LESION_FIELDS}
    values |= {name: _image_levels(facts, name) for name in IMAGE_FIELDS}
    present = [name for name, levels in values.items() if any(levels)]
    _check_fields(fields, present)
    absent = [name for name in values if name not in present]
    remarks = [f"No subgroups by {', '.join(absent)}: no image says."] if absent and fields is None else []
    remarks += _of_ages(facts) if fields is None or AGE_GROUP in fields else []
    chosen = [name for name in present if fields is None or name in fields]
    return [_division(name, values[name]) for name in chosen], remarks


def _check_fields(fields: Sequence[str] | None, present: Sequence[str]) -> None:
    for field in fields or ():
        if field not in present:
            expected = ", ".join(present) or "no image has any field"
            raise DataError("subgroups by a field that no image has", got=field, expected=expected)


def _division(field: str, levels_of_each: Sequence[tuple[str, ...]]) -> Division:
    members: dict[str, list[int]] = {}
    for number, levels in enumerate(levels_of_each):
        for level in dict.fromkeys(levels) or (UNKNOWN,):
            members.setdefault(level, []).append(number)
    order = sorted(members, key=lambda level: (level == UNKNOWN, _position(field, level), level))
    return Division(
        field,
        LESIONS if field in LESION_FIELDS else IMAGES,
        {level: np.array(members[level], dtype=np.int64) for level in order},
        any(len(set(levels)) > 1 for levels in levels_of_each),
    )


def _position(field: str, level: str) -> int:
    """Place of a level whose order is not the alphabet's."""
    order = {AGE_GROUP: AGE_GROUPS, SIZE: tuple(SIZE_RANGES_PX)}.get(field, ())
    return order.index(level) if level in order else len(order)


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


def _image_levels(facts: Facts, field: str) -> list[tuple[str, ...]]:
    """Levels of each image: N tuples, empty where unknown."""
    attributes = [result.truth.attributes for result in facts.results]
    if field == AGE_GROUP:
        return [(group,) if (group := age_group(a.get("age"))) else () for a in attributes]
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
