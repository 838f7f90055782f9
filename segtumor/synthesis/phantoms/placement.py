"""Draws lesions until they can be seen in both views, and keeps what was drawn. Used by ``generator`` alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from segtumor.arrays import Mask
from segtumor.synthesis.phantoms.acquisition import Exposure, open_field
from segtumor.synthesis.phantoms.anatomy import BoneShadow, cast_bone
from segtumor.synthesis.phantoms.fields import Field, Grid
from segtumor.synthesis.phantoms.lesions import LesionPlan, LesionShadow
from segtumor.synthesis.phantoms.planning import PAINTERS, plan_lesion
from segtumor.synthesis.phantoms.regions import Region

# What counts as a lesion one can see: the side of a square of the same area, as a share of the image's side, and the
# mean change of attenuation under the mask, as a number (noise is 0.01-0.1 per pixel) and as a share of the host bone.
MIN_SIDE, MAX_SIDE = 20 / 256, 76 / 256
MIN_CONTRAST, MIN_CONTRAST_OF_HOST = 0.08, 0.2
_MAX_DRAWS = 100


@dataclass(frozen=True)
class Scene:
    """One view before exposure: its grid, the (H, W) noise that its spongiosa shows, the settings to come."""

    grid: Grid
    trabeculae: Field
    exposure: Exposure


@dataclass(frozen=True)
class PlacedLesion:
    """A lesion in one view: (H, W) ``change`` of attenuation, bool ``mask``, and the means under it of the absolute
    change (``contrast``) and of the host bone's attenuation (``host_level``)."""

    plan: LesionPlan
    change: Field
    mask: Mask
    contrast: float
    host_level: float


def place_lesions(
    rng: np.random.Generator, subtypes: Sequence[str], region: Region, scenes: Sequence[Scene]
) -> tuple[Region, list[list[PlacedLesion]]]:
    """Lesions of ``subtypes`` in each scene, and the region, its bones expanded where a lesion expands them.

    One that finds no place beside the others is left out; RuntimeError if not even the first does: a fault of the
    generator.
    """
    placed: list[list[PlacedLesion]] = [[] for _ in scenes]
    for subtype in subtypes:
        for _ in range(_MAX_DRAWS):
            expanded, lesions = _try(rng, subtype, region, scenes, first=not placed[0])
            if all(_fits(lesion, others) for lesion, others in zip(lesions, placed, strict=True)):
                region = expanded
                for others, lesion in zip(placed, lesions, strict=True):
                    others.append(lesion)
                break
    if subtypes and not placed[0]:
        raise RuntimeError(f"no place for a lesion ({subtypes[0]}) in {_MAX_DRAWS} draws; region {region.sites}")
    return region, placed


def _try(
    rng: np.random.Generator, subtype: str, region: Region, scenes: Sequence[Scene], *, first: bool
) -> tuple[Region, list[PlacedLesion]]:
    plan = plan_lesion(rng, subtype, region, _window_mm(scenes))
    if first:  # a later expansion would move the bone under a lesion already painted
        region = _expanded(rng, region, plan)
    bone = region.bones[plan.host]
    return region, [_paint(rng, plan, scene, cast_bone(bone, scene.grid, scene.trabeculae)) for scene in scenes]


def _paint(rng: np.random.Generator, plan: LesionPlan, scene: Scene, shadow: BoneShadow) -> PlacedLesion:
    lesion: LesionShadow = PAINTERS[plan.subtype](rng, scene.grid, plan, shadow)
    change = lesion.change(shadow.attenuation).astype(np.float32)
    seen = open_field(scene.exposure, scene.grid.shape)
    mask = np.zeros_like(lesion.mask)
    mask[seen] = lesion.mask[seen]
    if not mask.any():
        return PlacedLesion(plan, change, mask, 0.0, 0.0)
    return PlacedLesion(plan, change, mask, float(np.abs(change[mask]).mean()), float(shadow.attenuation[mask].mean()))


def _fits(lesion: PlacedLesion, others: Sequence[PlacedLesion]) -> bool:
    side = np.sqrt(lesion.mask.sum()) / lesion.mask.shape[0]
    if not MIN_SIDE <= side <= MAX_SIDE or lesion.contrast < max(
        MIN_CONTRAST, MIN_CONTRAST_OF_HOST * lesion.host_level
    ):
        return False
    return not any((lesion.mask & other.mask).any() for other in others)


def _expanded(rng: np.random.Generator, region: Region, plan: LesionPlan) -> Region:
    """A cyst that fills its bone may blow it up a little."""
    if plan.subtype != "simple bone cyst":
        return region
    amount_mm = rng.uniform(0, 0.16) * plan.radii_across_mm[0]
    bones = list(region.bones)
    bones[plan.host] = bones[plan.host].expanded(plan.y_mm, 0.6 * plan.radius_along_mm, amount_mm)
    return replace(region, bones=tuple(bones))


def _window_mm(scenes: Sequence[Scene]) -> tuple[float, float]:
    tops, bottoms = zip(*((s.grid.along_mm[0, 0], s.grid.along_mm[-1, 0]) for s in scenes), strict=True)
    return float(max(tops)), float(min(bottoms))
