"""Bones and soft tissue as solids, and their shadows: line integrals of attenuation in a given view.

A bone is a tube of elliptic cross-section round a nearly vertical centre line, a shell of cortex round a medulla, so
that its shadow has the bright edges, dark canal and flared ends of a radiograph. Lengths in mm; the adult dimensions
are rounded from anatomy, not measured. Not here: which bones make a joint (``regions``), lesions (``lesions``).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from segtumor.synthesis.phantoms.fields import Field, Grid

# Linear attenuation per mm, in excess of what lies around, roughly as at 60 keV.
CORTEX_PER_MM = 0.045
SPONGIOSA_PER_MM = 0.016
MUSCLE_PER_MM = 0.019
FAT_PER_MM = 0.015


@dataclass(frozen=True)
class Joint:
    """The articular end of a bone, distal if ``down``; ``shapes`` (frontal, lateral): condyle, plateau, round, flat."""

    y_mm: float
    down: bool
    shapes: tuple[str, str]


@dataclass(frozen=True)
class Bone:
    """A long bone, or a part of one.

    Attributes:
        center_mm: (x, z) of the centre line at ``y_mm`` = ``knots_mm[0]``.
        slope: (x, z) mm per mm along y.
        knots_mm: distances from the joint (or from y = 0 where there is none) at which the next three are given.
        half_widths_mm: per knot (x, z) outer semi-axes.
        cortex_mm: per knot thickness of the cortex.
        density: per knot spongiosa, 1 = ``SPONGIOSA_PER_MM``.
        joint: the articular end, or None for a piece of shaft.
        bulge: (y, sigma, amount) in mm of an expansion, amount 0 for none.
    """

    name: str
    center_mm: tuple[float, float]
    slope: tuple[float, float]
    knots_mm: tuple[float, ...]
    half_widths_mm: tuple[tuple[float, float], ...]
    cortex_mm: tuple[float, ...]
    density: tuple[float, ...]
    joint: Joint | None = None
    bulge: tuple[float, float, float] = (0.0, 1.0, 0.0)

    def depth_mm(self, y_mm: Any) -> Field:
        """Distance along the bone from its joint, positive inside; y itself for a shaft."""
        if self.joint is None:
            return np.asarray(y_mm)
        return (self.joint.y_mm - y_mm) if self.joint.down else (np.asarray(y_mm) - self.joint.y_mm)

    def center_at(self, y_mm: Any, axis: int) -> Any:
        """Centre line in transverse ``axis`` (0: x, 1: z)."""
        start = self.joint.y_mm if self.joint else 0.0
        return self.center_mm[axis] + self.slope[axis] * (y_mm - start)

    def half_width_at(self, y_mm: Any, axis: int) -> Field:
        """Outer semi-axis in transverse ``axis``, bulge included."""
        base = _through(self.depth_mm(y_mm), self.knots_mm, [pair[axis] for pair in self.half_widths_mm])
        y0, sigma, amount = self.bulge
        return base + amount * np.exp(-0.5 * ((np.asarray(y_mm) - y0) / sigma) ** 2)

    def cortex_at(self, y_mm: Any) -> Field:
        """Thickness of the cortex; thinned by a bulge."""
        y0, sigma, amount = self.bulge
        thinning = 1 - min(0.6, amount / 6) * np.exp(-0.5 * ((np.asarray(y_mm) - y0) / sigma) ** 2)
        return _through(self.depth_mm(y_mm), self.knots_mm, self.cortex_mm) * thinning

    def expanded(self, y_mm: float, sigma_mm: float, amount_mm: float) -> "Bone":
        """This bone with an expansion."""
        return replace(self, bulge=(y_mm, sigma_mm, amount_mm))


@dataclass(frozen=True)
class Ossicle:
    """A rounded block of bone (patella, carpals): centre (x, y, z) and semi-axes (x, y, z), mm."""

    center_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]


@dataclass(frozen=True)
class BoneShadow:
    """A bone in one view; arrays (H, W) or (H, 1), float32.

    Attributes:
        attenuation: (H, W) line integral.
        thickness_mm: (H, W) chord through the bone; 0 outside.
        offset_mm: (H, W) transverse distance from the centre line.
        half_width_mm: (H, 1) transverse semi-axis.
        depth_mm: (H, W) distance from the articular surface, positive inside; large for a shaft.
    """

    attenuation: Field
    thickness_mm: Field
    offset_mm: Field
    half_width_mm: Field
    depth_mm: Field


def cast_bone(bone: Bone, grid: Grid, trabeculae: Field) -> BoneShadow:
    """Shadow of a ``Bone``; ``trabeculae`` is (H, W) noise of unit variance."""
    axis, behind = grid.axes
    y = grid.along_mm
    width = bone.half_width_at(y, axis).astype(np.float32)
    deep = bone.half_width_at(y, behind).astype(np.float32)
    cortex = bone.cortex_at(y).astype(np.float32)
    offset = grid.across_mm - bone.center_at(y, axis).astype(np.float32)
    depth = _articular_depth(bone, grid, offset)
    outer = _chord(offset, width, deep) * _end_cap(depth, 9.0)
    inner = _chord(offset, width - cortex, deep - cortex) * _end_cap(depth - np.minimum(cortex, 1.2), 9.0)
    density = _through(bone.depth_mm(y), bone.knots_mm, bone.density).astype(np.float32)
    spongiosa = SPONGIOSA_PER_MM * density * (1 + 0.13 * trabeculae)
    attenuation = CORTEX_PER_MM * (outer - inner) * (1 + 0.03 * trabeculae) + spongiosa * inner
    return BoneShadow(attenuation, outer, offset, width, depth)


def cast_ossicle(ossicle: Ossicle, grid: Grid, trabeculae: Field) -> Field:
    """(H, W) attenuation of an ``Ossicle``."""
    axis, behind = (0, 2) if grid.view == "frontal" else (2, 0)
    center, radii = ossicle.center_mm, ossicle.radii_mm
    across = (grid.across_mm - center[axis]) / radii[axis]
    along = (grid.along_mm - center[1]) / radii[1]
    outer = 2 * radii[behind] * np.sqrt(np.clip(1 - np.abs(across) ** 2.6 - np.abs(along) ** 2.6, 0, None))
    inner = np.clip(outer - 1.8, 0, None)
    return CORTEX_PER_MM * (outer - inner) + SPONGIOSA_PER_MM * inner * (1 + 0.13 * trabeculae)


def cast_soft_tissue(envelope: Bone, grid: Grid, clouds: Field) -> Field:
    """Attenuation of muscle, uneven by (H, W) ``clouds``, under a layer of fat: the envelope's "cortex"."""
    axis, behind = grid.axes
    y = grid.along_mm
    fat = envelope.cortex_at(y).astype(np.float32)
    width, deep = (envelope.half_width_at(y, i).astype(np.float32) for i in (axis, behind))
    offset = grid.across_mm - envelope.center_at(y, axis).astype(np.float32)
    muscle = _chord(offset, width - fat, deep - fat)
    return FAT_PER_MM * (_chord(offset, width, deep) - muscle) + MUSCLE_PER_MM * muscle * (1 + 0.015 * clouds)


