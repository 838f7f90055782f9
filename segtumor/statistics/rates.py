"""Rates of decisions, from counts: sensitivity to MCC for two classes, accuracy to macro F1 for a confusion matrix.

Every function works along leading axes, so that all resamples of a bootstrap are one call; counts may be integers or
sums of weights. A rate whose denominator is zero is NaN. Not here: intervals (``proportions``, ``bootstrap``) and
agreement beyond chance (``agreement``).

Letters: ... any leading axes, K classes. A confusion matrix has true classes in rows, predicted ones in columns.
"""

from collections.abc import ValuesView
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Floats
from segtumor.errors import DataError

#: (...) float64; a scalar for scalars, which NumPy's types cannot express.
Rates: TypeAlias = Any


def sensitivity(tp: ArrayLike, fn: ArrayLike) -> Rates:
    """Of the positives, the share found (recall, true positive rate): (...) in [0, 1], NaN without positives."""
    tp, fn = _checked_counts(tp=tp, fn=fn)
    return _ratio(tp, tp + fn)


def specificity(tn: ArrayLike, fp: ArrayLike) -> Rates:
    """Of the negatives, the share called negative: (...) in [0, 1], NaN without negatives."""
    tn, fp = _checked_counts(tn=tn, fp=fp)
    return _ratio(tn, tn + fp)


def ppv(tp: ArrayLike, fp: ArrayLike) -> Rates:
    """Of those called positive, the share that is (precision): (...) in [0, 1], NaN if none was called positive."""
    tp, fp = _checked_counts(tp=tp, fp=fp)
    return _ratio(tp, tp + fp)


def npv(tn: ArrayLike, fn: ArrayLike) -> Rates:
    """Of those called negative, the share that is: (...) in [0, 1], NaN if none was called negative."""
    tn, fn = _checked_counts(tn=tn, fn=fn)
    return _ratio(tn, tn + fn)


