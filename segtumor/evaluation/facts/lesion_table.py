"""One row per lesion as arrays: how it was found. Crowd regions have no row, nor have lesions on images of a model that
marks none. Not here: how far outlines are off (``surface``), and the rows of the CSV (``study.rows``).
Letters: M lesions, N images.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from segtumor.arrays import Bools, Floats, Ints
from segtumor.evaluation.facts.matching import Match, MatchedImage
from segtumor.evaluation.facts.surface import surface_distances
from segtumor.progress import StepProgress, silent
from segtumor.structures.lesions import Lesion
from segtumor.structures.masks import dice_from_iou

#: Class of what hits a lesion that nothing hits.
NOT_HIT = -1
_NOTHING = (np.nan,) * 4


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
    rows = [(number, *pair) for number, image in enumerate(images) for pair in _of(image)]
    lesions, matches = [lesion for _, lesion, _ in rows], [match for _, _, match in rows]
    spacing = [bool(images[number].truth.attributes.get("spacing_mm")) for number, _, _ in rows]
    iou = np.array([match.iou if match else 0.0 for match in matches], dtype=np.float64)
    return LesionTable(
        image=np.array([number for number, _, _ in rows], dtype=np.int64),
        class_id=np.array([lesion.class_id for lesion in lesions], dtype=np.int64),
        area_px=np.array([lesion.area_px for lesion in lesions], dtype=np.float64),
        has_mask=np.array([lesion.rle is not None for lesion in lesions], dtype=np.bool_),
        matched=np.array([match is not None for match in matches], dtype=np.bool_),
        hit=np.array([match is not None and match.hit for match in matches], dtype=np.bool_),
        hit_class=np.array([m.finding.class_id if m and m.hit else NOT_HIT for m in matches], dtype=np.int64),
        by_mask=np.array([match is not None and match.by_mask for match in matches], dtype=np.bool_),
        iou=iou,
        dice=dice_from_iou(iou),
        has_spacing=np.array(spacing, dtype=np.bool_),
    )


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


def _distances(
    lesion: Lesion, match: Match | None, tolerance: float, spacing: Sequence[float] | None
) -> tuple[float, ...]:
    found = match.finding.rle if match is not None and match.by_mask else None
    if found is None or lesion.rle is None or not spacing:
        return _NOTHING
    return surface_distances(lesion.rle, found, tolerance=tolerance, spacing=tuple(spacing))
