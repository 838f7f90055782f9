"""Elements of a header as checked numbers and words. pydicom lets NaN, infinity and text pass.

A message names the element and at most a number; text never, for it may be a patient's.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.errors import BadImageError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_UNREADABLE = object()


def finite_number(dataset: "Dataset", keyword: str, path: Path) -> float | None:
    """First value as a finite float, None without one; raises BadImageError for text, NaN and infinity."""
    value = _first(dataset, keyword)
    if value is None:
        return None
    number = _converted(value)
    if number is None or not math.isfinite(number):
        raise BadImageError(
            f"DICOM {keyword} cannot be used",
            where=path,
            got="text" if number is None else number,
            expected="a finite number",
        )
    return number


def whole_number(
    dataset: "Dataset", keyword: str, path: Path, *, lowest: int, highest: int, default: int | None = None
) -> int:
    """First value as an int from ``lowest`` to ``highest``, ``default`` without one; else raises BadImageError."""
    value = _first(dataset, keyword)
    if value is None and default is not None:
        return default
    number = _converted(value)
    if number is None or not math.isfinite(number) or number != int(number) or not lowest <= number <= highest:
        raise BadImageError(
            f"DICOM {keyword} cannot be used",
            where=path,
            got="nothing" if value is None else "text" if number is None else f"{number:g}",
            expected=f"a whole number from {lowest} to {highest}",
        )
    return int(number)


def numbers(dataset: "Dataset", keyword: str) -> list[float | None]:
    """All values of an element as floats, None for each that is not a finite number; [] if it is absent or empty.

    For values that do no harm if they are wrong: of several, the valid ones are kept, so they are read one by one
    from the stored text, which pydicom converts as a whole or not at all.
    """
    from pydicom.datadict import dictionary_VR
    from pydicom.tag import Tag

    try:
        tag = Tag(keyword)
        stored = getattr(dataset.get_item(tag), "value", None)
        if not (isinstance(stored, bytes) and dictionary_VR(tag) in ("DS", "IS")):
            stored = dataset.get(keyword)
    except Exception:  # noqa: BLE001 - pydicom converts on access, and raises kinds of its own
        return []
    if stored is None or stored in ("", b""):
        return []
    if isinstance(stored, bytes):
        stored = [part.strip(b" \0") for part in stored.split(b"\\")]
    elif isinstance(stored, str) or not isinstance(stored, Sequence):
        stored = [stored]
    found = [_converted(item) for item in stored]
    return [number if number is not None and math.isfinite(number) else None for number in found]


def word(dataset: "Dataset", keyword: str) -> str:
    """First value of an element as text in capitals without spaces around; "" if it is absent or unreadable."""
    value = _first(dataset, keyword)
    return "" if value is None or value is _UNREADABLE else str(value).strip(" \0").upper()


def items_of(dataset: "Dataset", keyword: str) -> list["Dataset"]:
    """Items of a sequence; [] if it is absent, empty or no sequence."""
    from pydicom.dataset import Dataset

    items = dataset.get(keyword)
    if items is None or isinstance(items, (str, bytes)) or not hasattr(items, "__len__"):
        return []
    return [item for item in items if isinstance(item, Dataset)]


def first_item(dataset: "Dataset", keyword: str) -> "Dataset | None":
    """First item of a sequence; None if it is absent, empty or no sequence."""
    return next(iter(items_of(dataset, keyword)), None)


def _first(dataset: "Dataset", keyword: str) -> Any:
    try:
        value = dataset.get(keyword)
    except Exception:  # noqa: BLE001 - pydicom converts on access, and raises kinds of its own
        return _UNREADABLE
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        value = value[0] if len(value) else None
    return None if value is None or value in ("", b"") else value


def _converted(value: Any) -> float | None:
    try:
        return float(value)
    except (ValueError, TypeError, OverflowError):
        return None
