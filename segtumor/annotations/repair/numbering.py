"""Ids: read where they were written as text or fractions, copies merged, entries numbered anew where needed.

Not here: ids that contradict each other, which nothing repairs (``omission``).
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from segtumor.annotations.problems import place, show
from segtumor.annotations.repair.ledger import Ledger, Work, objects
from segtumor.annotations.validation import LARGEST_ID

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}")
_IDS = (
    ("images", "id"),
    ("categories", "id"),
    ("annotations", "id"),
    ("annotations", "image_id"),
    ("annotations", "category_id"),
)
_COMPARED = 8  # copies of a lesion that share its box; keeps the search linear


def as_id(value: Any) -> int | None:
    """The integer that a value can only mean: 12 for 12, "12", "12 " and 12.0; None if there is none."""
    if type(value) is str and _INTEGER.fullmatch(value.strip()):
        return int(value)
    if type(value) is float and abs(value) <= LARGEST_ID and value == int(value):
        return int(value)
    return value if type(value) is int else None


def read_ids(work: Work, ledger: Ledger) -> None:
    """Ids and references that are integers in disguise become integers, everywhere at once."""
    for name, key in _IDS:
        for index, entry in objects(work[name]):
            value = entry.get(key)
            if type(value) in (str, float) and as_id(value) is not None:
                ledger.set(entry, place(name, index, entry), key, "read as an integer", as_id(value))


def resolve_names(work: Work, ledger: Ledger) -> None:
    """Annotations that name their image by its file, or their class by its name, get the id of the only one so called.

    A name that is somebody's id stays, to be read as that.
    """
    for name, key, called in (("images", "image_id", "file_name"), ("categories", "category_id", "name")):
        entries = [entry for _, entry in objects(work[name])]
        counts = Counter(entry.get(called) for entry in entries if isinstance(entry.get(called), str))
        id_of = {entry[called]: entry.get("id") for entry in entries if counts.get(_text(entry.get(called))) == 1}
        taken = {_text(entry.get("id")) for entry in entries}
        for index, entry in objects(work["annotations"]):
            value = _text(entry.get(key))
            if value in id_of and value not in taken and id_of[value] is not None:
                what = f"taken from the one of that {called.replace('_', ' ')} in {name}"
                ledger.set(entry, place("annotations", index, entry), key, what, id_of[value])


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def renumber_texts(work: Work, ledger: Ledger) -> None:
    """Ids of images and categories that are text, or beyond 2^53, become numbers; annotations follow theirs.

    Only where each is one entry's own: of a duplicate nobody knows whose the annotations are.
    """
    for name, key in (("images", "image_id"), ("categories", "category_id")):
        ids = [entry.get("id") for _, entry in objects(work[name])]
        odd = Counter(value for value in ids if _is_odd(value))
        following = _first_free(ids)
        number_of = {value: following + i for i, value in enumerate(v for v, count in odd.items() if count == 1)}
        for entries, name_of_id, field in ((name, name, "id"), ("annotations", name, key)):
            for index, entry in objects(work[entries]):
                value = entry.get(field)
                if _is_odd(value) and value in number_of:
                    what = "numbered anew" if field == "id" else f"numbered anew, with its entry in {name_of_id}"
                    ledger.set(entry, place(entries, index, entry), field, what, number_of[value])


def _is_odd(value: Any) -> bool:
    return (type(value) is str and value.strip() != "") or (type(value) is int and not _is_id(value))


def remove_copies(work: Work, ledger: Ledger) -> None:
    """Drop exact copies of images and categories, and of lesions by their class, box and outline."""
    for name, compared in {"images": same, "categories": _same_category, "annotations": _same_lesion}.items():
        work[name] = _without_copies(name, work[name], compared, ledger)


def _without_copies(
    name: str, entries: list[tuple[int, Any]], is_same: Callable[[Any, Any], bool], ledger: Ledger
) -> list[tuple[int, Any]]:
    kept: list[tuple[int, Any]] = []
    buckets: dict[tuple[str, ...], list[Any]] = {}
    for index, entry in entries:
        if isinstance(entry, dict):
            bucket = buckets.setdefault(_bucket(name, entry), [])
            if any(is_same(entry, other) for other in bucket):
                ledger.change(place(name, index, entry), "(entry)", "removed: an exact copy of another", entry, None)
                continue
            if len(bucket) < _COMPARED:
                bucket.append(entry)
        kept.append((index, entry))
    return kept


def _bucket(name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    keys = ("image_id", "category_id", "bbox") if name == "annotations" else ("id",)
    return tuple(show(entry.get(key)) for key in keys)


def same(first: Any, second: Any) -> bool:
    """Whether two JSON values are equal."""
    try:
        return bool(first == second)
    except RecursionError:  # nested beyond measure, and left out for that
        return False


def _same_category(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Of one id and name; whatever else they say."""
    return all(key in first and same(first[key], second.get(key)) for key in ("id", "name"))


def _same_lesion(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    keys = ("image_id", "category_id", "bbox", "segmentation")
    return all(same(first.get(key), second.get(key)) for key in keys)


def renumber(annotations: list[tuple[int, Any]], ledger: Ledger) -> None:
    """Give annotations whose id is missing, unreadable or taken a new one above all others."""
    ids = [entry.get("id") for _, entry in objects(annotations)]
    following = _first_free(ids)
    taken: set[int] = set()
    for index, entry in objects(annotations):
        value = entry.get("id")
        if not _is_id(value) or value in taken:
            ledger.set(entry, place("annotations", index, entry), "id", "numbered anew", max(following, 1))
            following = max(following, 1) + 1
        taken.add(entry["id"])


def _first_free(ids: list[Any]) -> int:
    """An id above all others of plausible size."""
    sound = [value for value in ids if type(value) is int and -LARGEST_ID <= value < LARGEST_ID // 2]
    return max(sound, default=0) + 1


def _is_id(value: Any) -> bool:
    return type(value) is int and -LARGEST_ID <= value <= LARGEST_ID
