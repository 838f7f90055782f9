"""One row per lesion as arrays: how it was found. Crowd regions have no row, nor have lesions on images of a model that
marks none. Not here: how far outlines are off (``surface``), and the rows of the CSV (``study.rows``).
Letters: M lesions, N images.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from segtumor.arrays import Bools, Floats, Ints
from segtumor.evaluation.facts.matching import Match, MatchedImage
from segtumor.evaluation.facts.surface import surface_distances
from segtumor.progress import StepProgress, silent
from segtumor.structures.lesions import AnnotatedImage, Lesion
from segtumor.structures.masks import dice_from_iou

#: Class of what hits a lesion that nothing hits.
NOT_HIT = -1
_NOTHING = (np.nan,) * 4
_SURFACE = ("hausdorff", "hausdorff_95", "average", "normalized_dice")


@dataclass(frozen=True)
class LesionTable:
    """The lesions of N images; every attribute has M rows.

    Attributes:
        matched: whether a finding overlaps it.
        hit_class: class of the finding that hits it, or NOT_HIT.
        by_mask: matched and by masks, not boxes.
        iou, dice: 0 for a missed lesion.
    """

    image: Ints
    class_id: Ints
    area_px: Floats
    has_mask: Bools
    matched: Bools
    hit: Bools
    hit_class: Ints
    by_mask: Bools
    iou: Floats
    dice: Floats
    has_spacing: Bools

    def __len__(self) -> int:
        return len(self.image)

    def take(self, rows: Ints | Bools) -> "LesionTable":
        """The table of these rows (indices or booleans)."""
        return LesionTable(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def of_images(self, chosen: Ints) -> tuple["LesionTable", Bools]:
        """The table of the lesions on the images ``chosen`` (indices), whose numbers become 0, 1, ..., and which rows
        of this one it has, (M,)."""
        number = np.full(max([*self.image, *chosen], default=-1) + 1, -1)
        number[chosen] = np.arange(len(chosen))
        kept = number[self.image] >= 0
        table = self.take(kept)
        return LesionTable(**{**vars(table), "image": number[table.image]}), kept


@dataclass(frozen=True)
class Surfaces:
    """Distances between the outlines of M lesions and of what was matched with them.

    Attributes:
        px: (M, 4) Hausdorff distance, its 95th percentile, average distance, normalised surface Dice; NaN unless
            matched by masks.
        mm: (M, 4) the same in mm; NaN where the spacing is unknown.
    """

    px: Floats
    mm: Floats

    def take(self, rows: Ints | Bools) -> "Surfaces":
        """The distances of these lesions (indices or booleans)."""
        return Surfaces(self.px[rows], self.mm[rows])


def lesion_table(images: Sequence[MatchedImage]) -> LesionTable:
    """The LesionTable of N MatchedImages."""
    rows = [
        _row(number, image.truth, lesion, match) for number, image in enumerate(images) for lesion, match in _of(image)
    ]
    types = {"image": np.int64, "class_id": np.int64, "hit_class": np.int64, "area_px": np.float64, "iou": np.float64}
    names = [field.name for field in fields(LesionTable) if field.name != "dice"]
    columns: dict[str, Any] = {
        name: np.array([row[name] for row in rows], dtype=types.get(name, np.bool_)) for name in names
    }
    return LesionTable(dice=dice_from_iou(columns["iou"]), **columns)


def surfaces_of(
    images: Sequence[MatchedImage], *, tolerance_px: float, tolerance_mm: float, progress: StepProgress = silent
) -> Surfaces:
    """The Surfaces of the lesions of MatchedImages, which take time.

    Args:
        tolerance_px, tolerance_mm: of the normalised surface Dice.
    """
    px, mm = [], []
    for image in progress("lesions", images):
        spacing = image.truth.attributes.get("spacing_mm")
        for lesion, match in _of(image):
            px.append(_distances(lesion, match, tolerance_px, (1.0, 1.0)))
            mm.append(_distances(lesion, match, tolerance_mm, spacing))
    return Surfaces(*(np.array(rows, dtype=np.float64).reshape(-1, 4) for rows in (px, mm)))


def _of(image: MatchedImage) -> Iterable[tuple[Lesion, Match | None]]:
    return zip(image.lesions, image.matches, strict=True)


def _row(number: int, truth: AnnotatedImage, lesion: Lesion, match: Match | None) -> dict[str, float]:
    hit = match is not None and match.hit
    return {
        "image": number,
        "class_id": lesion.class_id,
        "area_px": lesion.area_px,
        "has_mask": lesion.rle is not None,
        "matched": match is not None,
        "hit": hit,
        "hit_class": match.finding.class_id if match is not None and hit else NOT_HIT,
        "by_mask": match is not None and match.by_mask,
        "iou": match.iou if match else 0.0,
        "has_spacing": bool(truth.attributes.get("spacing_mm")),
    }


def _distances(
    lesion: Lesion, match: Match | None, tolerance: float, spacing: Sequence[float] | None
) -> tuple[float, ...]:
    found = match.finding.rle if match is not None and match.by_mask else None
    if found is None or lesion.rle is None or not spacing:
        return _NOTHING
    distances = surface_distances(lesion.rle, found, tolerance=tolerance, spacing=tuple(spacing))
    return tuple(getattr(distances, name) for name in _SURFACE)
