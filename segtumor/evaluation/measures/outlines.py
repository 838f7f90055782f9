"""Measures of how well outlines agree: Dice, IoU and surface distances per lesion, Dice and IoU per image.

Per lesion, a missed one counts 0; ``*_matched`` is over matched lesions alone. Distances exist for lesions matched by
their masks only; the normalised surface Dice over all lesions is undefined where any lesion was matched by its box: it
is not missed, but what it would count is unknown, and leaving it out would count the missed ones alone.
Per image, the union of its lesions is compared with the union of its findings at or above the score threshold (a
finding without mask is its box, as in COCO; those in crowd regions are left out); every image with lesions
counts, 0 if nothing was found, none without lesions, and none with a lesion that has no mask.
Per pixel, as papers print it: precision, recall, specificity, accuracy and F1 of all pixels together, normal images
included, and of each image, where it is defined. Background outnumbers lesions a hundred times, so that specificity and
accuracy are near 1 for anything, also for nothing.
Letters: M lesions, N images, C cases.
"""

from typing import Any

import numpy as np

from segtumor.arrays import Bools, Floats, Ints
from segtumor.evaluation.facts.lesion_table import LesionTable, Surfaces
from segtumor.evaluation.measures.measure import OVERLAP, SURFACE, Measure, ratio_measure
from segtumor.structures.masks import dice_from_iou

LESION_UNIT, IMAGE_UNIT = "lesions", "images"
#: Columns of ``Surfaces.px`` as (name without unit, label).
_DISTANCES = (
    ("hausdorff", "Hausdorff distance"),
    ("hausdorff_95", "95th percentile of the Hausdorff distance"),
    ("average_surface_distance", "average surface distance"),
)


def overlap_measures(lesions: LesionTable, case_of_image: Ints, n_cases: int) -> list[Measure]:
    """Dice and IoU of a LesionTable; ``case_of_image`` (N,)."""
    where, everyone = (case_of_image[lesions.image], n_cases), np.ones(len(lesions))

    def measure(name: str, label: str, values: Floats, counted: Floats | Bools) -> Measure:
        return ratio_measure(name, label, OVERLAP, LESION_UNIT, values * counted, counted, *where)

    return [
        measure("dice", "Dice (lesions, missed = 0)", lesions.dice, everyone),
        measure("dice_matched", "Dice (matched lesions)", lesions.dice, lesions.matched),
        measure("iou", "IoU (lesions, missed = 0)", lesions.iou, everyone),
        measure("iou_matched", "IoU (matched lesions)", lesions.iou, lesions.matched),
    ]


def surface_measures(lesions: LesionTable, surfaces: Surfaces, case_of_image: Ints, n_cases: int) -> list[Measure]:
    """Surface distances of lesions, in px, and in mm if the spacing of any lesion is known; ``case_of_image`` (N,)."""
    case_of = case_of_image[lesions.image]
    measures = _surface_of(lesions, surfaces.px, lesions.has_mask, "px", case_of, n_cases)
    if lesions.has_spacing.any():
        counted = lesions.has_mask & lesions.has_spacing
        measures += _surface_of(lesions, surfaces.mm, counted, "mm", case_of, n_cases)
    return measures


def _surface_of(
    lesions: LesionTable, surface: Floats, counted: Bools, unit: str, case_of: Ints, n_cases: int
) -> list[Measure]:
    def measure(name: str, label: str, values: Floats, defined: Bools, **options: Any) -> Measure:
        numerators = np.where(defined, values, 0)
        return ratio_measure(name, label, SURFACE, LESION_UNIT, numerators, defined, case_of, n_cases, **options)

    measures = [
        measure(f"{name}_{unit}", f"{label}, {unit}", surface[:, i], ~np.isnan(surface[:, i]), higher_is_better=False)
        for i, (name, label) in enumerate(_DISTANCES)
    ]
    suffix, of_unit = ("", "") if unit == "px" else ("_mm", ", tolerance in mm")
    agreement, matched = surface[:, 3], ~np.isnan(surface[:, 3])
    unknown = (counted & lesions.matched & ~lesions.by_mask).any()  # matched by boxes
    with_missed = np.full(len(lesions), np.nan) if unknown else np.nan_to_num(agreement)
    label = f"normalised surface Dice{of_unit}"
    return [
        *measures,
        measure(f"normalized_surface_dice{suffix}", f"{label} (missed = 0)", with_missed, counted),
        measure(f"normalized_surface_dice_matched{suffix}", f"{label} (matched lesions)", agreement, matched),
    ]


def image_overlap_measures(iou: Floats, case_of_image: Ints, n_cases: int) -> list[Measure]:
    """Dice and IoU per image, and the share of images with lesions of which no pixel was found, from (N,)
    ``image_overlap`` values."""
    counted = ~np.isnan(iou)
    iou = np.where(counted, iou, 0)
    where, note = (case_of_image, n_cases), "(images with lesions, missed = 0)"
    overlaps = [
        ratio_measure(f"image_{name}", f"{label} {note}", OVERLAP, IMAGE_UNIT, values, counted, *where)
        for name, label, values in (("dice", "Dice", dice_from_iou(iou)), ("iou", "IoU", iou))
    ]
    label, options = "images with lesions of which no pixel was found", {"proportion": True, "higher_is_better": False}
    missed = counted & (iou == 0)
    return [
        *overlaps,
        ratio_measure("image_missed_whole", label, OVERLAP, IMAGE_UNIT, missed, counted, *where, **options),
    ]


def pixel_measures(pixels: Floats, case_of_image: Ints, n_cases: int) -> list[Measure]:
    """Precision, recall, specificity, accuracy and F1 of pixels, from (N, 4) ``pixel_counts``."""
    known = ~np.isnan(pixels[:, 0])
    both, found_only, missed, neither = np.where(known[:, None], pixels, 0).T
    parts = {
        "precision": (both, both + found_only),
        "recall": (both, both + missed),
        "specificity": (neither, neither + found_only),
        "accuracy": (both + neither, both + found_only + missed + neither),
        "f1": (2 * both, 2 * both + found_only + missed),
    }
    where = OVERLAP, IMAGE_UNIT
    pooled = [
        ratio_measure(
            *(f"pixel_{name}", f"pixel {_LABELS.get(name, name)} (all pixels)", *where, right, of),
            *(case_of_image, n_cases),
            n=int(known.sum()),
        )
        for name, (right, of) in parts.items()
    ]
    return [*pooled, *(_mean_of_images(name, *parts[name], case_of_image, n_cases) for name in list(parts)[:4])]


def _mean_of_images(name: str, right: Floats, of: Floats, case_of_image: Ints, n_cases: int) -> Measure:
    """Of the images that have such pixels: precision where something is found, recall where there is a lesion."""
    counted = of > 0
    values = np.divide(right, of, out=np.zeros(len(of)), where=counted)
    label = f"pixel {name} (mean of images)"
    return ratio_measure(f"pixel_{name}_mean", label, OVERLAP, IMAGE_UNIT, values, counted, case_of_image, n_cases)


_LABELS = {"f1": "F1"}
