"""Fitting the temperature of the scores on a set that is not the evaluated one.

Not here: what a temperature is (``segtumor.statistics.calibration``).
"""

from collections.abc import Sequence

import numpy as np

from segtumor.cases import case_of
from segtumor.errors import ConfigError
from segtumor.evaluation.facts.image_level import check_scores
from segtumor.evaluation.facts.truth import has_tumor
from segtumor.statistics.calibration import fit_temperature
from segtumor.structures.lesions import AnnotatedImage, ImageResult
from segtumor.structures.readings import tumor_score

_LISTED = 5  # names in one error message


def fit_score_temperature(results: Sequence[ImageResult], class_names: Sequence[str]) -> float:
    """Temperature that makes the image scores of ImageResults most like probabilities of a tumour (Guo et al. 2017).

    Fitted on the images whose score is not 0, as it is without findings: dividing the logit of 0 leaves it 0, whatever
    the temperature, and missed tumours among them would drive it up without end.

    Raises:
        DataError: a score out of range, or images with findings of one kind only (all with a tumour, or none).
    """
    check_scores(results, class_names)
    scores = np.array([tumor_score(result.findings, result.image_probabilities) for result in results])
    tumor = np.array([has_tumor(result.truth, class_names) for result in results], dtype=np.bool_)
    movable = scores > 0
    return float(fit_temperature(scores[movable], tumor[movable]))


def refuse_shared(fitted_on: Sequence[AnnotatedImage], evaluated: Sequence[AnnotatedImage], *, where: str) -> None:
    """Raise ConfigError if two sets of AnnotatedImages share an image, by file name, or a patient, by ``case_id``.

    A temperature fitted on what it is judged by flatters the calibration. ``where``: what chose the first set.
    """
    of_images = [{image.file_name for image in side} for side in (fitted_on, evaluated)]
    of_cases = [{case_of(image.attributes) or "" for image in side} - {""} for side in (fitted_on, evaluated)]
    for what, (first, second) in (("images", of_images), ("cases", of_cases)):
        shared = sorted(first & second)
        if shared:
            raise ConfigError(
                f"the temperature must not be fitted on what is evaluated: {len(shared)} {what} are in both sets",
                where=where,
                got=", ".join(shared[:_LISTED]),
                expected="images and cases of another part",
                remedy="Give the validation part and its predictions",
            )
