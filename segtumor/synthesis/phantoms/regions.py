"""The body regions that phantoms show: which bones, where, how large, and where a lesion may sit. Lengths in mm.

Right limb in the frontal view as one looks at it: lateral is to the image's left; ``mirrored`` makes it a left one.
Skeletally mature only: there are no growth plates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from segtumor.synthesis.phantoms.anatomy import Bone, Joint, Ossicle

#: (x, z), mm.
Point = tuple[float, float]


@dataclass(frozen=True)
class Region:
    """One exposure's worth of anatomy.

    Attributes:
        sites: names of the site in BTXRD's vocabulary.
        hosts: indices into ``bones`` of those that may carry a lesion.
        field_mm: side of the square image.
        center_y_mm: y of the image's centre.
    """

    sites: tuple[str, ...]
    bones: tuple[Bone, ...]
    hosts: tuple[int, ...]
    ossicles: tuple[Ossicle, ...]
    envelope: Bone
    field_mm: float
    center_y_mm: float


def sample_region(rng: np.random.Generator) -> Region:
    """A region, its size and slant drawn from ``rng``; either side of the body."""
    region = REGION_MAKERS[rng.integers(len(REGION_MAKERS))](rng)
    return _mirrored(region) if rng.random() < 0.5 else region


def _knee(rng: np.random.Generator) -> Region:
    k, lean = rng.uniform(0.9, 1.08), rng.uniform(-0.05, 0.05)
    femur = _long_bone(
        "femur", k, (0, 0), (0.06 + lean, rng.uniform(-0.06, 0.06)), Joint(-3, True, ("condyle", "round")),
        (0, 5, 14, 30, 50, 85, 140), ((31, 24), (37, 29), (39, 31), (38, 29), (26, 20), (17, 15), (14, 14)),
        (0.9, 0.9, 0.9, 1.0, 1.6, 3.5, 5.5), (0.95, 0.95, 0.9, 0.8, 0.65, 0.35, 0.2))  # fmt: skip
    tibia = _long_bone(
        "tibia", k, (0, -2), (lean, rng.uniform(-0.05, 0.05)), Joint(3, False, ("plateau", "flat")),
        (0, 4, 14, 35, 60, 100, 140), ((34, 22), (37, 25), (37, 25), (28, 21), (19, 17), (14, 15), (12.5, 14)),
        (0.9, 0.9, 0.9, 1.2, 2.2, 4, 5), (0.95, 0.95, 0.9, 0.75, 0.55, 0.3, 0.2))  # fmt: skip
    fibula = _long_bone(
        "fibula", k, (-34, -18), (0.07 + lean, 0.02), Joint(17, False, ("round", "round")),
        (0, 6, 16, 32, 60, 140), ((6, 6), (10, 10), (10, 10), (6.5, 7), (5.5, 6), (5.5, 6)),
        (0.8, 0.8, 0.9, 1.4, 2, 2.4), (0.8, 0.8, 0.7, 0.5, 0.3, 0.2))  # fmt: skip
    patella = Ossicle((0, -22 * k, 41 * k), (20 * k, 21 * k, 9.5 * k))
    flesh = _tube("knee", rng, (0, 0), (-140, -60, 0, 60, 140), ((72, 74), (62, 62), (57, 58), (54, 58), (52, 58)))
    return Region(("femur", "tibia", "knee-joint"), (femur, tibia, fibula), (0, 0, 1, 1), (patella,), flesh,
                  rng.uniform(175, 215), rng.uniform(-22, 22))  # fmt: skip


def _thigh(rng: np.random.Generator) -> Region:
    k = rng.uniform(0.92, 1.08)
    femur = _long_bone(
        "femur", k, (0, 0), (rng.uniform(-0.12, 0.12), rng.uniform(-0.1, 0.1)), None,
        (-150, -60, 0, 60, 150), ((17, 16), (14.5, 14.5), (14, 14), (14.5, 14.5), (17, 16)),
        (5, 6.5, 7, 6.5, 5), (0.35, 0.25, 0.2, 0.25, 0.35))  # fmt: skip
    flesh = _tube("thigh", rng, (0, -4), (-150, 0, 150), ((78, 78), (72, 72), (64, 66)))
    return Region(("femur",), (femur,), (0,), (), flesh, rng.uniform(140, 180), rng.uniform(-30, 30))


def _lower_leg(rng: np.random.Generator) -> Region:
    k, lean = rng.uniform(0.92, 1.08), rng.uniform(-0.06, 0.06)
    tibia = _long_bone(
        "tibia", k, (8, 4), (lean, rng.uniform(-0.06, 0.06)), None,
        (-150, -60, 0, 60, 150), ((17, 18), (13.5, 15), (12.5, 14), (12, 13), (14, 13)),
        (4, 5.5, 6, 5.5, 4), (0.4, 0.25, 0.2, 0.25, 0.4))  # fmt: skip
    fibula = _long_bone(
        "fibula", k, (-21, -12), (lean + 0.02, rng.uniform(-0.04, 0.04)), None,
        (-150, 0, 150), ((6.5, 7), (6, 6.5), (7, 7)), (2, 2.6, 2.2), (0.3, 0.25, 0.3))  # fmt: skip
    flesh = _tube(
        "lower leg", rng, (-2, -12), (-150, -60, 0, 60, 150), ((54, 60), (53, 58), (47, 50), (40, 42), (34, 38))
    )
    return Region(
        ("tibia", "fibula"), (tibia, fibula), (0, 0, 1), (), flesh, rng.uniform(120, 160), rng.uniform(-35, 35)
    )


def _shoulder(rng: np.random.Generator) -> Region:
    k = rng.uniform(0.92, 1.08)
    humerus = _long_bone(
        "humerus", k, (0, 0), (rng.uniform(-0.14, 0.02), rng.uniform(-0.08, 0.08)),
        Joint(-40, False, ("round", "round")),
        (0, 6, 18, 32, 55, 90, 140), ((17, 16), (23, 21), (25, 23), (23, 21), (15, 14.5), (12, 12), (11.5, 11.5)),
        (0.9, 0.9, 0.9, 1.1, 2.4, 4.2, 4.5), (0.95, 0.95, 0.85, 0.7, 0.45, 0.25, 0.2))  # fmt: skip
    glenoid = Ossicle((39 * k, -16 * k, -6), (12, 21, 9))
    acromion = Ossicle((30 * k, -50 * k, -4), (38, 5, 11))
    flesh = _tube("arm", rng, (6, 0), (-120, -50, 0, 50, 130), ((86, 66), (66, 56), (48, 46), (42, 42), (38, 40)))
    return Region(("humerus", "shoulder-joint"), (humerus,), (0,), (glenoid, acromion), flesh,
                  rng.uniform(130, 165), rng.uniform(-2, 26))  # fmt: skip


def _wrist(rng: np.random.Generator) -> Region:
    k, lean = rng.uniform(0.92, 1.08), rng.uniform(-0.07, 0.07)
    radius = _long_bone(
        "radius", k, (-9, 0), (-0.03 + lean, rng.uniform(-0.06, 0.06)), Joint(20, True, ("flat", "round")),
        (0, 4, 12, 26, 50, 100), ((13, 9), (15, 11), (15, 11), (11, 9), (7.5, 7), (7.5, 7)),
        (0.7, 0.7, 0.7, 1.1, 2.2, 2.8), (1.3, 1.3, 1.2, 1.0, 0.6, 0.4))  # fmt: skip
    ulna = _long_bone(
        "ulna", k, (15, -3), (0.03 + lean, rng.uniform(-0.04, 0.04)), Joint(16, True, ("round", "round")),
        (0, 4, 10, 24, 50, 100), ((6, 6), (8, 8), (8, 8), (6.2, 6.2), (6.5, 6.5), (7.5, 7.5)),
        (0.7, 0.7, 0.8, 1.4, 2.2, 2.6), (1.5, 1.5, 1.3, 0.9, 0.5, 0.4))  # fmt: skip
    flesh = _tube("wrist", rng, (1, 0), (-80, -30, 20, 50, 90), ((34, 27), (31, 24), (29, 20), (34, 18), (40, 17)))
    return Region(("radius", "wrist-joint"), (radius, ulna, *_metacarpals(k)), (0,), _carpals(rng, k), flesh,
                  rng.uniform(92, 115), rng.uniform(2, 16))  # fmt: skip


def _carpals(rng: np.random.Generator, k: float) -> tuple[Ossicle, ...]:
    near = [((-15, 29, 3), (7.5, 7, 6)), ((-2, 28, -1), (6.5, 6.5, 7)), ((10, 29, -3), (6.5, 6.5, 6))]
    far = [
        ((-21, 41, 7), (6, 6, 5)),
        ((-11, 40, 2), (5.5, 6, 6)),
        ((1, 40, -2), (6.5, 7.5, 8)),
        ((13, 40, -1), (6.5, 6.5, 7)),
    ]
    shift = rng.uniform(-0.7, 0.7, size=(len(near) + len(far), 2))
    return tuple(
        Ossicle((x * k + dx, y * k + dy, z * k), (a * k, b * k, c * k))
        for ((x, y, z), (a, b, c)), (dx, dy) in zip(near + far, shift, strict=True)
    )


def _metacarpals(k: float) -> tuple[Bone, ...]:
    starts = ((-27, 46, -0.45), (-14, 48, -0.12), (-3, 48, -0.02), (7, 48, 0.08), (17, 48, 0.2))
    knots, widths = (0, 3, 9, 20, 60), ((4, 4), (6, 5.5), (5.5, 5), (3.8, 3.8), (4, 4))
    return tuple(
        _long_bone("metacarpal", k, (x, 0), (slope, 0.05), Joint(y, False, ("round", "round")),
                   knots, widths, (0.7, 0.7, 0.8, 1.3, 1.5), (1.4, 1.4, 1.2, 0.7, 0.5))
        for x, y, slope in starts
    )  # fmt: skip


def _long_bone(
    name: str,
    scale: float,
    center: Point,
    slope: Point,
    joint: Joint | None,
    knots: Sequence[float],
    widths: Sequence[Point],
    cortex: Sequence[float],
    density: tuple[float, ...],
) -> Bone:
    return Bone(
        name=name,
        center_mm=(center[0] * scale, center[1] * scale),
        slope=slope,
        knots_mm=tuple(k * scale for k in knots),
        half_widths_mm=tuple((x * scale, z * scale) for x, z in widths),
        cortex_mm=tuple(c * scale for c in cortex),
        density=density,
        joint=replace(joint, y_mm=joint.y_mm * scale) if joint else None,
    )


def _tube(
    name: str, rng: np.random.Generator, center: Point, knots: tuple[float, ...], widths: Sequence[Point]
) -> Bone:
    k, fat = rng.uniform(0.88, 1.12), rng.uniform(3, 8)
    widths = tuple((x * k, z * k) for x, z in widths)
    return Bone(name, center, (rng.uniform(-0.04, 0.04), 0.0), knots, widths, (fat,) * len(knots), (0.0,) * len(knots))


def _mirrored(region: Region) -> Region:
    def flip(bone: Bone) -> Bone:
        return replace(bone, center_mm=(-bone.center_mm[0], bone.center_mm[1]), slope=(-bone.slope[0], bone.slope[1]))

    ossicles = tuple(replace(o, center_mm=(-o.center_mm[0], *o.center_mm[1:])) for o in region.ossicles)
    bones = tuple(flip(bone) for bone in region.bones)
    return replace(region, bones=bones, ossicles=ossicles, envelope=flip(region.envelope))


REGION_MAKERS = (_knee, _knee, _thigh, _lower_leg, _shoulder, _wrist)
