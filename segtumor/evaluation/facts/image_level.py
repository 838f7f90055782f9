"""What is said about a whole image beside what is true of it: tumour or not, which class, with what score.

What is said is the reading's (``segtumor.structures.readings``): the image's own probabilities where the model gives
them, else what follows from its findings. What is true: ``truth``. Not here: patients (``patient_level``) and measures
(``segtumor.evaluation.measures.calls``).
Letters: N units (images or patients), C cases, K classes; class 0 is normal, class ``k + 1`` is ``class_id`` k.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from segtumor.arrays import Bools, Floats, Ints
from segtumor.errors import DataError
from segtumor.evaluation.facts.cases import CaseTable
from segtumor.evaluation.facts.truth import has_tumor, true_class
from segtumor.structures.lesions import ImageResult
from segtumor.structures.readings import class_scores, image_class, tumor_score
from segtumor.taxonomy import NORMAL


@dataclass(frozen=True, kw_only=True)
class Calls:
    """The answers about N images or patients beside the truth.

    Attributes:
        kind: ``"image"`` or ``"patient"``.
        names: K + 1 class names, normal first.
        case_of: (N,), case of each unit.
        score: (N,) in [0, 1].
        positive: (N,), called tumour.
        found: (N,), the call after the rule that a tumour must be located; None without that rule.
        tumor: (N,), the truth.
        predicted_class: (N,) in 0..K.
        true_class: (N,) in 0..K, or UNKNOWN_CLASS.
        class_scores: (N, K + 1) in [0, 1]; they need not sum to 1.
    """

    kind: str
    names: tuple[str, ...]
    case_of: Ints
    n_cases: int
    score: Floats
    positive: Bools
    tumor: Bools
    predicted_class: Ints
    true_class: Ints
    class_scores: Floats
    found: Bools | None = None

    def __len__(self) -> int:
        return len(self.score)

    def take(self, rows: Ints, cases: CaseTable) -> "Calls":
        """The calls of some images (indices), whose CaseTable is ``cases``."""
        names = ("score", "positive", "tumor", "predicted_class", "true_class", "class_scores")
        chosen = {name: getattr(self, name)[rows] for name in names}
        return replace(self, case_of=cases.case_of_image, n_cases=len(cases), **chosen)

    @property
    def judged(self) -> Bools:
        """(N,), the call that sensitivity, specificity, accuracy and agreement are of: ``found``, or without the rule
        that a tumour must be located ``positive``."""
        return self.positive if self.found is None else self.found

    @property
    def confusion(self) -> Ints:
        """(K + 1, K + 1) counts, rows true; without units of unknown class."""
        counts, known = np.zeros((len(self.names),) * 2, dtype=np.int64), self.true_class >= 0
        np.add.at(counts, (self.true_class[known], self.predicted_class[known]), 1)
        return counts


def image_calls(
    results: Sequence[ImageResult], class_names: Sequence[str], cases: CaseTable, *, score_threshold: float
) -> Calls:
    """The Calls of ImageResults with their CaseTable."""
    n_classes = len(class_names)
    said = [(result.findings, result.image_probabilities) for result in results]
    predicted = [image_class(findings, score_threshold, given) for findings, given in said]
    scores_of_classes = [class_scores(findings, n_classes, given) for findings, given in said]
    return Calls(
        kind="image",
        names=(NORMAL, *class_names),
        case_of=cases.case_of_image,
        n_cases=len(cases),
        score=np.array([tumor_score(*one) for one in said], dtype=np.float64),
        positive=np.array([c > 0 for c in predicted], dtype=np.bool_),
        tumor=np.array([has_tumor(result.truth, class_names) for result in results], dtype=np.bool_),
        predicted_class=np.array(predicted, dtype=np.int64),
        true_class=np.array([true_class(result.truth, class_names) for result in results], dtype=np.int64),
        class_scores=np.array(scores_of_classes, dtype=np.float64).reshape(-1, n_classes + 1),
    )


def check_scores(results: Sequence[ImageResult], class_names: Sequence[str]) -> None:
    """Refuse scores and probabilities that cannot be compared or judged.

    Raises:
        DataError: NaN or outside [0, 1], or not one probability per class.
    """
    for result in results:
        where, expected = result.truth.file_name, "0 to 1"
        for finding in result.findings:
            if not 0 <= finding.score <= 1:
                raise DataError("score of a finding out of range", where=where, got=finding.score, expected=expected)
            _check_probabilities(finding.probabilities, class_names, where, "class")
        _check_probabilities(result.image_probabilities or (), (NORMAL, *class_names), where, "image")


def _check_probabilities(probabilities: Sequence[float], names: Sequence[str], where: str, of: str) -> None:
    if probabilities and len(probabilities) != len(names):
        expected = f"one for each of {', '.join(names)}"
        raise DataError(f"number of {of} probabilities", where=where, got=len(probabilities), expected=expected)
    if not all(0 <= p <= 1 for p in probabilities):
        raise DataError(f"{of} probability out of range", where=where, got=list(probabilities), expected="0 to 1")
