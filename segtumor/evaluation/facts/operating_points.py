"""Scores to use a model at, chosen on one set of images so that they can be judged on another.

Of whole images, by the score of a tumour (``structures.readings``), from which an image counts as one with a tumour:
the highest that reaches a sensitivity, the lowest that reaches a specificity, Youden's, which has the largest sum of
both (Youden, Cancer 1950;3:32-35), and the highest that keeps the expected share of missed tumour images of a new case
at or below a risk (``statistics.conformal``). Of findings, from which a finding counts: the lowest with at most so many
of them per normal image, the one with the largest mean Dice of images, and the highest that keeps the expected share of
missed lesions of a new case at or below the risk.

The Dice of an image compares the union of its lesions with that of its findings; where there is neither it is 1, so
that findings on normal images cost something. Not here: what the scores reach elsewhere (``measures``), and the file
that keeps them (``segtumor.evaluation.operating_points``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from segtumor.arrays import Bools, Floats
from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.facts.cases import case_table
from segtumor.evaluation.facts.coco import box_rle
from segtumor.evaluation.facts.froc_events import froc_events
from segtumor.evaluation.facts.matching import lesions_to_find, placed
from segtumor.evaluation.facts.truth import has_tumor
from segtumor.statistics.conformal import controlled_threshold
from segtumor.structures.lesions import ImageResult
from segtumor.structures.masks import dice_from_iou, mask_iou
from segtumor.structures.readings import tumor_score

IMAGE, FINDING = "image", "finding"
#: What a threshold was chosen for, as it is asked for by name.
SENSITIVITY, SPECIFICITY, YOUDEN, RISK = "sensitivity", "specificity", "youden", "risk"
FALSE_POSITIVES, DICE, LESION_RISK = "false-positives", "dice", "lesion-risk"
KEYS = (SENSITIVITY, SPECIFICITY, YOUDEN, RISK, FALSE_POSITIVES, DICE, LESION_RISK)


@dataclass(frozen=True, kw_only=True)
class Goals:
    """What thresholds are chosen for.

    Attributes:
        sensitivity, specificity: of images, to be reached, (0, 1].
        false_positives: findings per normal image, at most, 0 or more.
        risk: of a missed tumour image, a missed lesion, and a prediction set without the true class, (0, 1).

    Raises:
        ConfigError: one is out of range.
    """

    sensitivity: float = 0.9
    specificity: float = 0.9
    false_positives: float = 0.3
    risk: float = 0.1

    def __post_init__(self) -> None:
        for name in ("sensitivity", "specificity"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name} out of range", got=getattr(self, name), expected="above 0, up to 1")
        if not 0 <= self.false_positives < math.inf:
            what, expected = "findings per normal image out of range", "0 or more, finite"
            raise ConfigError(what, got=self.false_positives, expected=expected)
        if not 0 < self.risk < 1:
            raise ConfigError("risk out of range", got=self.risk, expected="between 0 and 1")


@dataclass(frozen=True)
class Threshold:
    """A score from which on an image, or a finding, counts.

    Attributes:
        name: what it was chosen for, for people.
        of: IMAGE or FINDING.
        score: in [0, 1].
        key: one of KEYS.
    """

    name: str
    of: str
    score: float
    key: str = ""


def choose_thresholds(
    results: Sequence[ImageResult],
    class_names: Sequence[str],
    goals: Goals | None = None,
    *,
    iou_threshold: float = 0.5,
) -> tuple[Threshold, ...]:
    """The thresholds for some goals; those that cannot be had are left out: of a sensitivity or a risk where too much
    is never found, of a risk where there are too few cases, of findings where the model marks none.

    Args:
        iou_threshold: from which on a finding hits a lesion, (0, 1].

    Raises:
        DataError: no image with a tumour, or no normal one.
    """
    goals = goals or Goals()
    tumor, scores = _tumor(results, class_names), image_scores(results)
    if tumor.all() or not tumor.any():
        raise DataError("operating points need images with and without a tumour", got=f"{tumor.sum()} of {tumor.size}")
    cases = case_table([result.truth for result in results]).case_of_image
    sensitivity, specificity, risk = goals.sensitivity, goals.specificity, goals.risk
    least = _highest(scores[tumor], math.ceil(sensitivity * tumor.sum() - 1e-9))
    most = _above(scores[~tumor], (1 - specificity) * (~tumor).sum())
    controlled = controlled_threshold(scores[tumor], cases[tumor], risk=risk)
    found = [
        Threshold(f"sensitivity {sensitivity:.2f}", IMAGE, least, SENSITIVITY),
        Threshold(f"specificity {specificity:.2f}", IMAGE, most, SPECIFICITY),
        Threshold("Youden", IMAGE, _youden(scores, tumor), YOUDEN),
        Threshold(f"risk {risk:.2f} of a missed tumour image", IMAGE, controlled, RISK),
    ]
    if any(placed(result.findings) for result in results):
        found += _of_findings(results, tumor, goals, iou_threshold)
    return tuple(filter(_can_be_had, found))


def _can_be_had(threshold: Threshold) -> bool:
    """Not at -inf, nor at 0 where images should be found: every image reaches it, also those without any finding."""
    return threshold.score > (0 if threshold.key in (SENSITIVITY, RISK) else -math.inf)


def _of_findings(results: Sequence[ImageResult], tumor: Bools, goals: Goals, iou_threshold: float) -> list[Threshold]:
    normal = [result for result, is_tumor in zip(results, tumor, strict=True) if not is_tumor]
    false = np.array([finding.score for result in normal for finding in result.findings], dtype=np.float64)
    events = froc_events(results, iou_threshold=iou_threshold)
    cases = case_table([result.truth for result in results]).case_of_image[events.hit_images]
    controlled = controlled_threshold(events.hit_scores, cases, risk=goals.risk)
    few = _above(false, goals.false_positives * len(normal))
    return [
        Threshold(f"{goals.false_positives:g} findings per normal image", FINDING, few, FALSE_POSITIVES),
        Threshold("largest mean Dice of images", FINDING, _best_dice(results, tumor), DICE),
        Threshold(f"risk {goals.risk:.2f} of a missed lesion", FINDING, controlled, LESION_RISK),
    ]


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


def _best_dice(results: Sequence[ImageResult], tumor: Bools) -> float:
    """The highest of the findings' scores with the largest mean Dice of images; the definition is above."""
    curves = [_dice_by_count(result, bool(is_tumor)) for result, is_tumor in zip(results, tumor, strict=True)]
    levels = np.unique(np.concatenate([scores for scores, _ in curves]))[::-1]
    means = np.zeros(len(levels))
    for scores, dice in curves:
        means += dice[np.searchsorted(-scores, -levels, side="right")]
    return float(levels[np.argmax(means)])


def _dice_by_count(result: ImageResult, is_tumor: bool) -> tuple[Floats, Floats]:
    """Falling scores of an image's findings (F,), and its Dice with the first 0, 1, ..., F of them (F + 1,)."""
    findings = sorted(placed(result.findings), key=lambda finding: -finding.score)
    scores = np.array([finding.score for finding in findings], dtype=np.float64)
    lesions, size_hw = lesions_to_find(result), result.truth.size_hw
    if not lesions:  # of a tumour that nobody outlined, or only as a crowd region, findings are neither good nor bad
        return scores, np.append(1.0, np.full(len(findings), 1.0 if is_tumor else 0.0))
    drawn: list[Any] = [lesion.rle or box_rle(lesion.box_xyxy, size_hw) for lesion in lesions]
    truth: list[Any] = [coco_mask.merge(drawn)]
    dice = [0.0]
    union: list[Any] = []
    for finding in findings:
        union.append(finding.rle or box_rle(finding.box_xyxy, size_hw))
        union = [coco_mask.merge(union)]
        dice.append(float(dice_from_iou(mask_iou(truth, union)[0, 0])))
    return scores, np.array(dice)
