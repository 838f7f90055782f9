"""One row per lesion as arrays: how it was found, and how far its outline is off.

Computed once and then only selected from, as surface distances take time. Crowd regions have no row. Not here: the
rows of the CSV (``tables``).
Letters: M lesions, N images.
"""

from dataclasses import dataclass, fields

import numpy as np

from segtumor.evaluation.facts.surface import surface_distances
from segtumor.structures.masks import dice_from_iou

_NOTHING = (np.nan,) * 4
_SURFACE = ("hausdorff", "hausdorff_95", "average", "normalized_dice")


@dataclass(frozen=True)
class LesionTable:
    """The lesions of N images; every attribute has M rows.

    Attributes:
        image: int, index of its image.
        class_id: int.
        area_px: float.
        has_mask: bool.
        matched: bool, whether a finding overlaps it.
        hit: bool, whether its IoU reaches the threshold.
        by_mask: bool, matched and by masks, not boxes.
        iou, dice: float, 0 for a missed lesion.
        surface_px: (M, 4) Hausdorff distance, its 95th percentile, average distance, normalized surface Dice; NaN
            unless ``by_mask``.
        surface_mm: (M, 4) the same in mm; NaN where the spacing is unknown.
        has_spacing: bool.
    """

    image: np.ndarray
    class_id: np.ndarray
    area_px: np.ndarray
    has_mask: np.ndarray
    matched: np.ndarray
    hit: np.ndarray
    by_mask: np.ndarray
    iou: np.ndarray
    dice: np.ndarray
    surface_px: np.ndarray
    surface_mm: np.ndarray
    has_spacing: np.ndarray

    def __len__(self) -> int:
        return len(self.image)

    def take(self, rows):
        """The table of these rows (indices or booleans)."""
        return LesionTable(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def of_images(self, chosen):
        """The table of the lesions on the images ``chosen`` (int indices), whose numbers become 0, 1, ..."""
        number = np.full(max([*self.image, *chosen], default=-1) + 1, -1)
        number[chosen] = np.arange(len(chosen))
        table = self.take(number[self.image] >= 0)
        return LesionTable(**{**vars(table), "image": number[table.image]})


def lesion_table(images, *, tolerance_px, tolerance_mm, progress=None):
    """The LesionTable of MatchedImages.

    Args:
        images: N MatchedImages.
        tolerance_px, tolerance_mm: of the normalized surface Dice.
        progress: None, or a function (what, iterable) -> iterable.
    """
    numbered = list(enumerate(images))
    rows = [
        _row(number, image.truth, lesion, match, tolerance_px, tolerance_mm)
        for number, image in (progress("lesions", numbered) if progress else numbered)
        for lesion, match in zip(image.lesions, image.matches, strict=True)
    ]
    integers = {"image", "class_id"}
    floats = {"area_px", "iou", "surface_px", "surface_mm"}
    names = [field.name for field in fields(LesionTable) if field.name != "dice"]
    types = [np.int64 if n in integers else np.float64 if n in floats else bool for n in names]
    arrays = {name: np.array([row[name] for row in rows], dtype=t) for name, t in zip(names, types, strict=True)}
    for name in ("surface_px", "surface_mm"):
        arrays[name] = arrays[name].reshape(-1, 4)
    return LesionTable(dice=dice_from_iou(arrays["iou"]), **arrays)


def _row(number, truth, lesion, match, tolerance_px, tolerance_mm):
    by_mask, spacing = match is not None and match.by_mask, truth.attributes.get("spacing_mm")
    pair = (lesion.rle, match.finding.rle) if by_mask else None
    return {
        "image": number,
        "class_id": lesion.class_id,
        "area_px": lesion.area_px,
        "has_mask": lesion.rle is not None,
        "matched": match is not None,
        "hit": match is not None and match.hit,
        "by_mask": by_mask,
        "iou": match.iou if match else 0.0,
        "surface_px": _distances(pair, tolerance_px, (1.0, 1.0)) if pair else _NOTHING,
        "surface_mm": _distances(pair, tolerance_mm, tuple(spacing)) if pair and spacing else _NOTHING,
        "has_spacing": bool(spacing),
    }


def _distances(pair, tolerance, spacing):
    distances = surface_distances(*pair, tolerance=tolerance, spacing=spacing)
    return tuple(getattr(distances, name) for name in _SURFACE)