def _chord(offset: Field, width: Field, deep: Field) -> Field:
    inside = np.clip(1 - (offset / np.maximum(width, 1e-3)) ** 2, 0, None)
    return 2 * np.maximum(deep, 0) * np.sqrt(inside)


def _end_cap(depth: Field, radius_mm: float) -> Field:
    t = np.clip(depth / radius_mm, 0, 1)
    return np.sqrt(1 - (1 - t) ** 2)


def _articular_depth(bone: Bone, grid: Grid, offset: Field) -> Field:
    if bone.joint is None:
        return np.full(grid.shape, 1e3, dtype=np.float32)
    shape = bone.joint.shapes[grid.axes[0]]
    reach = max(widths[grid.axes[0]] for widths in bone.half_widths_mm[:4])
    return bone.depth_mm(grid.along_mm).astype(np.float32) + _end_outline(shape, offset, reach)


def _end_outline(shape: str, offset: Field, reach: float) -> Field:
    """How far the articular surface protrudes (+) or recedes (-) at each transverse offset; mm."""
    if shape == "condyle":
        condyle: Field = -0.018 * (np.abs(offset) - 0.6 * reach) ** 2 - 5 * np.exp(-((offset / 6) ** 2))
        return condyle
    if shape == "plateau":
        return 3.5 * (np.exp(-(((offset - 5) / 3) ** 2)) + np.exp(-(((offset + 5) / 3) ** 2))) - 0.002 * offset**2
    if shape == "round":
        radius = 1.15 * reach
        return np.sqrt(np.clip(radius**2 - offset**2, 0, None)) - radius
    return -0.12 * offset  # the slant of the distal radius


def _through(x: Any, knots: Any, values: Any) -> Field:
    """Values at knots joined by cubic steps, constant outside; shape of x."""
    x = np.asarray(x, dtype=np.float64)
    knots, values = np.asarray(knots, dtype=np.float64), np.asarray(values, dtype=np.float64)
    i = np.clip(np.searchsorted(knots, x) - 1, 0, len(knots) - 2)
    t = np.clip((x - knots[i]) / (knots[i + 1] - knots[i]), 0, 1)
    joined: Field = values[i] + (values[i + 1] - values[i]) * (0.5 * t + 0.5 * t * t * (3 - 2 * t))
    return joined
