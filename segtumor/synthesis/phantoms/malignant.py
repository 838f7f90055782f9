"""Malignant lesions: ill-defined permeative destruction, aggressive periosteal reaction, soft-tissue mass.

After what textbooks call moth-eaten or permeative destruction with a wide zone of transition (Lodwick grade II-III),
with a sunburst reaction (``osteosarcoma``) or lamellae lifted from the cortex (``other mt``).
"""

from dataclasses import dataclass

import numpy as np

from segtumor.arrays import Mask
from segtumor.synthesis.phantoms.anatomy import BoneShadow
from segtumor.synthesis.phantoms.fields import Field, Grid, band_noise, blur, smooth_noise, smooth_step
from segtumor.synthesis.phantoms.lesions import LesionPlan, LesionShadow, close_gaps, lobed_ellipse, solid, trim_spurs


@dataclass(frozen=True)
class _Outside:
    """The flanks of the host bone beside the lesion; (H, W).

    ``distance_mm`` from the cortex, ``reach_mm`` of the reaction, ``density`` 1 where it is full and fading to 0 about
    its reach.
    """

    distance_mm: Field
    reach_mm: Field
    density: Field


def paint_osteosarcoma(rng: np.random.Generator, grid: Grid, plan: LesionPlan, shadow: BoneShadow) -> LesionShadow:
    """Lysis mixed with cloudy new bone, sunburst spicules and an ossifying mass."""
    rho, angle, zone = _zone(rng, grid, plan, shadow)
    level = _level(shadow, rho)
    holes = smooth_step(band_noise(rng, grid, 0.9, 3.2), -0.4, 1.0)
    clouds = smooth_step(smooth_noise(rng, grid, 3.0), -0.3, 1.3)
    flank = _flank(rng, grid, plan, shadow, reach_mm=plan.radii_across_mm[grid.axes[0]] * (0.8 + 0.4 * plan.strength))
    spicules = smooth_step(_rays(rng, angle, 44), 0.0, 0.8) * smooth_step(flank.distance_mm, 1.15 * flank.reach_mm, 0)
    kept = 1 - zone * (0.2 + 0.55 * holes) * (1 - 0.8 * clouds)
    bony = np.minimum(shadow.thickness_mm / 8, 1)
    added = level * (zone * bony * 0.7 * clouds + flank.density * (0.2 + 0.8 * spicules + 0.25 * clouds))
    return _shadow(plan, grid, kept, added, (rho < 1.0) & (shadow.thickness_mm > 0), flank)


def paint_permeative(rng: np.random.Generator, grid: Grid, plan: LesionPlan, shadow: BoneShadow) -> LesionShadow:
    """Many small holes running together, lamellated periosteum and a soft mass without bone."""
    rho, _, zone = _zone(rng, grid, plan, shadow)
    level = _level(shadow, rho)
    holes = smooth_step(band_noise(rng, grid, 0.7, 2.2), -0.5, 0.7)
    flank = _flank(rng, grid, plan, shadow, reach_mm=plan.radii_across_mm[grid.axes[0]] * (0.4 + 0.25 * plan.strength))
    layers = 0.5 + 0.5 * np.cos(2 * np.pi * flank.distance_mm / 2.2 + np.pi)
    layers = layers * smooth_step(flank.distance_mm, 0.95 * flank.reach_mm, 0.3 * flank.reach_mm)
    kept = 1 - zone * (0.3 + 0.5 * holes)
    added = (
        level * flank.density * (0.2 + 0.5 * layers * (0.7 + 0.3 * smooth_step(smooth_noise(rng, grid, 2.0), -1, 1)))
    )
    return _shadow(plan, grid, kept, added, (rho < 1.0) & (shadow.thickness_mm > 0), flank)


def _level(shadow: BoneShadow, rho: Field) -> float:
    """Attenuation of the host bone about the lesion, by which new bone is scaled: thin bones make thin reactions."""
    inside = (shadow.thickness_mm > 0) & (rho < 1)
    return float(np.clip(shadow.attenuation[inside].mean(), 0.3, 1.2)) if inside.any() else 0.0


def _zone(rng: np.random.Generator, grid: Grid, plan: LesionPlan, shadow: BoneShadow) -> tuple[Field, Field, Field]:
    """Wide zone of transition: 1 at the heart of the lesion, 0 well outside; its ``rho`` is ragged at both scales."""
    rho, angle, _ = lobed_ellipse(rng, grid, plan, shadow, 0.09)
    ragged = rho + 0.10 * smooth_noise(rng, grid, 3.5)
    return rho + 0.05 * smooth_noise(rng, grid, 5.0), angle, smooth_step(ragged, 1.2, 0.65)


def _flank(rng: np.random.Generator, grid: Grid, plan: LesionPlan, shadow: BoneShadow, reach_mm: float) -> _Outside:
    axis = grid.axes[0]
    side = np.sign(shadow.offset_mm)
    aim = (np.cos(plan.azimuth), np.sin(plan.azimuth))[axis]
    favour = np.clip(0.65 + 0.6 * aim * side, 0.4, 1.1)
    # The reaction is where the lesion reaches the cortex, or nearly so.
    cortex = (side * shadow.half_width_mm - plan.offset_mm[axis]) / plan.radii_across_mm[axis]
    along = (grid.along_mm - plan.y_mm) / plan.radius_along_mm
    span = np.clip(1.05 - np.clip(side * cortex, 0, 2) ** 2 - along**2, 0, 1) ** 0.6
    beside = (shadow.depth_mm > 6) & (shadow.thickness_mm <= 0)
    reach = reach_mm * favour * span * (1 + 0.12 * smooth_noise(rng, grid, 4.0))
    distance = np.abs(shadow.offset_mm) - shadow.half_width_mm
    density = np.where(beside, smooth_step(distance, 1.2 * reach + 0.1, 0.6 * reach), 0) * (reach > 0.8)
    return _Outside(np.where(beside, distance, 1e3), np.maximum(reach, 1e-3), density.astype(np.float32))


def _rays(rng: np.random.Generator, angle: Field, count: int) -> Field:
    """Smooth periodic noise over the angle with about ``count`` rays; (H, W), unit variance."""
    wheel = rng.normal(size=2 * count)
    wheel = np.convolve(np.tile(wheel, 3), (0.25, 0.5, 0.25), mode="same")[2 * count : 4 * count]
    position = angle * (2 * count / (2 * np.pi))
    rays: Field = np.interp(position, np.arange(2 * count + 1), np.append(wheel, wheel[0]) / wheel.std())
    return rays


def _shadow(plan: LesionPlan, grid: Grid, kept: Field, added: Field, in_bone: Mask, flank: _Outside) -> LesionShadow:
    soften = 0.5 / grid.spacing_mm
    added = blur(added.astype(np.float32), soften)
    mask = close_gaps(in_bone | (flank.density > 0.3), 0.5 * plan.radii_across_mm[grid.axes[0]] / grid.spacing_mm)
    return LesionShadow(kept.astype(np.float32), added, solid(trim_spurs(solid(mask), 5.0 / grid.spacing_mm)))
