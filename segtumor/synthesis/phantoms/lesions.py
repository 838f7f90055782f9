"""Lesions as plans in three dimensions, and how a plan becomes a change of attenuation and a true mask in a view.

A plan is drawn once per lesion; both views of a case paint the same plan. How each kind looks is in ``benign`` and
``malignant``.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from segtumor.arrays import Mask
from segtumor.synthesis.phantoms.anatomy import BoneShadow
from segtumor.synthesis.phantoms.fields import Field, Grid
from segtumor.system.opencv import cv2


@dataclass(frozen=True)
class LesionPlan:
    """A lesion before it is looked at. Lengths in mm; x, y, z as in ``fields.Grid``.

    Attributes:
        subtype: name in ``segtumor.taxonomy.SUBTYPE_ENTITY``.
        host: index of the bone it lies in.
        y_mm: its height along the limb.
        offset_mm: (x, z) of its centre from the centre line of the bone.
        radius_along_mm: semi-axis along the bone.
        radii_across_mm: (x, z) transverse semi-axes.
        azimuth: direction in the transverse plane, radians: 0 is +x, pi/2 is +z.
        strength: 0..1, how conspicuous it is within its kind.
        away_from_joint: +1 if the joint lies above (smaller y), -1 if below; exostoses lean that way.
    """

    subtype: str
    host: int
    y_mm: float
    offset_mm: tuple[float, float]
    radius_along_mm: float
    radii_across_mm: tuple[float, float]
    azimuth: float
    strength: float
    away_from_joint: int = 1


@dataclass(frozen=True)
class LesionShadow:
    """What a lesion does to a view, (H, W): a factor on the host bone's attenuation, a summand, its visible extent."""

    kept: Field
    added: Field
    mask: Mask

    def change(self, host_attenuation: Field) -> Field:
        """Attenuation with the lesion minus without; (H, W)."""
        change: Field = host_attenuation * (self.kept - 1) + self.added
        return change


def lobed_ellipse(
    rng: np.random.Generator, grid: Grid, plan: LesionPlan, shadow: BoneShadow, lobes: float
) -> tuple[Field, Field, Field]:
    """An ellipse round the lesion whose outline waves.

    Args:
        lobes: amplitude of the waves as a share of the radius.

    Returns:
        ``rho`` (H, W), 1 on the outline and 0 at the centre; ``angle`` (H, W) radians; ``beyond_mm`` (H, W), the
        distance from the outline, negative inside (exact on a circle, good near the outline of an ellipse).
    """
    axis = grid.axes[0]
    across = shadow.offset_mm - plan.offset_mm[axis]
    along = np.broadcast_to(grid.along_mm - plan.y_mm, grid.shape)
    radius_across, radius_along = plan.radii_across_mm[axis], plan.radius_along_mm
    rho, angle = cv2.cartToPolar(
        np.ascontiguousarray(across / radius_across, dtype=np.float32),
        np.ascontiguousarray(along / radius_along, dtype=np.float32),
    )
    waves = sum(lobes * rng.normal() / np.sqrt(k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 4, 5))
    rho = rho * (1 + np.clip(waves, -0.3, 0.3))
    local_radius = np.sqrt((radius_across * np.cos(angle)) ** 2 + (radius_along * np.sin(angle)) ** 2)
    return rho, angle, (rho - 1) * local_radius


def close_gaps(mask: Mask, gap_px: float) -> Mask:
    """Morphological closing of a (H, W) bool mask: clefts narrower than ``gap_px`` are filled."""
    return _morphology(cv2.MORPH_CLOSE, mask, gap_px, pad_mode="constant")


def trim_spurs(mask: Mask, width_px: float) -> Mask:
    """Morphological opening of a (H, W) bool mask: spurs narrower than ``width_px`` are cut."""
    return _morphology(cv2.MORPH_OPEN, mask, width_px, pad_mode="edge")


def _morphology(operation: int, mask: Mask, width_px: float, *, pad_mode: Literal["constant", "edge"]) -> Mask:
    """``pad_mode`` says what lies beyond the image: nothing when closing, more of the same when opening."""
    size = 2 * max(1, round(width_px / 2)) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    padded = np.pad(mask.astype(np.uint8), size, mode=pad_mode)
    return cv2.morphologyEx(padded, operation, disk)[size:-size, size:-size].astype(bool)


def solid(mask: Mask) -> Mask:
    """The largest connected part of a (H, W) bool mask with its holes filled."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return mask
    filled = np.zeros(mask.shape, dtype=np.uint8)
    cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.astype(bool)
