"""What a test part shares with what the model was trained on: counted by case, and said in a sentence.

Not here: whether numbers may then be compared (``comparability``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from segtumor.cases import case_of
from segtumor.evaluation.facts.truth import has_tumor
from segtumor.literature.comparison.training_part import Training
from segtumor.structures.lesions import ImageResult
from segtumor.texts import counted


@dataclass(frozen=True, kw_only=True)
class Leak:
    """What a test part shares with what was trained on.

    Attributes:
        n_images, n_tumor_images, n_lesions: of the test part, of cases that are in the training part too.
        of_images, of_tumor_images, of_lesions: how many the test part has.
        n_cases: cases in both.
        n_without_case: images of the test part of which no case is known.
    """

    n_images: int
    of_images: int
    n_tumor_images: int
    of_tumor_images: int
    n_lesions: int
    of_lesions: int
    n_cases: int
    n_without_case: int
    training: Training

    @property
    def uncertain(self) -> bool:
        """Whether images without case, in either part, leave open what is shared."""
        return bool(self.n_without_case or self.training.n_without_case)

    @property
    def sentence(self) -> str:
        """The leak in words."""
        where = f"in the training part ({self.training.name})"
        if self.n_cases:
            text = (
                f"LEAK: {self.n_images} of {self.of_images} test images ({self.n_tumor_images} of "
                f"{self.of_tumor_images} with tumour, {self.n_lesions} of {self.of_lesions} lesions) are of "
                f"{counted(self.n_cases, 'cases')} that are {where} too."
            )
        elif self.n_without_case == self.of_images or not self.training.cases:
            text = f"Whether cases of the test part are {where} is not known."
        else:
            text = f"No case of the test part is {where}."
        for n, part in ((self.n_without_case, "test"), (self.training.n_without_case, "training")):
            text += f" {counted(n, f'{part} images')} without case_id: nothing is known of them." if n else ""
        return text


def find_leak(
    results: Sequence[ImageResult], training: Training, class_names: Sequence[str] = ()
) -> tuple[Leak, list[ImageResult]]:
    """What results share with a training part, and those that share nothing as far as is known.

    An image has a tumour as ``evaluation.facts.image_level`` has it.
    """
    leaking = [case_of_result(result) in training.cases for result in results]
    shared = [result for result, leaks in zip(results, leaking, strict=True) if leaks]
    leak = Leak(
        n_images=len(shared),
        of_images=len(results),
        n_tumor_images=_n_tumor(shared, class_names),
        of_tumor_images=_n_tumor(results, class_names),
        n_lesions=n_lesions(shared),
        of_lesions=n_lesions(results),
        n_cases=len({case_of_result(result) for result in shared}),
        n_without_case=sum(case_of_result(result) is None for result in results),
        training=training,
    )
    return leak, [result for result, leaks in zip(results, leaking, strict=True) if not leaks]


def case_of_result(result: ImageResult) -> str | None:
    """Case of a result's image, or None."""
    return case_of(result.truth.attributes)


def n_lesions(results: Iterable[ImageResult]) -> int:
    """Lesions on the images of results, without crowd regions."""
    return sum(not lesion.iscrowd for result in results for lesion in result.truth.lesions)


def _n_tumor(results: Iterable[ImageResult], class_names: Sequence[str]) -> int:
    return sum(has_tumor(result.truth, class_names) for result in results)
