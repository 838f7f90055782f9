"""How much a split that was not made by case leaks, in numbers. Not here: images that are alike (``data leaks``)."""

from typing import NamedTuple

from segtumor.cases import case_of, is_own_case
from segtumor.datasets.splits.model import groups_in_several_parts


class LeakNumbers(NamedTuple):
    """Numbers of one assignment.

    Attributes:
        cases: all cases.
        known_cases: those that are not made up for an image without one.
        shared_cases: cases in several parts.
        images_outside_train: images of all parts but the training part.
        affected_images: those of them whose case stands in another part too.
    """

    cases: int
    known_cases: int
    shared_cases: int
    images_outside_train: int
    affected_images: int


def leak_numbers(assignment, *, train: str = "train"):
    """LeakNumbers of {image file name: {"case_id": str, "part": str}}; images outside the part ``train`` can suffer."""
    shared = groups_in_several_parts(assignment)
    outside = [case_of(entry) for entry in assignment.values() if entry["part"] != train]
    cases = set(map(case_of, assignment.values())) - {None}
    known = sum(not is_own_case(case) for case in cases)
    return LeakNumbers(len(cases), known, len(shared), len(outside), sum(case in shared for case in outside))
