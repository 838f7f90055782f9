"""Elements of a header as checked numbers and words. pydicom lets NaN, infinity and text pass.

A message names the element and at most a number; text never, for it may be a patient's.
"""

import math
from collections.abc import Sequence

from segtumor.errors import BadImageError

_UNREADABLE = object()


def finite_number(dataset, keyword, path):
    """First value of an element as a finite float; None if it is absent or empty.

    Raises:
        BadImageError: text, NaN or infinity.
    """
    value = _first(dataset, keyword)
    if value is None:
        return None
    number = _converted(value, float)
    if number is _UNREADABLE or not math.isfinite(number):
        raise BadImageError(
            f"DICOM {keyword} cannot be used",
            where=path,
            got="text" if number is _UNREADABLE else number,
            expected="a finite number",
        )
    return number


def whole_number(dataset, keyword, path, *, lowest, highest, default=None):
    """First value of an element as an int from ``lowest`` to ``highest``; ``default`` if it is absent or empty.

    Raises:
        BadImageError: text, a fraction, out of range, or absent without a default.
    """
    value = _first(dataset, keyword)
    if value is None and default is not None:
        return default
    number = _converted(value, float)
    if number is _UNREADABLE or not math.isfinite(number) or number != int(number) or not lowest <= number <= highest:
        raise BadImageError(
            f"DICOM {keyword} cannot be used",
            where=path,
            got="nothing" if value is None else "text" if number is _UNREADABLE else f"{number:g}",
            expected=f"a whole number from {lowest} to {highest}",
        )
    return int(number)


def word(dataset, keyword):
    """First value of an element as text in capitals without spaces around; "" if it is absent or unreadable."""
    value = _first(dataset, keyword)
    return "" if value is None or value is _UNREADABLE else str(value).strip(" \0").upper()


def first_item(dataset, keyword):
    """First item of a sequence; None if it is absent, empty or no sequence."""
    from pydicom.dataset import Dataset

    items = dataset.get(keyword)
    if items is None or isinstance(items, (str, bytes)) or not hasattr(items, "__len__") or len(items) == 0:
        return None
    return items[0] if isinstance(items[0], Dataset) else None


def _first(dataset, keyword):
    try:
        value = dataset.get(keyword)
    except Exception:  # noqa: BLE001 - pydicom converts on access, and raises kinds of its own
        return _UNREADABLE
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        value = value[0] if len(value) else None
    return None if value is None or value in ("", b"") else value


def _converted(value, kind):
    try:
        return kind(value)
    except (ValueError, TypeError, OverflowError):
        return _UNREADABLE
