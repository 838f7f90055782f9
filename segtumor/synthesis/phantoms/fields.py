"""Image-sized fields that phantoms are painted with: the pixel grid in mm and band-limited noise."""

from dataclasses import dataclass

import numpy as np

from segtumor.system.opencv import cv2


@dataclass(frozen=True)
class Grid:
    """Where the pixels of one view lie.

    World frame, mm: x to the image's right in the frontal view, y down along the limb, z forward. A frontal view
    shows (x, y) and integrates along z; a lateral view shows (z, y) and integrates along x.

    Attributes:
        view: "frontal" or "lateral".
        across_mm: (1, W) float32, x or z of the pixel centres.
        along_mm: (H, 1) float32, y of the pixel centres.
        spacing_mm: side of a pixel.
    """

    view: str
    across_mm: np.ndarray
    along_mm: np.ndarray
    spacing_mm: float

    @property
    def shape(self):
        """(H, W)."""
        return self.along_mm.shape[0], self.across_mm.shape[1]

    @property
    def axes(self):
        """Index of the transverse coordinate shown and of the one integrated along, in (x, z)."""
        return (0, 1) if self.view == "frontal" else (1, 0)


def make_grid(view, *, size_px, field_mm, center_mm):
    """A square grid of ``size_px`` pixels over ``field_mm``, centred on (across, along) ``center_mm``."""
    spacing_mm = field_mm / size_px
    offsets = ((np.arange(size_px) + 0.5) * spacing_mm - field_mm / 2).astype(np.float32)
    return Grid(view, (offsets + center_mm[0])[None, :], (offsets + center_mm[1])[:, None], spacing_mm)


def blur(field, sigma_px):
    """Gaussian blur; ``sigma_px`` is a number or (along, across). A sigma near 0 leaves that axis as it is."""
    along, across = np.broadcast_to(sigma_px, 2)
    along, across = max(float(along), 1e-3), max(float(across), 1e-3)
    return cv2.GaussianBlur(field, (0, 0), sigmaX=across, sigmaY=along, borderType=cv2.BORDER_REFLECT_101)


def smooth_noise(rng, grid, sigma_mm):
    """Noise of zero mean, unit variance and correlation length ``sigma_mm`` (a number or along, across); (H, W)."""
    return _standardize(blur(rng.standard_normal(grid.shape, dtype=np.float32), _sigma_px(grid, sigma_mm)))


def band_noise(rng, grid, fine_mm, coarse_mm):
    """Noise between two correlation lengths (difference of Gaussians); zero mean, unit variance; (H, W)."""
    white = rng.standard_normal(grid.shape, dtype=np.float32)
    return _standardize(blur(white, _sigma_px(grid, fine_mm)) - blur(white, _sigma_px(grid, coarse_mm)))


def smooth_step(values, start, stop):
    """0 at ``start``, 1 at ``stop``, with horizontal tangents (cubic Hermite); ``start`` may exceed ``stop``."""
    t = np.clip((values - start) / (stop - start), 0, 1)
    return t * t * (3 - 2 * t)


def _sigma_px(grid, sigma_mm):
    return np.broadcast_to(sigma_mm, 2) / grid.spacing_mm


def _standardize(field):
    return (field - field.mean()) / (field.std() + 1e-6)
