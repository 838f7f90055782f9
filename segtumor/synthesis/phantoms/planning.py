"""Where lesions sit and how large they are: plans only. How they look is in ``benign`` and ``malignant``."""

import numpy as np

from segtumor.arrays import Floats
from segtumor.synthesis.phantoms.anatomy import Bone
from segtumor.synthesis.phantoms.benign import paint_cyst, paint_exostosis, paint_fibroma
from segtumor.synthesis.phantoms.lesions import LesionPlan
from segtumor.synthesis.phantoms.malignant import paint_osteosarcoma, paint_permeative
from segtumor.synthesis.phantoms.regions import Region
from segtumor.taxonomy import BENIGN, MALIGNANT, SUBTYPE_ENTITY

PAINTERS = {
    "simple bone cyst": paint_cyst,
    "osteofibroma": paint_fibroma,
    "osteochondroma": paint_exostosis,
    "osteosarcoma": paint_osteosarcoma,
    "other mt": paint_permeative,
}
SUBTYPES_OF_LABEL = {
    BENIGN: ("simple bone cyst", "osteofibroma", "osteochondroma"),
    MALIGNANT: ("osteosarcoma", "other mt"),
}


def plan_lesion(rng: np.random.Generator, subtype: str, region: Region, window_mm: tuple[float, float]) -> LesionPlan:
    """A plan for one lesion, a key of ``PAINTERS``, in the y range (top, bottom) seen in both views.

    Whether it can be seen is for the caller to check.
    """
    host = int(rng.choice(region.hosts))
    bone = region.bones[host]
    y_mm = _height(rng, bone, window_mm, region.field_mm)
    widths = np.array([float(bone.half_width_at(y_mm, axis)) for axis in (0, 1)])
    if subtype == "osteochondroma":
        return _plan_exostosis(rng, host, bone, y_mm, widths, region.field_mm)
    return _plan_intraosseous(rng, subtype, host, y_mm, widths, region.field_mm)


def _plan_intraosseous(
    rng: np.random.Generator, subtype: str, host: int, y_mm: float, widths: Floats, field_mm: float
) -> LesionPlan:
    eccentric = subtype == "osteofibroma"
    size_mm = rng.uniform(0.105, 0.22) * field_mm  # square root of the area, about 27-56 px of 256
    malignant = SUBTYPE_ENTITY[subtype] == MALIGNANT
    share = rng.uniform(0.5, 0.7) if eccentric else rng.uniform(0.72, 0.95)
    across = np.clip((1.45 if malignant else share) * widths, None, (0.7 if malignant else 0.62) * size_mm)
    along = np.clip(size_mm**2 / (np.pi * np.minimum(across, widths).mean()), 0.9 * across.max(), 2.6 * across.max())
    azimuth = _oblique(rng)
    aim = np.array([np.cos(azimuth), np.sin(azimuth)])
    offset = aim * np.clip(widths - across, 0, None) * (0.8 if eccentric else rng.uniform(0, 0.8))
    if malignant:  # against the cortex on one side, and through it
        offset = np.sign(aim) * np.clip(widths - 0.75 * across, 0, None)
    return LesionPlan(subtype, host, y_mm, tuple(offset), float(along), tuple(across), azimuth, rng.random())


def _plan_exostosis(
    rng: np.random.Generator, host: int, bone: Bone, y_mm: float, widths: Floats, field_mm: float
) -> LesionPlan:
    azimuth = _oblique(rng)
    aim = np.array([np.cos(azimuth), np.sin(azimuth)])
    size_mm = rng.uniform(0.11, 0.18) * field_mm
    radius = float(np.clip(0.5 * size_mm, None, 1.1 * widths.mean()))
    return LesionPlan(
        "osteochondroma", host, y_mm, tuple(0.85 * widths * aim), size_mm, (radius, radius), azimuth, rng.random(),
        away_from_joint=1 if bone.joint is None or not bone.joint.down else -1,
    )  # fmt: skip


def _height(rng: np.random.Generator, bone: Bone, window_mm: tuple[float, float], field_mm: float) -> float:
    """Mostly well inside the window; now and then so near its end that the image cuts the lesion."""
    top, bottom = window_mm
    margin = (-0.02 if rng.random() < 0.12 else 0.13) * field_mm
    ends = [top + margin, bottom - margin]
    if bone.joint is not None:
        clearance = 0.1 * field_mm
        ends[bone.joint.down] = bone.joint.y_mm + (-clearance if bone.joint.down else clearance)
    return float(rng.uniform(min(ends), max(ends)))


def _oblique(rng: np.random.Generator) -> float:
    """A direction seen from the side in both views: 45 degrees off the axes, give or take 20."""
    return float(np.pi / 4 + rng.integers(4) * np.pi / 2 + rng.uniform(-0.35, 0.35))
