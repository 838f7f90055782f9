"""Which image belongs to which case: the unit that is drawn in a bootstrap, and the patient.

A case is one patient's study, named by the attribute ``case_id``. Images of one case resemble each other, so that
whole cases are resampled (Field & Welsh 2007, doi 10.1111/j.1467-9868.2007.00593.x). An image without one is its own
case. Not here: the patient's diagnosis (``segtumor.evaluation.facts.patient_level``).
Letters: N images, C cases.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segtumor.arrays import Ints
from segtumor.cases import case_of
from segtumor.structures.lesions import AnnotatedImage


@dataclass(frozen=True)
class CaseTable:
    """The cases of a sequence of images, in order of first appearance.

    Attributes:
        case_ids: C names; an image without case is ``"image <image_id>"``.
        case_of_image: (N,), index into ``case_ids``.
    """

    case_ids: tuple[str, ...]
    case_of_image: Ints
    n_without_id: int

    def __len__(self) -> int:
        return len(self.case_ids)

    @property
    def n_images(self) -> Ints:
        """Number of images of each case, (C,)."""
        return np.bincount(self.case_of_image, minlength=len(self))


def case_table(truths: Sequence[AnnotatedImage]) -> CaseTable:
    """The cases of AnnotatedImages."""
    numbers: dict[tuple[bool, int | str], int] = {}
    case_of_image: list[int] = []
    names: list[str] = []
    n_without_id = 0
    for truth in truths:
        case = case_of(truth.attributes)
        n_without_id += case is None
        # The first part of the key keeps an image without case apart from a case of the same name.
        key = (case is None, truth.image_id if case is None else case)
        if key not in numbers:
            numbers[key] = len(names)
            names.append(f"image {truth.image_id}" if case is None else case)
        case_of_image.append(numbers[key])
    return CaseTable(tuple(names), np.array(case_of_image, dtype=np.int64), n_without_id)
