"""From attenuation to an 8-bit picture: exposure, scatter, noise, display window, collimation, marker, notice.

Everything here is drawn independently of whether there is a lesion and of its class, so none of it gives the answer
away.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from segtumor.errors import ConfigError
from segtumor.synthesis.phantoms.fields import Field, blur
from segtumor.synthesis.phantoms.glyphs import render_text
from segtumor.system.opencv import cv2

NOTICE_IN_PIXELS = "SYNTHETIC"
#: Kinds of device: a flat detector, and a film that was digitised, which is noisier, less sharp and darker.
DIGITAL, FILM = DEVICES = ("digital", "film")


@dataclass(frozen=True)
class Exposure:
    """Settings of one exposure.

    Attributes:
        photons: mean count per pixel in air; less means more noise.
        scatter: scattered over primary radiation.
        focus_px: Gaussian blur of the focal spot and detector, px of 256.
        gamma: exponent of the display curve.
        level, gain: brightness offset and contrast of the display.
        collimation: width of the dark border on the left, right, top, bottom as a share of the side; mostly 0.
        marker_corner: (row, column) 0/1 of the corner that holds the side marker.
        marker_scale: magnification of the marker.
    """

    photons: float
    scatter: float
    focus_px: float
    gamma: float
    level: float
    gain: float
    collimation: tuple[float, float, float, float]
    marker_corner: tuple[int, int]
    marker_scale: float


def sample_exposure(rng: np.random.Generator) -> Exposure:
    """Settings within what a reasonable technician would produce."""
    collimated = rng.random() < 0.35
    return Exposure(
        photons=float(np.exp(rng.uniform(np.log(9e3), np.log(5e4)))),
        scatter=rng.uniform(0.1, 0.4),
        focus_px=rng.uniform(0.35, 0.7),
        gamma=rng.uniform(0.85, 1.25),
        level=rng.uniform(-0.04, 0.05),
        gain=rng.uniform(0.85, 1.0),
        collimation=tuple(rng.uniform(0, 0.05, size=4) * collimated),
        marker_corner=(0, int(rng.integers(2))),
        marker_scale=rng.uniform(1.6, 2.4),
    )


def seen_by(device: str, exposure: Exposure) -> Exposure:
    """The same exposure taken with one of DEVICES; as it is for "digital".

    Raises:
        ConfigError: another name.
    """
    if device not in DEVICES:
        raise ConfigError("unknown device", got=device, expected=" or ".join(DEVICES))
    if device == DIGITAL:
        return exposure
    return replace(
        exposure,
        photons=exposure.photons / 12,
        scatter=exposure.scatter + 0.5,
        focus_px=exposure.focus_px + 0.9,
        gamma=exposure.gamma * 1.7,
        gain=exposure.gain * 0.75,
    )


def expose(rng: np.random.Generator, attenuation: Field, exposure: Exposure, side: str) -> NDArray[np.uint8]:
    """The picture, (H, W) uint8, bone bright, of line integrals of attenuation (0 in air), with the marker L or R."""
    unit = attenuation.shape[0] / 256
    primary = np.exp(-blur(attenuation.astype(np.float32), exposure.focus_px * unit))
    scattered = exposure.scatter * _wide_blur(primary, 24 * unit)
    signal = (primary + scattered) / (1 + exposure.scatter)
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    # Gaussian limit of Poisson noise plus a constant electronic part, the counts being in the hundreds.
    noisy = signal + np.sqrt(signal / exposure.photons + (1.5 / exposure.photons) ** 2) * noise
    density = -np.log(np.clip(noisy, 1e-4, None))
    shown = _display(density, exposure)
    shown = _collimate(shown, exposure)
    shown = _stamp_marker(shown, side, exposure)
    return np.round(255 * _stamp_notice(shown)).astype(np.uint8)


def open_field(exposure: Exposure, size_hw: tuple[int, ...]) -> tuple[slice, slice]:
    """Slices (rows, columns) of the image that the collimator leaves open."""
    height, width = size_hw
    sides = (width, width, height, height)
    left, right, top, bottom = (round(b * n) for b, n in zip(exposure.collimation, sides, strict=True))
    return slice(top, height - bottom), slice(left, width - right)


def _wide_blur(field: Field, sigma_px: float) -> Field:
    small = cv2.resize(field, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
    return cv2.resize(blur(small, sigma_px / 8), field.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _display(density: Field, exposure: Exposure) -> Field:
    low, high = np.percentile(density[::2, ::2], (1.0, 99.8))
    shown = np.clip((density - low) / (high - low), 0, 1.1) ** exposure.gamma
    displayed: Field = np.clip(0.03 + exposure.level + exposure.gain * shown, 0, 1)
    return displayed


def _collimate(shown: Field, exposure: Exposure) -> Field:
    framed = np.full_like(shown, 0.01)
    window = open_field(exposure, shown.shape)
    framed[window] = shown[window]
    return framed


def _stamp_marker(shown: Field, side: str, exposure: Exposure) -> Field:
    glyph = render_text(side, exposure.marker_scale * shown.shape[0] / 256)
    margin = round(0.06 * shown.shape[0])
    row = margin if exposure.marker_corner[0] == 0 else shown.shape[0] - margin - glyph.shape[0]
    column = margin if exposure.marker_corner[1] == 0 else shown.shape[1] - margin - glyph.shape[1]
    return _lay_over(shown, glyph, row, column, 0.97)


def _stamp_notice(shown: Field) -> Field:
    glyph = render_text(NOTICE_IN_PIXELS, max(1.0, shown.shape[0] / 256))
    return _lay_over(shown, glyph, shown.shape[0] - glyph.shape[0] - 3, 3, 0.8)


def _lay_over(shown: Field, glyph: Field, row: int, column: int, value: float) -> Field:
    out = shown.copy()
    window = np.s_[row : row + glyph.shape[0], column : column + glyph.shape[1]]
    glyph = glyph[: out[window].shape[0], : out[window].shape[1]]
    out[window] = out[window] * (1 - glyph) + value * glyph
    return out
