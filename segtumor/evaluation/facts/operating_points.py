"""Scores to use a model at, chosen on one set of images so that they can be judged on another.

Of whole images, by the score of a tumour (``structures.readings``), from which an image counts as one with a tumour:
the highest that reaches a sensitivity, the lowest that reaches a specificity, and Youden's, which has the largest sum
of both (Youden, Cancer 1950;3:32-35). Of findings, from which a finding counts: the lowest with at most that many of
them per normal image. Not here: what the scores reach elsewhere (``measures``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segtumor.arrays import Bools, Floats
from segtumor.errors import DataError
from segtumor.evaluation.facts.truth import has_tumor
from segtumor.structures.lesions import ImageResult
from segtumor.structures.readings import tumor_score

IMAGE, FINDING = "image", "finding"
_SENSITIVITY, _SPECIFICITY, _PER_NORMAL_IMAGE = 0.9, 0.9, 0.3


@dataclass(frozen=True)
class Threshold:
    """A score from which on an image, or a finding, counts.

    Attributes:
        name: what it was chosen for.
        of: IMAGE or FINDING.
        score: in [0, 1].
    """

    name: str
    of: str
    score: float


def choose_thresholds(results: Sequence[ImageResult], class_names: Sequence[str]) -> tuple[Threshold, ...]:
    """The thresholds for a sensitivity of 0.90, a specificity of 0.90, Youden's, and 0.3 findings per normal image.

    Raises:
        DataError: no image with a tumour, or no normal one.
    """
    tumor, scores = _tumor(results, class_names), image_scores(results)
    if tumor.all() or not tumor.any():
        raise DataError("operating points need images with and without a tumour", got=f"{tumor.sum()} of {tumor.size}")
    normal = [result for result, is_tumor in zip(results, tumor, strict=True) if not is_tumor]
    found = np.array([finding.score for result in normal for finding in result.findings], dtype=np.float64)
    return (
        Threshold(
            f"sensitivity {_SENSITIVITY:.2f}", IMAGE, _highest(scores[tumor], math.ceil(_SENSITIVITY * tumor.sum()))
        ),
        Threshold(f"specificity {_SPECIFICITY:.2f}", IMAGE, _above(scores[~tumor], (1 - _SPECIFICITY) * len(normal))),
        Threshold("Youden", IMAGE, _youden(scores, tumor)),
        Threshold(
            f"{_PER_NORMAL_IMAGE} findings per normal image", FINDING, _above(found, _PER_NORMAL_IMAGE * len(normal))
        ),
    )


def image_scores(results: Sequence[ImageResult], of: str = IMAGE) -> Floats:
    """(N,) score of a tumour of each image, or the highest score of its findings, 0 without any."""
    if of == IMAGE:
        return np.array([tumor_score(result.findings, result.image_probabilities) for result in results])
    return np.array([tumor_score(result.findings) for result in results])


def sensitivity_and_specificity(
    results: Sequence[ImageResult], class_names: Sequence[str], threshold: Threshold
) -> tuple[float, float]:
    """Of images, [0, 1]: for a threshold of findings an image counts that has one. NaN without such images."""
    tumor, positive = _tumor(results, class_names), image_scores(results, threshold.of) >= threshold.score
    with np.errstate(invalid="ignore"):
        return float(np.divide((positive & tumor).sum(), tumor.sum())), float(
            np.divide((~positive & ~tumor).sum(), (~tumor).sum())
        )


def _tumor(results: Sequence[ImageResult], class_names: Sequence[str]) -> Bools:
    return np.array([has_tumor(result.truth, class_names) for result in results], dtype=np.bool_)


def _highest(scores: Floats, count: int) -> float:
    """The highest score that at least ``count`` of these reach."""
    return float(np.sort(scores)[::-1][count - 1])


def _above(scores: Floats, count: float) -> float:
    """The lowest score that at most ``count`` of these reach; 0 if they may all."""
    falling = np.sort(scores)[::-1]
    if len(falling) <= count:
        return 0.0
    return float(min(1.0, np.nextafter(falling[math.floor(count + 1e-9)], 2.0)))


def _youden(scores: Floats, tumor: Bools) -> float:
    levels = np.unique(scores)[::-1]
    reached = scores[None, :] >= levels[:, None]
    return float(levels[np.argmax(reached[:, tumor].mean(axis=1) - reached[:, ~tumor].mean(axis=1))])
