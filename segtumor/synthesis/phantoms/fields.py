"""Image-sized fields that phantoms are painted with: the pixel grid in mm and band-limited noise."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from segtumor.arrays import Array
from segtumor.system.opencv import cv2

#: A field of floats, (H, W) or one that broadcasts to it.
Field = Array
#: A number, or one along the limb and one across it.
Pair = float | tuple[float, float] | Array


@dataclass(frozen=True)
class Grid:
    """Where the pixels of one view lie: ``across_mm`` (1, W), x or z, and ``along_mm`` (H, 1), y, of their centres.

    World frame, mm: x to the image's right in the frontal view, y down along the limb, z forward. A frontal view shows
    (x, y) and integrates along z; a lateral view shows (z, y) and integrates along x.
    """

    view: str
    across_mm: Field
    along_mm: Field
    spacing_mm: float

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.along_mm.shape[0], self.across_mm.shape[1]

    @property
    def axes(self) -> tuple[int, int]:
        """Index of the transverse coordinate shown and of the one integrated along, in (x, z)."""
        return (0, 1) if self.view == "frontal" else (1, 0)


def make_grid(view: str, *, size_px: int, field_mm: float, center_mm: tuple[float, float]) -> Grid:
    """A square grid of ``size_px`` pixels over ``field_mm``, centred on (across, along) ``center_mm``."""
    spacing_mm = field_mm / size_px
    offsets = ((np.arange(size_px) + 0.5) * spacing_mm - field_mm / 2).astype(np.float32)
    return Grid(view, (offsets + center_mm[0])[None, :], (offsets + center_mm[1])[:, None], spacing_mm)


def blur(field: Field, sigma_px: Pair) -> Field:
    """Gaussian blur; ``sigma_px`` is a number or (along, across). A sigma near 0 leaves that axis as it is."""
    along, across = np.broadcast_to(sigma_px, 2)
    along, across = max(float(along), 1e-3), max(float(across), 1e-3)
    return cv2.GaussianBlur(field, (0, 0), sigmaX=across, sigmaY=along, borderType=cv2.BORDER_REFLECT_101)


def smooth_noise(rng: np.random.Generator, grid: Grid, sigma_mm: Pair) -> Field:
    """Noise of zero mean, unit variance and correlation length ``sigma_mm`` (a number or along, across); (H, W)."""
    return _standardize(blur(rng.standard_normal(grid.shape, dtype=np.float32), _sigma_px(grid, sigma_mm)))


def band_noise(rng: np.random.Generator, grid: Grid, fine_mm: Pair, coarse_mm: Pair) -> Field:
    """Noise between two correlation lengths (difference of Gaussians); zero mean, unit variance; (H, W)."""
    white = rng.standard_normal(grid.shape, dtype=np.float32)
    return _standardize(blur(white, _sigma_px(grid, fine_mm)) - blur(white, _sigma_px(grid, coarse_mm)))


def smooth_step(values: Any, start: Any, stop: Any) -> Any:
    """0 at ``start``, 1 at ``stop``, with horizontal tangents (cubic Hermite); ``start`` may exceed ``stop``."""
    t = np.clip((values - start) / (stop - start), 0, 1)
    return t * t * (3 - 2 * t)


def _sigma_px(grid: Grid, sigma_mm: Pair) -> Field:
    return np.broadcast_to(sigma_mm, 2) / grid.spacing_mm


def _standardize(field: Field) -> Field:
    standard: Field = (field - field.mean()) / (field.std() + 1e-6)
    return standard