def accuracy(*, tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> Rates:
    """The share of right decisions: (...) in [0, 1], NaN without any."""
    tp, fp, fn, tn = _checked_counts(tp=tp, fp=fp, fn=fn, tn=tn)
    return _ratio(tp + tn, tp + fp + fn + tn)


def balanced_accuracy(*, tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> Rates:
    """The mean of sensitivity and specificity: (...) in [0, 1], NaN where either is undefined."""
    return (sensitivity(tp=tp, fn=fn) + specificity(tn=tn, fp=fp)) / 2


def f1(*, tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike = 0) -> Rates:
    """Harmonic mean of sensitivity and PPV, 2 TP / (2 TP + FP + FN): (...) in [0, 1].

    ``tn`` is accepted so that the four counts can be passed as they are; it has no influence. NaN where nothing is
    positive and nothing was called positive.
    """
    tp, fp, fn, _ = _checked_counts(tp=tp, fp=fp, fn=fn, tn=tn)
    return _ratio(2 * tp, 2 * tp + fp + fn)


def mcc(*, tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> Rates:
    """Matthews' correlation coefficient: (...) in [-1, 1].

    NaN where one class is absent or only one was predicted (scikit-learn returns 0 there).
    Source: Matthews, Biochim Biophys Acta 405 (1975) 442-451.
    """
    tp, fp, fn, tn = _checked_counts(tp=tp, fp=fp, fn=fn, tn=tn)
    # The root is taken of each margin: the product of four counts overflows sooner and rounds more.
    margins = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return _bounded(_ratio(tp * tn - fp * fn, margins))


def overall_accuracy(confusions: ArrayLike) -> Rates:
    """The share on the diagonal of (..., K, K): (...) in [0, 1], NaN for an empty matrix."""
    confusions = checked_confusions(confusions)
    return _ratio(_diagonal(confusions).sum(axis=-1), confusions.sum(axis=(-2, -1)))


def macro_recall(confusions: ArrayLike) -> Rates:
    """Mean recall of the classes that occur (balanced accuracy) of (..., K, K): (...) in [0, 1].

    A class without true units is left out of the mean, as by scikit-learn's ``balanced_accuracy_score``.
    """
    confusions = checked_confusions(confusions)
    return _mean_of_defined(_ratio(_diagonal(confusions), confusions.sum(axis=-1)))


def macro_precision(confusions: ArrayLike) -> Rates:
    """Mean precision of the classes predicted at least once, of (..., K, K): (...) in [0, 1].

    A class never predicted is left out, as by scikit-learn's ``precision_score`` with ``zero_division=nan``; that
    its units were missed shows in recall and F1.
    """
    confusions = checked_confusions(confusions)
    return _mean_of_defined(_ratio(_diagonal(confusions), confusions.sum(axis=-2)))


def macro_f1(confusions: ArrayLike) -> Rates:
    """Mean F1 of the classes that occur or were predicted, of (..., K, K): (...) in [0, 1].

    A class that occurs but was never predicted counts 0; one that does neither is left out. It is the mean of the
    classes' F1, not the F1 of mean precision and mean recall (Opitz and Burst, arXiv:1911.03347).
    """
    confusions = checked_confusions(confusions)
    margins = confusions.sum(axis=-1) + confusions.sum(axis=-2)
    return _mean_of_defined(_ratio(2 * _diagonal(confusions), margins))


def multiclass_mcc(confusions: ArrayLike) -> Rates:
    """The K-category correlation coefficient of (..., K, K): (...) in [-1, 1]; Matthews' coefficient for K = 2.

    NaN where all units are of one class or one class was predicted for all.
    Source: Gorodkin, Comput Biol Chem 28 (2004) 367-374.
    """
    confusions = checked_confusions(confusions)
    true, predicted = confusions.sum(axis=-1), confusions.sum(axis=-2)
    n = true.sum(axis=-1)
    covariance = _diagonal(confusions).sum(axis=-1) * n - (true * predicted).sum(axis=-1)
    return _bounded(_ratio(covariance, np.sqrt(_spread(true)) * np.sqrt(_spread(predicted))))


def checked_confusions(confusions: ArrayLike) -> Floats:
    """The same as a float64 array (..., K, K).

    Raises:
        DataError: not square, no class, or a count that is negative or not finite.
    """
    (counts,) = _checked_counts(confusions=confusions)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2] or counts.shape[-1] == 0:
        raise DataError("a confusion matrix is not square", got=f"shape {counts.shape}", expected="(..., K, K), K >= 1")
    return counts


def _checked_counts(**counts: ArrayLike) -> ValuesView[Floats]:
    """The named counts as float64 arrays of one shape."""
    try:
        arrays = {name: np.asarray(value, dtype=np.float64) for name, value in counts.items()}
        np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except (TypeError, ValueError) as error:
        raise DataError(f"counts {', '.join(counts)} are not numbers or differ in shape", got=error) from error
    for name, array in arrays.items():
        wrong = ~(np.isfinite(array) & (array >= 0))
        if wrong.any():
            raise DataError(f"a count of {name} is impossible", got=array[wrong][0], expected="a finite number >= 0")
    return arrays.values()


def _ratio(numerator: ArrayLike, denominator: Floats) -> Rates:
    """numerator / denominator, NaN where the denominator is zero; a scalar for scalars."""
    positive = denominator > 0
    quotient = np.asarray(numerator) / np.where(positive, denominator, 1)
    return np.where(positive, quotient, np.nan)[()]


def _mean_of_defined(rates: Floats) -> Rates:
    """Mean along the last axis (..., K) of what is not NaN; NaN where nothing is."""
    defined = ~np.isnan(rates)
    return _ratio(np.where(defined, rates, 0).sum(axis=-1), defined.sum(axis=-1))


def _diagonal(confusions: Floats) -> Floats:
    return np.diagonal(confusions, axis1=-2, axis2=-1)


def _spread(margins: Floats) -> Floats:
    """n^2 minus the sum of squared margins, (..., K) -> (...); written so that it is exactly 0 for a single class."""
    spread: Floats = (margins * (margins.sum(axis=-1, keepdims=True) - margins)).sum(axis=-1)
    return spread


def _bounded(correlations: ArrayLike) -> Rates:
    """Rounding can leave a perfect correlation a few units in the last place above 1."""
    return np.clip(correlations, -1, 1)
