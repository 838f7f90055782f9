"""Cases in several parts of a split: which, in numbers, and refused where a split must keep them whole.

Not here: images that are alike (``segtumor.datasets.leaks``).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from segtumor.cases import case_of, is_own_case
from segtumor.errors import DataError
from segtumor.texts import some_of

#: {image file name: {"case_id": str, "part": str}}.
Assignment = Mapping[str, Mapping[str, str]]
_NAMED = 10


class LeakNumbers(NamedTuple):
    """Numbers of one assignment.

    Attributes:
        known_cases: those that are not made up for an image without one.
        images_outside_train: images of all parts but the training part.
        affected_images: those of them whose case is in another part too.
    """

    cases: int
    known_cases: int
    shared_cases: int
    images_outside_train: int
    affected_images: int


def cases_in_several_parts(assignment: Assignment) -> dict[str, list[str]]:
    """{case: sorted parts} of the cases that are in more than one part."""
    parts_of_case: dict[str, set[str]] = {}
    for entry in assignment.values():
        case = case_of(entry)
        if case is not None:
            parts_of_case.setdefault(case, set()).add(entry["part"])
    return {case: sorted(parts) for case, parts in sorted(parts_of_case.items()) if len(parts) > 1}


def leak_numbers(assignment: Assignment, *, train: str = "train") -> LeakNumbers:
    """How much a split that was not made by case leaks; images outside the part ``train`` can suffer."""
    shared = cases_in_several_parts(assignment)
    outside = [case_of(entry) for entry in assignment.values() if entry["part"] != train]
    cases = {case for entry in assignment.values() if (case := case_of(entry)) is not None}
    known = sum(not is_own_case(case) for case in cases)
    return LeakNumbers(len(cases), known, len(shared), len(outside), sum(case in shared for case in outside))


def check_cases_whole(assignment: Assignment, *, where: Path | str | None = None) -> None:
    """Raise DataError for a split that has images of one case in two parts, naming the first such cases."""
    leaking = cases_in_several_parts(assignment)
    if not leaking:
        return
    named = some_of([f"{case} ({' and '.join(parts)})" for case, parts in leaking.items()], _NAMED)
    raise DataError(
        f"{len(leaking)} cases are in several parts of the split: {named}",
        where=where,
        remedy="Make a new split by case (grouped)",
    )
