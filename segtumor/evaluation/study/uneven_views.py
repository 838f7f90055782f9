"""Whether measures of patients partly compare numbers of images, in a sentence for the reader of a study."""

import numpy as np

from segtumor.evaluation.facts.study_types import MEAN

#: From this ratio of the mean numbers of images per patient on, the highest of several scores favours one side.
_UNEVEN = 1.5


def uneven_views_remark(n_images, tumor, rule) -> str:
    """A sentence if normal patients and those with tumor differ much in their images and the rule minds; else "".

    Args:
        n_images: (C,) int, images of each patient.
        tumor: (C,) bool, the truth.
        rule: as in StudySettings.
    """
    n_images, tumor = np.asarray(n_images), np.asarray(tumor, dtype=bool)
    if rule == MEAN or tumor.all() or not tumor.any():
        return ""
    with_tumor, normal = float(n_images[tumor].mean()), float(n_images[~tumor].mean())
    if max(with_tumor, normal) < _UNEVEN * min(with_tumor, normal):
        return ""
    return (
        f"Normal patients have {normal:.1f} images on average, those with tumor {with_tumor:.1f}; by the rule {rule} "
        "each further image is a further chance to be called positive, so that measures of patients partly compare "
        "numbers of images (the rule mean does so less)."
    )
