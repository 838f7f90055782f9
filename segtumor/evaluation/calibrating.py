"""Fitting the temperature of the scores on a set that is not the evaluated one.

Not here: what a temperature is (``segtumor.statistics.calibration``).
"""

import numpy as np

from segtumor.evaluation.image_level import check_scores, has_tumor, image_score
from segtumor.statistics.calibration import fit_temperature


def fit_score_temperature(results, class_names):
    """Temperature that makes the image scores of ImageResults most like probabilities of a tumor (Guo et al. 2017).

    Raises:
        DataError: a score out of range, or images of one kind only (all with tumor, or none).
    """
    check_scores(results, class_names)
    scores = np.array([image_score(result) for result in results])
    return fit_temperature(scores, np.array([has_tumor(result.truth, class_names) for result in results], dtype=bool))
