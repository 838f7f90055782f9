"""What is said about a whole image, and what is true of it: tumor or not, which class, with what score.

Definitions:

* Score: the highest score of any finding, 0 without findings. Positive: a finding reaches the score threshold.
* Predicted class: that of the highest-scoring finding at or above the threshold, else normal.
* True class: the attribute ``image_label`` where it names a class, else the highest ``class_id`` among the lesions,
  else normal. An image with lesions, crowd regions included, has a tumor; so has one without lesions whose label says
  benign, malignant or a class. Where such a label is no class, the attribute ``subtype`` decides, or the only class;
  else it is unknown.
* Score of class k: the highest over the findings of its probability of k, or of its score if the finding has no
  probabilities and k is its class; of normal: 1 - score.

Not here: patients (``patient_level``) and measures (``call_measures``).
Letters: N units (images or patients), C cases, K classes; class 0 is normal, class ``k + 1`` is ``class_id`` k.
"""

from dataclasses import dataclass, replace

import numpy as np

from segtumor.errors import DataError
from segtumor.taxonomy import BENIGN, MALIGNANT, NORMAL

UNKNOWN_CLASS = -1


@dataclass(frozen=True, kw_only=True)
class Calls:
    """The answers about N images or patients beside the truth.

    Attributes:
        kind: ``"image"`` or ``"patient"``.
        names: K + 1 class names, normal first.
        case_of: (N,) int, case of each unit.
        n_cases: C.
        score: (N,) float in [0, 1].
        positive: (N,) bool, called tumor.
        found: (N,) bool, the call after the rule that a tumor must be located; None without that rule.
        tumor: (N,) bool, the truth.
        predicted_class: (N,) int in 0..K.
        true_class: (N,) int in 0..K, or UNKNOWN_CLASS.
        class_scores: (N, K + 1) float in [0, 1]; they need not sum to 1.
    """

    kind: str
    names: tuple[str, ...]
    case_of: np.ndarray
    n_cases: int
    score: np.ndarray
    positive: np.ndarray
    tumor: np.ndarray
    predicted_class: np.ndarray
    true_class: np.ndarray
    class_scores: np.ndarray
    found: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.score)

    def take(self, rows, cases):
        """The calls of some images (int indices), whose CaseTable is ``cases``."""
        names = ("score", "positive", "tumor", "predicted_class", "true_class", "class_scores")
        chosen = {name: getattr(self, name)[rows] for name in names}
        return replace(self, case_of=cases.case_of_image, n_cases=len(cases), **chosen)

    @property
    def judged(self):
        """(N,) bool, the call that sensitivity, specificity, accuracy and agreement are of: ``found``, or without the
        rule that a tumor must be located ``positive``."""
        return self.positive if self.found is None else self.found

    @property
    def confusion(self):
        """(K + 1, K + 1) int counts, rows true; without units of unknown class."""
        counts, known = np.zeros((len(self.names),) * 2, dtype=np.int64), self.true_class >= 0
        np.add.at(counts, (self.true_class[known], self.predicted_class[known]), 1)
        return counts


def image_calls(results, class_names, cases, *, score_threshold):
    """The Calls of ImageResults with their CaseTable."""
    score = np.array([image_score(result) for result in results], dtype=np.float64)
    scores_of_classes = np.array([class_scores(result, len(class_names)) for result in results], dtype=np.float64)
    normal = (1 - score)[:, None]
    predicted = [predicted_class(result, score_threshold) for result in results]
    return Calls(
        kind="image",
        names=(NORMAL, *class_names),
        case_of=cases.case_of_image,
        n_cases=len(cases),
        score=score,
        positive=np.array([c > 0 for c in predicted], dtype=bool),
        tumor=np.array([has_tumor(result.truth, class_names) for result in results], dtype=bool),
        predicted_class=np.array(predicted, dtype=np.int64),
        true_class=np.array([true_class(result.truth, class_names) for result in results], dtype=np.int64),
        class_scores=np.hstack([normal, scores_of_classes.reshape(-1, len(class_names))]),
    )


def image_score(result):
    """Highest score of an ImageResult's findings, 0 without findings."""
    return max((finding.score for finding in result.findings), default=0.0)


def predicted_class(result, score_threshold):
    """Class of an ImageResult's highest-scoring finding at or above the threshold, 1..K, or 0 for normal."""
    best = max(result.findings, key=lambda finding: finding.score, default=None)
    return 0 if best is None or best.score < score_threshold else best.class_id + 1


def class_scores(result, n_classes):
    """Score of each class on an ImageResult, (K,) float."""
    scores = np.zeros(n_classes)
    for finding in result.findings:
        if finding.probabilities:
            np.maximum(scores, finding.probabilities, out=scores)
        else:
            scores[finding.class_id] = max(scores[finding.class_id], finding.score)
    return scores


def has_tumor(truth, class_names):
    """Whether an AnnotatedImage has a tumor, by its lesions (crowd regions too) or its label."""
    label = truth.attributes.get("image_label")
    return bool(truth.lesions) or (label != NORMAL and label in (BENIGN, MALIGNANT, *class_names))


def true_class(truth, class_names):
    """Class of an AnnotatedImage: 1..K, 0 for normal, UNKNOWN_CLASS for a tumor that no class describes."""
    label, subtype = (truth.attributes.get(name) for name in ("image_label", "subtype"))
    if label in class_names:
        return class_names.index(label) + 1
    if truth.lesions:
        return max(lesion.class_id for lesion in truth.lesions) + 1
    if not has_tumor(truth, class_names):
        return 0
    if subtype in class_names:
        return class_names.index(subtype) + 1
    return 1 if len(class_names) == 1 else UNKNOWN_CLASS


def check_scores(results, class_names):
    """Refuse scores and probabilities that cannot be compared or judged.

    Raises:
        DataError: NaN or outside [0, 1], or not one probability per class.
    """
    for result in results:
        for finding in result.findings:
            where, expected = result.truth.file_name, "0 to 1"
            if not 0 <= finding.score <= 1:
                raise DataError("score of a finding out of range", where=where, got=finding.score, expected=expected)
            if finding.probabilities and len(finding.probabilities) != len(class_names):
                got, classes = len(finding.probabilities), f"one for each of {', '.join(class_names)}"
                raise DataError("number of class probabilities", where=where, got=got, expected=classes)
            if not all(0 <= p <= 1 for p in finding.probabilities):
                got = list(finding.probabilities)
                raise DataError("class probability out of range", where=where, got=got, expected=expected)
