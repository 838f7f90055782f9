"""Ages of patients, in years: which numbers are one, and the age groups of tables, splits and subgroups.

Not here: ages as people write them (``segtumor.annotations.tables.cells``) and as DICOM does (``imaging``).
"""

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from numbers import Real
from typing import Any

#: Nobody was older (the record is 122); a larger number is an error.
OLDEST_YEARS = 130
#: The field that stands for the group of ``age`` wherever a field can be named.
AGE_GROUP = "age_group"
#: Children, and three ages of adults: primary malignant tumours of bone peak in the second decade of life and again
#: after 60 (Mirabello, Troisi and Savage, Cancer 2009, doi 10.1002/cncr.24121).
AGE_GROUPS = ("<18", "18-39", "40-59", ">=60")
#: First year of each age group but the first.
AGE_GROUP_STARTS = (18, 40, 60)


def is_age(value: Any) -> bool:
    """Whether a value of JSON or a table is an age: a number from 0 to ``OLDEST_YEARS``, neither NaN nor a bool."""
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) <= OLDEST_YEARS


def age_groups(starts: Sequence[int] = AGE_GROUP_STARTS) -> tuple[str, ...]:
    """Names of the groups that begin at these years, increasing, with the one before: (18, 40) -> <18, 18-39, >=40."""
    between = (f"{first}-{end - 1}" for first, end in itertools.pairwise(starts))
    return (f"<{starts[0]}", *between, f">={starts[-1]}")


def age_group(age: Any, starts: Sequence[int] = AGE_GROUP_STARTS) -> str | None:
    """One of ``age_groups``, or None for what is not an age."""
    return age_groups(starts)[bisect_right(starts, age)] if is_age(age) else None
