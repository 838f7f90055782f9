"""What a value of a table or of a COCO image entry is: a number, categories, or nothing."""

import hashlib
import math
import os
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

from segtumor.ages import AGE_GROUP, age_group, is_age
from segtumor.cases import case_of

#: Parts of the training rows for what must not see a row's own label; see ``fold_of``.
FOLDS = 5


def value_in(row: Mapping[str, Any], name: str) -> Any:
    """The value of a column in a row; ``age_group`` is made from ``age``, and what is not an age is nothing."""
    if name == AGE_GROUP:
        return age_group(row.get("age"))
    value = row.get(name)
    return value if name != "age" or is_age(number_of(value)) else None


def number_of(value: Any) -> float | None:
    """A finite number, also one written as text; None for anything else, True and False included."""
    if isinstance(value, bool) or not isinstance(value, (Real, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def parts_of(value: Any) -> tuple[str, ...]:
    """The categories in a value, each once, sorted, in small letters; a list holds several. () for nothing."""
    values = value if isinstance(value, (list, tuple)) else [value]
    texts = (" ".join(_text(item).split()).casefold() for item in values)
    return tuple(sorted({text for text in texts if text}))


def joined(parts: Iterable[str]) -> str:
    """Several categories as one: ``femur; tibia``."""
    return "; ".join(parts)


def fold_of(case: str) -> int:
    """The fold of a case, 0 to ``FOLDS`` - 1, from its hash: images of one patient share one, in any order."""
    return int.from_bytes(hashlib.sha256(case.encode("utf-8", "surrogateescape")).digest()[:8], "big") % FOLDS


def fold_of_row(row: Mapping[str, Any]) -> int:
    """``fold_of`` the case of an image's entry; of one without a case, of its file name."""
    return fold_of(case_of(row) or os.path.basename(str(row.get("file_name", ""))))


def source_of(name: str) -> str:
    """The field of an image's entry that a column is read from: its own name, but ``age`` for ``age_group``."""
    return "age" if name == AGE_GROUP else name


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    whole = isinstance(value, float) and value.is_integer()  # a table may hold grade 2 as 2 or as 2.0
    return str(int(value)) if whole else str(value)
