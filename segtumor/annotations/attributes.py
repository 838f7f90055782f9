"""The further fields of COCO entries: what may be copied through to records and tables, and their values as texts.

They must be finite, shallow Unicode. Not here: the fields that mean something to us
(``segtumor.annotations.validation``).
"""

import math
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from segtumor.annotations.problems import ProblemKind
from segtumor.taxonomy import ENTITIES, NORMAL

DEEPEST = 20
LARGEST_INTEGER = 2**63

#: What is reported while the file is used; tables show it as empty.
TOLERATED = {ProblemKind.NOT_FINITE}


def label_of(image: Mapping[str, Any], class_names: Sequence[str] = ()) -> Any:
    """The ``image_label`` of a COCO image entry, as every part of segtumor compares it; None without one.

    Normal, benign, intermediate, malignant and the names of classes are written as they are here, whatever their
    capitals and blanks: "Malignant " is malignant. Other values are returned as they are.
    """
    value = image.get("image_label")
    if not isinstance(value, str):
        return value
    text = " ".join(value.split()).casefold()
    return next((known for known in (NORMAL, *ENTITIES, *class_names) if known.casefold() == text), value)


def texts_of(value: Any) -> tuple[str, ...]:
    """The values of a field as texts, for strata, subgroups and tables; none where it says nothing.

    A list has several. Texts are alike however their letters are composed and their blanks are set; a whole number is
    written without a fraction: a centre 1.0 is centre 1. None, NaN and blank text are nothing.
    """
    values = value if isinstance(value, (list, tuple)) else [value]
    return tuple(filter(None, map(_text_of, values)))


def _text_of(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(unicodedata.normalize("NFC", str(value)).split())


def attribute_faults(entry: Mapping[str, Any], checked: Collection[str]) -> Iterator[tuple[str, ProblemKind]]:
    """Yields (key, ProblemKind) for each field of ``entry`` outside ``checked`` that cannot be carried along."""
    for key, value in entry.items():
        if key in checked:
            continue
        # Nearly every value is one of these three; asking no more of them halves the time.
        kind = type(value)
        if value is None or kind is bool or (kind is str and value.isascii()):
            continue
        kind_of_fault = value_fault(value)
        if kind_of_fault is not None:
            yield key, kind_of_fault


def value_fault(value: Any) -> ProblemKind | None:
    """What is wrong with any JSON value, or None; without recursion, since nesting is one of the faults."""
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > DEEPEST:
            return ProblemKind.NESTED_TOO_DEEPLY
        fault = _scalar_fault(item)
        if fault is not None:
            return fault
        if isinstance(item, dict):
            waiting += [(key, depth) for key in item]
            waiting += [(inner, depth + 1) for inner in item.values()]
        elif isinstance(item, list):
            waiting += [(inner, depth + 1) for inner in item]
    return None


def _scalar_fault(item: Any) -> ProblemKind | None:
    kind = type(item)
    if kind is float and not math.isfinite(item):
        return ProblemKind.NOT_FINITE
    if kind is int and not -LARGEST_INTEGER <= item < LARGEST_INTEGER:
        return ProblemKind.NUMBER_TOO_LARGE
    return ProblemKind.NOT_UNICODE if kind is str and not is_unicode(item) else None


def is_unicode(text: str) -> bool:
    """Whether text can be written as UTF-8: JSON can hold half of a surrogate pair."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
