"""Phantom cases: one anatomy, its lesions, two views. ``make_phantoms`` yields them, each from its own seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtumor.arrays import Mask
from segtumor.synthesis.phantoms.acquisition import DIGITAL, expose, sample_exposure, seen_by
from segtumor.synthesis.phantoms.anatomy import cast_bone, cast_ossicle, cast_soft_tissue
from segtumor.synthesis.phantoms.fields import Grid, band_noise, make_grid, smooth_noise
from segtumor.synthesis.phantoms.placement import PlacedLesion, Scene, place_lesions
from segtumor.synthesis.phantoms.planning import SUBTYPES_OF_LABEL
from segtumor.synthesis.phantoms.regions import Region, sample_region
from segtumor.taxonomy import BENIGN, MALIGNANT, NORMAL

#: Of every ten cases in sequence; the order within ten is drawn, but the first three are one of each.
LABELS_OF_TEN = (NORMAL, BENIGN, MALIGNANT, NORMAL, NORMAL, NORMAL, BENIGN, BENIGN, MALIGNANT, MALIGNANT)
VIEWS = ("frontal", "lateral")
SECOND_LESION_RATE = 1 / 6  # of the 60% with a lesion: a tenth of all cases


@dataclass(frozen=True)
class PhantomLesion:
    """A lesion as seen in one view: its true extent, and the mean absolute change of attenuation there."""

    label: str
    subtype: str
    mask: Mask
    contrast: float


@dataclass(frozen=True)
class PhantomView:
    """One picture: (H, W) uint8 ``pixels``, ``spacing_mm`` (row, column), ``view`` frontal or lateral, its lesions."""

    view: str
    pixels: NDArray[np.uint8]
    spacing_mm: tuple[float, float]
    lesions: tuple[PhantomLesion, ...]


@dataclass(frozen=True)
class PhantomCase:
    """One synthetic patient's study, "phantom00001"; frontal and lateral view, sites in BTXRD's words.

    ``image_label`` is "normal", "benign" or "malignant", the same in both views.
    """

    case_id: str
    image_label: str
    age: int
    sex: str
    site: tuple[str, ...]
    views: tuple[PhantomView, ...]


def make_phantoms(count_cases: int, seed: int, size_px: int = 256, *, device: str = DIGITAL) -> Iterator[PhantomCase]:
    """Yield ``count_cases`` cases; case i depends on ``seed``, ``size_px``, ``device`` and i alone, not the count."""
    for index in range(count_cases):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
        label = label_of_case(seed, index)
        yield make_case(rng, case_number=index + 1, size_px=size_px, image_label=label, device=device)


def make_case(
    rng: np.random.Generator,
    *,
    case_number: int,
    size_px: int = 256,
    image_label: str | None = None,
    device: str = DIGITAL,
) -> PhantomCase:
    """One case, numbered from 1, on square pictures of at least 64 px; without a label it is drawn, 40 : 30 : 30.

    Another device (``acquisition.DEVICES``) shows the same body with the same lesions.
    """
    image_label = image_label or str(rng.choice(LABELS_OF_TEN))
    # Separate streams: the same generator state with another label gives the same body, marker, exposure and noise,
    # so that nothing but the lesion distinguishes the classes.
    body, lesion, *takes = (np.random.default_rng(seed) for seed in rng.integers(2**63, size=2 + len(VIEWS)))
    region = sample_region(body)
    side, sex = "LR"[body.integers(2)], "MF"[body.integers(2)]
    age = _age(body, image_label)
    grids = _sample_grids(body, region, size_px)
    scenes = [
        Scene(
            grid, trabeculae=band_noise(take, grid, (0.9, 0.35), 2.2), exposure=seen_by(device, sample_exposure(take))
        )
        for grid, take in zip(grids, takes, strict=True)
    ]
    region, lesions = place_lesions(lesion, _sample_subtypes(lesion, image_label), region, scenes)
    views = tuple(
        _photograph(take, region, scene, seen, image_label, side)
        for take, scene, seen in zip(takes, scenes, lesions, strict=True)
    )
    return PhantomCase(f"phantom{case_number:05d}", image_label, age, sex, region.sites, views)


def label_of_case(seed: int, index: int) -> str:
    """Label of the case at ``index`` (from 0): 4 : 3 : 3 in every ten, one of each among the first three."""
    tens, position = divmod(index, len(LABELS_OF_TEN))
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(tens, 0)))
    order = np.concatenate([rng.permutation(3), 3 + rng.permutation(len(LABELS_OF_TEN) - 3)])
    return LABELS_OF_TEN[order[position]]


def _age(rng: np.random.Generator, image_label: str) -> int:
    mean = {NORMAL: 42, BENIGN: 34, MALIGNANT: 38}[image_label]
    return int(np.clip(round(rng.normal(mean, 15)), 18, 88))


def _sample_grids(rng: np.random.Generator, region: Region, size_px: int) -> tuple[Grid, ...]:
    shift = 0.04 * region.field_mm
    return tuple(
        make_grid(
            view,
            size_px=size_px,
            field_mm=region.field_mm * rng.uniform(0.97, 1.03),
            center_mm=(rng.uniform(-shift, shift), region.center_y_mm + rng.uniform(-shift, shift)),
        )
        for view in VIEWS
    )


def _sample_subtypes(rng: np.random.Generator, image_label: str) -> tuple[str, ...]:
    if image_label == NORMAL:
        return ()
    count = 2 if rng.random() < SECOND_LESION_RATE else 1
    return (str(rng.choice(SUBTYPES_OF_LABEL[image_label])),) * count


def _photograph(
    rng: np.random.Generator, region: Region, scene: Scene, lesions: Sequence[PlacedLesion], image_label: str, side: str
) -> PhantomView:
    grid = scene.grid
    attenuation = cast_soft_tissue(region.envelope, grid, smooth_noise(rng, grid, 6.0))
    for bone in region.bones:
        attenuation = attenuation + cast_bone(bone, grid, scene.trabeculae).attenuation
    for ossicle in region.ossicles:
        attenuation = attenuation + cast_ossicle(ossicle, grid, scene.trabeculae)
    for lesion in lesions:
        attenuation = attenuation + lesion.change
    pixels = expose(rng, attenuation, scene.exposure, side)
    seen = tuple(PhantomLesion(image_label, item.plan.subtype, item.mask, item.contrast) for item in lesions)
    return PhantomView(grid.view, pixels, (grid.spacing_mm, grid.spacing_mm), seen)
