"""The results of several folds side by side and together: mean and spread over folds, and one pooled set.

What the spread over folds is not, and what pooling mixes, is said in ``REMARKS``, which every report of a
cross-validation repeats. Not here: the folds themselves and their training.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segtumor.errors import DataError

#: Measures that are compared between folds, in their order; names as in a study.
HEADLINE = (
    *("mask_ap50", "mask_ap", "box_ap50"),
    *("dice", "dice_matched"),
    *("lesion_recall", "lesion_precision", "lesion_f1"),
    *("image_sensitivity", "image_specificity", "image_auc"),
    "false_positives_per_normal_image",
)
#: What limits the numbers of a cross-validation.
REMARKS = (
    "SD is the sample standard deviation (n - 1) over folds. It is no standard error: any two folds share most of "
    "their training cases, so that their results are not independent, and no unbiased estimate of the variance of a "
    "cross-validation exists (Bengio and Grandvalet, JMLR 2004).",
    "Pooled values are of all images together, each predicted by the model that has not seen its case. Average "
    "precision and areas under a curve then rank scores of different models against each other, whose scales may "
    "differ, and may lie below the mean of the folds.",
    "The intervals of pooled values resample cases with the models fixed: they are about the cases, not about how much "
    "training again would change.",
)


@dataclass(frozen=True)
class FoldResult:
    """One fold, tested.

    Attributes:
        fold: its number, from 1.
        n_images, n_cases, n_lesions: what it was tested on.
        values: {measure: value}; NaN where undefined.
    """

    fold: int
    n_images: int
    n_cases: int
    n_lesions: int
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Spread:
    """One measure over the folds: mean, sample standard deviation (n - 1), and in how many folds it is defined."""

    mean: float
    sd: float
    n_folds: int


def spread(values: Iterable[float]) -> Spread:
    """The Spread of a measure's values, one per fold; undefined ones (NaN) are left out and not counted.

    The mean of no values and the deviation of fewer than two are NaN.
    """
    defined = [float(value) for value in values if not math.isnan(value)]
    mean = float(np.mean(defined)) if defined else math.nan
    sd = float(np.std(defined, ddof=1)) if len(defined) > 1 else math.nan
    return Spread(mean, sd, len(defined))


def spreads(folds: Sequence[FoldResult]) -> dict[str, Spread]:
    """{measure: Spread} of FoldResults that have the same measures, in the order of the first."""
    return {name: spread([fold.values[name] for fold in folds]) for name in folds[0].values}


def pool_predictions(documents: Sequence[Mapping[str, Any]], file_names: Iterable[str]) -> dict[str, Any]:
    """The predictions of several folds as one document.

    Args:
        documents: predictions.json objects, no image in two of them.
        file_names: names of all images, in the order wanted; ``image_id`` is the position from 1.

    Returns:
        a predictions.json object; findings of an image keep their order.

    Raises:
        DataError: an image is predicted twice, by none, or is unknown.
    """
    new_id = {name: number for number, name in enumerate(file_names, start=1)}
    images: dict[int, dict[str, Any]] = {}
    annotations: list[dict[str, Any]] = []
    for document in documents:
        ids = {}
        for image in document["images"]:
            name = image["file_name"]
            if name not in new_id or new_id[name] in images:
                problem = "predicted twice" if name in new_id else "not in any fold"
                raise DataError(f"image is {problem}", where="pooling of folds", got=name)
            ids[image["image_id"]] = new_id[name]
            images[new_id[name]] = {**image, "image_id": new_id[name]}
        annotations += [{**a, "image_id": ids[a["image_id"]]} for a in document["annotations"]]
    missing = [name for name, number in new_id.items() if number not in images]
    if missing:
        raise DataError(f"{len(missing)} images are predicted by no fold", where="pooling of folds", got=missing[0])
    annotations.sort(key=lambda annotation: annotation["image_id"])
    return {**documents[0], "images": [images[i] for i in sorted(images)], "annotations": annotations}
