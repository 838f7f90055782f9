"""What is said about a patient, from the images of the case. Definitions, by rule:

* any: positive if any image is; the score is the highest image score.
* max: positive if the highest image score reaches the threshold, which comes to the same; so does the score.
* mean: the score is the mean of the image scores, positive if it reaches the threshold.
* A positive patient's class is that of the image with the highest score, else normal. Scores of classes: the highest,
  or with mean the mean, over the images; of normal 1 - score.
* With ``require_located`` a patient with a tumour counts as found only if one of its lesions is hit on some image
  (a reader who points elsewhere has missed it): ``Calls.found``. Sensitivity, specificity, accuracy, balanced accuracy
  and kappa go by it. The model has nevertheless called such a patient positive: score, class, predictive values, F1
  and MCC go by the plain call, ``Calls.positive``.

True: a tumour if any image has one; the class is the highest among the images.
Letters: N images, C cases (= patients), K classes.
"""

import numpy as np

from segtumor.arrays import Bools, Floats, Ints
from segtumor.evaluation.facts.image_level import Calls
from segtumor.evaluation.facts.settings import MEAN
from segtumor.evaluation.facts.truth import UNKNOWN_CLASS


def patient_calls(
    images: Calls, located_images: Bools, *, rule: str, score_threshold: float, require_located: bool
) -> Calls:
    """The Calls of the cases.

    Args:
        located_images: (N,), whether a lesion of the image is hit.
        rule, score_threshold, require_located: as in StudySettings.
    """
    aggregate = _mean_by_case if rule == MEAN else _max_by_case
    case_of, n_cases = images.case_of, images.n_cases
    score = aggregate(images.score, case_of, n_cases)
    class_scores = aggregate(images.class_scores, case_of, n_cases)
    class_scores[:, 0] = 1 - score
    tumor = any_by_case(images.tumor, case_of, n_cases)
    positive = any_by_case(images.positive, case_of, n_cases)
    if rule == MEAN:
        positive &= score >= score_threshold
    located = any_by_case(located_images, case_of, n_cases)
    return Calls(
        kind="patient",
        names=images.names,
        case_of=np.arange(n_cases),
        n_cases=n_cases,
        score=score,
        positive=positive,
        tumor=tumor,
        predicted_class=np.where(positive, _class_of_best(images), 0),
        true_class=_true_class(images, tumor),
        class_scores=class_scores,
        found=positive & (located | ~tumor) if require_located else None,
    )


def any_by_case(values: Bools, case_of: Ints, n_cases: int) -> Bools:
    """(N,) -> (C,)."""
    result = np.zeros(n_cases, dtype=np.bool_)
    np.logical_or.at(result, case_of, values)
    return result


def _max_by_case(values: Floats, case_of: Ints, n_cases: int) -> Floats:
    result = np.zeros((n_cases, *values.shape[1:]))
    np.maximum.at(result, case_of, values)
    return result


def _mean_by_case(values: Floats, case_of: Ints, n_cases: int) -> Floats:
    result = np.zeros((n_cases, *values.shape[1:]))
    np.add.at(result, case_of, values)
    n_images = np.bincount(case_of, minlength=n_cases)
    return np.asarray(result / n_images.reshape(-1, *[1] * (values.ndim - 1)))


def _class_of_best(images: Calls) -> Ints:
    """Predicted class of each case's image with the highest score; the first of equals."""
    result = np.zeros(images.n_cases, dtype=np.int64)
    backward = np.lexsort((-np.arange(len(images)), images.score))  # written last: highest score, earliest image
    result[images.case_of[backward]] = images.predicted_class[backward]
    return result


def _true_class(images: Calls, tumor: Bools) -> Ints:
    """Highest known class; unknown for a tumour without one."""
    highest = np.full(images.n_cases, UNKNOWN_CLASS, dtype=np.int64)
    np.maximum.at(highest, images.case_of, images.true_class)
    return np.where(tumor & (highest == 0), UNKNOWN_CLASS, highest)
