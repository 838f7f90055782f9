"""Scores of two models on one scale, for permutation tests of measures that only rank.

Letting the results of a case change places mixes the scores of both models. Where they have different scales, the mixed
ranking says more about the scales than about the models; so scores become ranks within each model first (Bandos,
Rockette and Gur, Stat Med 24 (2005) 2873). Ranking leaves such a measure as it is. Not here: the test
(``segtumor.evaluation.comparison.comparison``).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from segtumor.arrays import Floats
from segtumor.evaluation.facts.settings import MEAN, StudySettings
from segtumor.evaluation.measures.measure import DETECTION, Measure
from segtumor.structures.lesions import ImageResult
from segtumor.structures.readings import class_scores, tumor_score

FINDINGS, IMAGES = "findings", "images"
_OF_IMAGES = ("image_auc", "image_auc_pr", "image_class_macro_auc")
_OF_PATIENTS = ("patient_auc", "patient_auc_pr", "patient_class_macro_auc")


def ranked_by(measure: Measure, settings: StudySettings) -> str | None:
    """What a Measure ranks: FINDINGS, IMAGES, or None where it needs the scores as they are.

    Patients by the rule mean are such a case: the mean of ranks is not the rank of the mean.
    """
    if measure.group == DETECTION or measure.name.startswith("froc"):
        return FINDINGS
    names = _OF_IMAGES if settings.rule == MEAN else (*_OF_IMAGES, *_OF_PATIENTS)
    return IMAGES if measure.name in names else None


def by_finding_rank(first: Sequence[ImageResult], second: Sequence[ImageResult]) -> list[list[ImageResult]]:
    """Two lists of ImageResults, each finding's score replaced by how many findings of its own list score higher.

    The same score then stands for the same number of findings. Equal scores stay equal.
    """
    n_places = 2 + max(sum(len(result.findings) for result in results) for results in (first, second))
    return [_finding_ranks(results, n_places) for results in (first, second)]


def by_image_rank(
    first: Sequence[ImageResult], second: Sequence[ImageResult], n_classes: int
) -> list[list[ImageResult]]:
    """Two lists of ImageResults without findings, whose image probabilities are ranks of the images.

    Only scores of images and patients mean anything afterwards.
    """
    return [_image_ranks(results, n_classes) for results in (first, second)]


def _finding_ranks(results: Sequence[ImageResult], n_places: int) -> list[ImageResult]:
    scores = np.array([finding.score for result in results for finding in result.findings])
    ranks = iter(1 - (1 + _places_from(-scores)) / n_places)
    return [
        replace(result, findings=tuple(replace(finding, score=float(next(ranks))) for finding in result.findings))
        for result in results
    ]


def _image_ranks(results: Sequence[ImageResult], n_classes: int) -> list[ImageResult]:
    said = [(result.findings, result.image_probabilities) for result in results]
    scores = np.array([[tumor_score(*one), *class_scores(one[0], n_classes, one[1])[1:]] for one in said])
    ranks = np.column_stack([_places_from(column) for column in scores.T]) / len(results)
    return [
        replace(result, findings=(), image_probabilities=(1 - tumor, *of_classes))
        for result, (tumor, *of_classes) in zip(results, ranks.tolist(), strict=True)
    ]


def _places_from(values: Floats) -> Floats:
    """How many values are smaller, ties sharing the mean of their places: (N,) from 0."""
    ordered = np.sort(values)
    places = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return (places - 1) / 2
