"""Benign lesions: well-defined lucencies with a sclerotic rim, and exostoses.

After what textbooks call a geographic pattern with a narrow zone of transition (Lodwick grade IA), and after
osteochondroma: a stalk continuous with the cortex, pointing away from the joint, with a stippled cap.
"""

import numpy as np

from segtumor.synthesis.phantoms.anatomy import CORTEX_PER_MM, SPONGIOSA_PER_MM, BoneShadow
from segtumor.synthesis.phantoms.fields import Grid, band_noise, blur, smooth_noise, smooth_step
from segtumor.synthesis.phantoms.lesions import LesionPlan, LesionShadow, lobed_ellipse, solid

#: Attenuation of the soft tissue that an outgrowth pushes before it.
SWELLING = 0.2


def paint_cyst(rng: np.random.Generator, grid: Grid, plan: LesionPlan, shadow: BoneShadow) -> LesionShadow:
    """Central, clearly lucent, thin rim; ``simple bone cyst``."""
    return _paint_lucency(rng, grid, plan, shadow, depth=0.62 + 0.2 * plan.strength, rim=0.42, rim_mm=0.8, lobes=0.05)


def paint_fibroma(rng: np.random.Generator, grid: Grid, plan: LesionPlan, shadow: BoneShadow) -> LesionShadow:
    """Eccentric, lobed, less lucent with a smooth ground-glass interior and a thick rim; ``osteofibroma``."""
    return _paint_lucency(rng, grid, plan, shadow, depth=0.42 + 0.2 * plan.strength, rim=0.6, rim_mm=1.2, lobes=0.1)


def paint_exostosis(rng: np.random.Generator, grid: Grid, plan: LesionPlan, shadow: BoneShadow) -> LesionShadow:
    """A bony outgrowth with a bulbous, stippled cap; ``osteochondroma``."""
    axis = grid.axes[0]
    aim = (np.cos(plan.azimuth), np.sin(plan.azimuth))[axis]
    length, radius = plan.radius_along_mm, plan.radii_across_mm[axis]
    across, along = shadow.offset_mm - plan.offset_mm[axis], np.broadcast_to(grid.along_mm - plan.y_mm, grid.shape)
    lean = np.tan(rng.uniform(0.35, 0.6)) * plan.away_from_joint
    tip = np.array([aim * length, lean * length])
    unclipped = (across * tip[0] + along * tip[1]) / (tip @ tip)
    t = np.clip(unclipped, 0, 1)
    # Flattened behind its root, so that no ball shows within the bone.
    behind = 3.0 * np.clip(-unclipped, 0, None) * np.sqrt(tip @ tip)
    distance = np.sqrt((across - t * tip[0]) ** 2 + (along - t * tip[1]) ** 2 + behind**2)
    waist = radius * (0.72 + 0.36 * smooth_step(t, 0.3, 0.9) + 0.18 * smooth_step(t, 0.35, 0.0))
    waist = waist * (1 + 0.07 * np.clip(smooth_noise(rng, grid, 3.0), -2, 2))
    outer = 2 * np.sqrt(np.clip(waist**2 - distance**2, 0, None))
    inner = 2 * np.sqrt(np.clip((waist - 1.4) ** 2 - distance**2, 0, None)) * (distance < waist - 1.4)
    rooted = smooth_step(unclipped, -0.3, 0.15)  # it grows out of the cortex: no end of its own within the bone
    stipples = np.clip(band_noise(rng, grid, 0.7, 2.0), 0, 2.5) * smooth_step(t, 0.45, 0.95)
    added = CORTEX_PER_MM * (outer - inner) + SPONGIOSA_PER_MM * inner * (0.9 + 0.9 * stipples)
    mask = solid(outer > 0)
    swelling = SWELLING * blur(mask.astype(np.float32), 4.0 / grid.spacing_mm)
    return LesionShadow(np.ones(grid.shape, np.float32), added * rooted + swelling, mask)


def _paint_lucency(
    rng: np.random.Generator,
    grid: Grid,
    plan: LesionPlan,
    shadow: BoneShadow,
    *,
    depth: float,
    rim: float,
    rim_mm: float,
    lobes: float,
) -> LesionShadow:
    rho, _, beyond_mm = lobed_ellipse(rng, grid, plan, shadow, lobes)
    in_bone = shadow.thickness_mm > 0
    haze = 1 + 0.05 * smooth_noise(rng, grid, 2.5)
    kept = 1 - depth * np.clip(1 - rho**2, 0, 1) ** 0.3 * haze
    # Where the lesion reaches the bone's own outline, a thin shell of cortex must remain: the lesion is contained.
    shell = np.exp(-0.5 * (shadow.thickness_mm / 4) ** 2)
    kept = kept + (1 - kept) * shell * 0.8
    ring = np.exp(-0.5 * (beyond_mm / rim_mm) ** 2) * smooth_step(shadow.thickness_mm, 0, 6)
    inside = in_bone & (rho < 1)
    level = float(np.clip(shadow.attenuation[inside].mean(), 0.3, 1.2)) if inside.any() else 0.0
    added = rim * (0.75 + 0.25 * plan.strength) * level * ring
    return LesionShadow(kept.astype(np.float32), added, solid((beyond_mm <= 1.4 * rim_mm) & in_bone))
