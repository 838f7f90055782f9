"""How far two outlines lie apart: Hausdorff distance, its 95th percentile, the average, and the surface Dice.

Definition. The surface of a mask is the set of its pixels with one of their four neighbours outside the mask; what
lies outside the image is outside the mask. The distance of a surface pixel is that of its centre to the nearest
centre of the other surface, in units of ``spacing``. With the two sets of distances, first to second and second to
first:

* Hausdorff distance: the largest of all.
* Its 95th percentile (HD95): the larger of the two directed 95th percentiles, with linear interpolation between
  ranks (Taha & Hanbury 2015, doi 10.1186/s12880-015-0068-x; Maier-Hein et al. 2024, "Metrics reloaded",
  doi 10.1038/s41592-023-02151-z). Not the percentile of both sets joined, which MedPy takes.
* Average symmetric surface distance (ASSD): the mean of both sets joined.
* Normalised surface Dice (NSD): the share of both sets joined that is at most the tolerance, the boundary-pixel form of
  Nikolov et al. (2018, arXiv 1809.04430; 2021, doi 10.2196/26151).

Other programs. MONAI has the same surface, distances and percentile (in single precision), so its numbers are these;
but where one mask is empty, its distances are infinite (HD95: NaN), and where both are, its surface Dice is NaN.
DeepMind's surface-distance puts the surface between the pixels (marching squares) and weighs each element by its
length, so its numbers differ by fractions of a pixel: HD95 of one and the same pair was 2.033 in MONAI, 1.980 in
surface-distance and 2.000 in MedPy.

Not here: which masks are compared (``segtumor.evaluation.facts.matching``), means over lesions.
Letters: P, Q numbers of surface pixels; h, w size of the part of the image that holds both masks;
R number of runs.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco_mask

from segtumor.arrays import Bools, Floats, Ints, Rle
from segtumor.errors import DataError
from segtumor.structures.rle import flat_from_runs, rle_runs

_NAN = float("nan")
#: So that three pixels of 0.1 mm (0.30000000000000004) are within 0.3 mm.
_ROUNDING = 1 + 1e-9


class SurfaceDistances(NamedTuple):
    """How far the surfaces of two masks lie apart, in units of the spacing.

    Attributes:
        hausdorff: largest distance of a surface pixel to the other surface; NaN unless both masks have pixels.
        hausdorff_95: the larger of the two directed 95th percentiles; NaN likewise.
        average: mean distance over the pixels of both surfaces; NaN likewise.
        normalized_dice: share of the pixels of both surfaces within the tolerance, in [0, 1]; 1 for two empty masks,
            0 if one is empty.
    """

    hausdorff: float
    hausdorff_95: float
    average: float
    normalized_dice: float


def surface_distances(
    first_rle: Rle, second_rle: Rle, *, tolerance: float, spacing: Sequence[float] = (1.0, 1.0)
) -> SurfaceDistances:
    """Compare the surfaces of two masks of one image, as the module defines.

    Args:
        second_rle: COCO RLE of the same image size. Their order does not matter.
        tolerance: largest distance that counts as agreement in the surface Dice, at least 0, in units of ``spacing``.
        spacing: (row, column) distance of neighbouring pixels, as DICOM orders it: (1, 1) for px, else mm.

    Raises:
        DataError: masks of two sizes, or a tolerance or spacing that is none.
    """
    _check(first_rle, second_rle, tolerance, spacing)
    first, second = (_surface(mask) for mask in _cropped(first_rle, second_rle))
    if not len(first) or not len(second):
        return SurfaceDistances(_NAN, _NAN, _NAN, float(len(first) == len(second)))
    directed = _directed_distances(first * spacing, second * spacing)
    joined = np.concatenate(directed)
    return SurfaceDistances(
        hausdorff=float(joined.max()),
        hausdorff_95=float(max(np.percentile(distances, 95) for distances in directed)),
        average=float(joined.mean()),
        normalized_dice=float(np.mean(joined <= tolerance * _ROUNDING)),
    )


def _check(first_rle: Rle, second_rle: Rle, tolerance: float, spacing: Sequence[float]) -> None:
    sizes = [list(map(int, rle["size"])) for rle in (first_rle, second_rle)]
    if sizes[0] != sizes[1]:
        raise DataError("two masks of different image sizes", got=sizes[1], expected=sizes[0])
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise DataError("no tolerance for surface distances", got=tolerance, expected="a finite number from 0 on")
    if len(spacing) != 2 or not all(math.isfinite(step) and step > 0 for step in spacing):
        raise DataError("no pixel spacing", got=spacing, expected="(row, column), both finite and above 0")


def _cropped(first_rle: Rle, second_rle: Rle) -> list[Bools]:
    """Both masks, (h, w), cut to the box that holds them: a lesion is small against its radiograph.

    The box alone would do, as ``_surface`` takes what lies outside for background.
    """
    runs = [_runs(rle) for rle in (first_rle, second_rle)]
    rles: list[Any] = [first_rle, second_rle]
    boxes_xywh = coco_mask.toBbox(rles).astype(int)
    boxes_xywh = boxes_xywh[boxes_xywh[:, 2] > 0]  # without those of empty masks
    if not len(boxes_xywh):
        return [np.zeros((0, 0), dtype=np.bool_)] * 2
    x0, y0 = boxes_xywh[:, :2].min(axis=0)
    x1, y1 = (boxes_xywh[:, :2] + boxes_xywh[:, 2:]).max(axis=0)
    return [_columns(one, int(first_rle["size"][0]), x0, x1)[y0:y1] for one in runs]


def _runs(rle: Rle) -> Ints:
    """Lengths of the runs of an RLE, (R,), background first, down one column after the other."""
    counts = rle["counts"]
    runs = rle_runs(counts.decode("ascii") if isinstance(counts, bytes) else counts)
    height, width = rle["size"]
    if runs is None or runs.sum() != height * width:
        raise DataError("mask's run-length code is damaged", got=f"{counts!r:.80}", expected=f"{height} x {width} px")
    return np.asarray(runs)


def _columns(runs: Ints, height: int, x0: int, x1: int) -> Bools:
    """Columns [x0, x1) of the mask with these runs, (height, x1 - x0).

    Decoding the whole radiograph would take longer than everything else here together.
    """
    ends = np.clip(np.cumsum(runs) - x0 * height, 0, (x1 - x0) * height)
    lengths = np.diff(ends, prepend=0)
    return flat_from_runs(lengths).reshape(x1 - x0, height).T


def _surface(mask: Bools) -> Floats:
    """Surface pixels of a (h, w) mask: (P, 2) of (row, column)."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.argwhere(mask & ~inner).astype(np.float64)


def _directed_distances(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Distances of (P, 2) points to the nearest of (Q, 2), and the other way round: (P,) and (Q,)."""
    from scipy.spatial import cKDTree

    # Ten times as quick as distance transforms of the part that holds both masks, twice for a small lesion.
    return np.asarray(cKDTree(second).query(first)[0]), np.asarray(cKDTree(first).query(second)[0])
