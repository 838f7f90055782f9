"""Free-response ROC: the share of the lesions found against the false positives per image that this costs.

Bunch et al. 1977 (doi 10.1117/12.955926), Chakraborty 1989 (doi 10.1118/1.596358). The summary is that of LUNA16: the
sensitivities at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives per image, and their mean. What hits a lesion and what is
a false positive is defined in ``segtumor.evaluation.facts.froc_events``. The threshold moves over the scores that
occur, so that findings of one score enter together; false positives are divided by all images, normal ones included.

The sensitivity at a rate is the highest that a threshold reaches with at most that many false positives per image: a
step, and an operating point that exists. LUNA16 and MONAI interpolate linearly between thresholds instead, which is
never below it; ``froc`` does so on request. MONAI also leaves out the lowest threshold.

Lesions of no image: sensitivity NaN. No findings: sensitivity 0 at every rate.
Letters: B resamples, C cases, T thresholds, U scores at which some lesion is first hit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Floats, Ints
from segtumor.evaluation.facts.froc_events import FrocEvents, froc_events
from segtumor.evaluation.facts.settings import IOU
from segtumor.evaluation.measures.measure import checked_weights
from segtumor.structures.lesions import ImageResult

#: False positives per image at which sensitivity is read (Setio et al. 2017, doi 10.1016/j.media.2017.06.015).
FROC_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class Froc:
    """A free-response ROC curve.

    Attributes:
        false_positives_per_image: (T,), never falling; starts with 0. NaN without images.
        sensitivity: share of the lesions hit, (T,), never falling; starts with 0. NaN without lesions.
        thresholds: scores from which findings count, (T,), falling; starts with inf: no finding counts.
        at: sensitivity at each of FROC_RATES.
        mean: mean of these seven.
    """

    false_positives_per_image: Floats
    sensitivity: Floats
    thresholds: Floats
    at: dict[float, float]
    mean: float


def froc(
    results: Sequence[ImageResult], *, criterion: str = IOU, iou_threshold: float = 0.5, interpolate: bool = False
) -> Froc:
    """The free-response curve of a set of images.

    Args:
        criterion: what makes a hit, "iou", "centre" or "mask" (see ``segtumor.evaluation.facts.froc_events``).
        iou_threshold: in (0, 1], for "iou".
        interpolate: read the sensitivity at a rate linearly between thresholds, as LUNA16 does.

    Raises:
        DataError: unknown criterion, impossible IoU threshold, or a score that is no finite number.
    """
    events = froc_events(results, criterion=criterion, iou_threshold=iou_threshold)
    scores = np.unique(np.concatenate([events.hit_scores, events.false_scores]))[::-1]
    thresholds = np.concatenate([[np.inf], scores[np.isfinite(scores)]])
    n_false = _at_or_above(events.false_scores, thresholds)
    with np.errstate(invalid="ignore"):  # 0 / 0 without lesions or images: NaN
        sensitivity = _at_or_above(events.hit_scores, thresholds) / len(events.hit_scores)
        rates = n_false / np.float64(events.n_images)
    if interpolate:
        at = np.interp(FROC_RATES, rates, sensitivity)
    else:
        limits = np.multiply(FROC_RATES, events.n_images)
        at = sensitivity[np.searchsorted(n_false, limits, side="right") - 1]
    return Froc(rates, sensitivity, thresholds, dict(zip(FROC_RATES, at.tolist(), strict=True)), float(at.mean()))


def _at_or_above(scores: Floats, thresholds: Floats) -> Floats:
    """Number of scores that reach each threshold, (T,)."""
    return (len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")).astype(np.float64)


def resample_events(events: FrocEvents, case_of_image: ArrayLike, weights: ArrayLike) -> Floats:
    """Sensitivities at FROC_RATES and their mean, with every image counted as often as its case was drawn.

    Equal to ``froc`` of the images repeated that often, without interpolation. A lesion counts at a rate if the false
    positives at or above the score that first hits it are no more than the rate allows; between these scores nothing
    changes, so only they are looked at.

    Args:
        case_of_image: number of each image's case, in [0, C).
        weights: (B, C), how often each case was drawn; not below 0.

    Returns:
        (B, 8): the seven sensitivities and their mean; NaN where no lesion was drawn.

    Raises:
        DataError: lengths that do not fit, or weights that are negative or not finite.
    """
    drawn, cases = checked_weights(weights, case_of_image, events.n_images)
    levels = np.unique(events.hit_scores[np.isfinite(events.hit_scores)])[::-1]  # (U,), falling
    found, false = (  # (B, U): lesions hit, false positives, from the highest score down to each level
        np.cumsum(drawn @ _table(cases[images], levels, scores, drawn.shape[1]), axis=1)
        for images, scores in ((events.hit_images, events.hit_scores), (events.false_images, events.false_scores))
    )
    n_images = drawn @ np.bincount(cases, minlength=drawn.shape[1])
    n_lesions = drawn @ np.bincount(cases[events.hit_images], minlength=drawn.shape[1])
    found = np.pad(found, ((0, 0), (1, 0)))  # before the first level: none
    rows = np.arange(len(drawn))
    n_found = np.stack([found[rows, (false <= (rate * n_images)[:, None]).sum(axis=1)] for rate in FROC_RATES], axis=1)
    with np.errstate(invalid="ignore"):  # 0 / 0 where no lesion was drawn: NaN
        sensitivity = n_found / n_lesions[:, None]
    return np.column_stack([sensitivity, sensitivity.mean(axis=1)])


def _table(cases: Ints, levels: Floats, scores: Floats, n_cases: int) -> Floats:
    """How many of the scores of each case first count at each level, (C, U); below the last level: none."""
    first = np.searchsorted(-levels, -scores, side="left")
    counted = first < len(levels)
    cells = cases[counted] * len(levels) + first[counted]
    return np.bincount(cells, minlength=n_cases * len(levels)).reshape(n_cases, len(levels)).astype(np.float64)
