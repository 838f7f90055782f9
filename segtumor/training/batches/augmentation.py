"""Augmentation policies for radiographs, by name.

Policies keep anatomy plausible: no vertical flip, no large rotation. A horizontal flip also mirrors the L/R marker;
that is accepted, since no class depends on the side. One draw decides what happens to the image and to its lesions, and
boxes and labels are taken from the moved lesions afterwards, so the three cannot come apart. A file of albumentations
can take the place of a policy (``composed``).

Flip and movement are one affine matrix given to OpenCV, which polygons pass through as points; brightness, contrast,
gamma and noise are a line of NumPy each. albumentations, which does the same, took 2.4 to 5.5 times as long for the
policies ``light`` and ``radiograph`` with one mask (256 and 512 px, one thread), and seconds to be imported in every
process; it is still what blurs and erases in the policy ``strong``.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segtumor.errors import ConfigError
from segtumor.system.imports import offline_imports
from segtumor.system.opencv import cv2

_KEY = "INPUT.AUGMENTATION"
#: Motions tried for an image whose lesions all leave the view.
_TRIALS = 4
#: Nodes along each edge of the grid that bends an image.
_BEND_GRID = 4


@dataclasses.dataclass(frozen=True)
class Policy:
    """What may happen to an image. Every ``..._p`` is a probability; steps happen in the order given here.

    Attributes:
        flip_p: mirrored left to right.
        move_p: turned by up to ``degrees``, scaled by up to 1 ± ``scale``, shifted by up to ``shift`` of its width and
            height and sheared by up to ``shear_degrees``; what comes from outside the image is black.
        zoom_p: of the moved images, those enlarged by up to ``zoom`` instead, in equal ratios, about any place where
            the view stays within the image: a small lesion is learnt large too (large-scale jittering, Ghiasi et al.
            2021).
        bend_p: deformed smoothly: random shifts of up to ``bend`` of the shorter edge on a coarse grid, cubic between
            (elastic deformation as Ronneberger et al. 2015 have it). Up to 0.04 nothing folds over.
        expose_p: once for gray * (1 ± ``strength``) ± ``strength``, and once for gray to a power between
            1 - ``strength`` and 1 + 1.5 ``strength``; gray is in [0, 1].
        noise_p: Gaussian noise whose standard deviation lies in ``noise_range``, gray in [0, 1].
        degrade: function that makes an albumentations transform of the image alone, or None.
    """

    flip_p: float = 0.0
    move_p: float = 0.0
    degrees: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    shear_degrees: float = 0.0
    zoom_p: float = 0.0
    zoom: float = 1.0
    bend_p: float = 0.0
    bend: float = 0.0
    expose_p: float = 0.0
    strength: float = 0.0
    noise_p: float = 0.0
    noise_range: tuple[float, float] = (0.0, 0.0)
    degrade: Callable[[], Any] | None = None


def _blur_and_erase() -> Any:
    with offline_imports():
        import albumentations as A  # takes seconds, and only one policy needs it

    return A.Compose(
        [
            A.GaussianBlur(blur_limit=(3, 5), p=0.2),
            A.CoarseDropout(
                num_holes_range=(1, 4), hole_height_range=(0.05, 0.15), hole_width_range=(0.05, 0.15), p=0.3
            ),
        ]
    )


_STRONG = Policy(
    flip_p=0.5,
    move_p=0.9,
    degrees=15,
    scale=0.3,
    shift=0.1,
    expose_p=0.7,
    strength=0.3,
    noise_p=0.3,
    noise_range=(0.01, 0.05),
    degrade=_blur_and_erase,
)
_RADIOGRAPH = Policy(
    flip_p=0.5,
    move_p=0.7,
    degrees=10,
    scale=0.15,
    shift=0.06,
    expose_p=0.5,
    strength=0.2,
    noise_p=0.2,
    noise_range=(0.01, 0.03),
)
POLICIES = {
    "none": Policy(),
    "light": Policy(flip_p=0.5, expose_p=0.5, strength=0.1),
    "radiograph": _RADIOGRAPH,
    "strong": _STRONG,
    "zoom": dataclasses.replace(_STRONG, zoom_p=0.5, zoom=2.0),
    "elastic": dataclasses.replace(_RADIOGRAPH, shear_degrees=8, bend_p=0.5, bend=0.03),
}


class Augmentation:
    """One policy, ready to apply; raises ConfigError, which names the key ``where``, if there is none of this name."""

    def __init__(self, policy: str, *, where: str = _KEY) -> None:
        if policy not in POLICIES:
            files = ", or a .json or .yaml file of albumentations" if where == _KEY else ""
            expected = f"{', '.join(POLICIES)}{files}"
            raise ConfigError("unknown policy", where=where, got=policy, expected=expected)
        self._policy = POLICIES[policy]
        self._degrade = self._policy.degrade() if self._policy.degrade else None

    def augment(
        self,
        pixels: NDArray[np.float32],
        draw: Callable[["Motion"], NDArray[np.bool_]],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Augment a radiograph and its lesions alike.

        Args:
            pixels: (H, W) float32 in [0, 1].
            draw: gives the masks of the lesions, (L, H, W) bool, where a ``Motion`` takes them.
            rng: the same state gives the same result.

        Returns:
            pixels (H, W) float32 in [0, 1], and the masks in the same order; a lesion moved out of the image has an
            empty mask. Of an image with lesions, up to four motions are tried until one keeps a lesion in view.
        """
        for _ in range(_TRIALS):
            motion = self.draw_motion(pixels.shape, rng)
            masks = draw(motion)
            if masks.any() or not len(masks):
                break
        return self.change_gray(motion.image(pixels), rng), masks

    def draw_motion(self, size_hw: tuple[int, int], rng: np.random.Generator) -> "Motion":
        """What happens to the places of an image of ``size_hw``: a ``Motion``."""
        policy, (height, width) = self._policy, size_hw
        flip = rng.random() < policy.flip_p
        matrix = self._matrix(size_hw, rng) if rng.random() < policy.move_p else None
        if matrix is not None and flip:
            matrix = matrix @ _mirror(width)
        bend = self._bend(size_hw, rng) if policy.bend_p and rng.random() < policy.bend_p else None
        return Motion((height, width), flip, matrix, bend)

    def _matrix(self, size_hw: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
        """(2, 3) from old to new pixel centers, without a flip."""
        policy, (height, width) = self._policy, size_hw
        limits = np.array([policy.degrees, policy.scale, policy.shift, policy.shift])
        degrees, factor, right, down = rng.uniform(-1, 1, 4) * limits
        center = (width - 1) / 2, (height - 1) / 2
        if policy.zoom_p and rng.random() < policy.zoom_p:
            matrix = self._zoomed(np.array(center), degrees, rng)
        else:
            matrix = np.asarray(cv2.getRotationMatrix2D(center, float(degrees), float(1 + factor)), dtype=np.float64)
            matrix[:, 2] += right * width, down * height
        if policy.shear_degrees:  # only then a number is drawn: without shear a seed gives what it always gave
            slope = np.tan(np.radians(rng.uniform(-1, 1) * policy.shear_degrees))
            matrix = matrix @ np.array([[1, slope, -slope * center[1]], [0, 1, 0], [0, 0, 1]])
        return matrix

    def _zoomed(self, center: NDArray[np.float64], degrees: float, rng: np.random.Generator) -> NDArray[np.float64]:
        """(2, 3) that enlarges, and shows a part of the image whose middle leaves the view, unturned, within it."""
        exponent, *places = rng.uniform(size=3)
        factor = self._policy.zoom**exponent
        middle = center * (1 + (2 * np.array(places) - 1) * (1 - 1 / factor))
        matrix = np.asarray(cv2.getRotationMatrix2D(middle.tolist(), float(degrees), float(factor)), dtype=np.float64)
        matrix[:, 2] += center - middle
        return matrix

    def _bend(self, size_hw: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
        """(H, W, 2) shifts (x, y), px."""
        limit_px = self._policy.bend * min(size_hw)
        grid = rng.uniform(-limit_px, limit_px, (_BEND_GRID, _BEND_GRID, 2)).astype(np.float32)
        return np.asarray(cv2.resize(grid, size_hw[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.float32)

    def change_gray(self, pixels: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Brightness, contrast, gamma, noise and what degrades an image; (H, W) float32 in [0, 1] -> the same, new."""
        policy = self._policy
        if rng.random() < policy.expose_p:
            contrast, brightness = rng.uniform(-policy.strength, policy.strength, 2).astype(np.float32)
            pixels = _clipped(pixels * (1 + contrast) + brightness)
        if rng.random() < policy.expose_p:
            pixels = np.power(pixels, np.float32(rng.uniform(1 - policy.strength, 1 + 1.5 * policy.strength)))
        if rng.random() < policy.noise_p:
            noise = np.empty_like(pixels)
            cv2.setRNGSeed(int(rng.integers(2**31)))
            cv2.randn(noise, 0, rng.uniform(*policy.noise_range))  # type: ignore[call-overload]  # four times as quick as NumPy's
            noise += pixels
            pixels = _clipped(noise)
        if self._degrade is not None:
            self._degrade.set_random_seed(int(rng.integers(2**31)))
            degraded = self._degrade(image=pixels[..., None])["image"]
            pixels = _clipped(np.array(degraded, dtype=np.float32).reshape(pixels.shape))
        return pixels


@dataclasses.dataclass(frozen=True)
class Motion:
    """Where the places of one image go: the same for its pixels, its masks and its polygons.

    Attributes:
        size_hw: of the image before and after, px.
        flip: whether left and right change sides.
        matrix: (2, 3) from old to new pixel centers (x, y), the flip included; None where a flip is all.
        bend: (H, W, 2) where the gray of each pixel is taken from after that, as shifts (x, y) in px; None where
            nothing is bent.
    """

    size_hw: tuple[int, int]
    flip: bool
    matrix: NDArray[np.float64] | None
    bend: NDArray[np.float32] | None = None

    def image(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """(H, W) float32 -> the same, moved; linear between pixels, black outside."""
        return self._bent(self._moved(pixels, cv2.INTER_LINEAR), cv2.INTER_LINEAR)

    def mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(H, W) bool -> the same, moved; nearest pixel."""
        return self.bent(self._moved(np.ascontiguousarray(mask).view(np.uint8), cv2.INTER_NEAREST).view(bool))

    def bent(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(H, W) bool, moved but for the bend -> the same, bent; nearest pixel."""
        return self._bent(mask.view(np.uint8), cv2.INTER_NEAREST).view(bool)

    def polygon(self, polygon: ArrayLike) -> NDArray[np.float64]:
        """[x0, y0, x1, y1, ...] in px from the image's upper left corner -> (P, 2) float64 of the new places.

        But for the bend, which makes curves of straight lines: what is drawn of the polygon is to be ``bent``.
        """
        # A matrix between pixel centers lies half a pixel from one between corners.
        points = np.reshape(np.asarray(polygon, dtype=np.float64), (-1, 2))
        if self._affine is None:
            return points
        return (points - 0.5) @ self._affine[:, :2].T + (self._affine[:, 2] + 0.5)

    @functools.cached_property
    def _affine(self) -> NDArray[np.float64] | None:
        return _mirror(self.size_hw[1])[:2] if self.matrix is None and self.flip else self.matrix

    def _moved(self, plane: NDArray[Any], interpolation: int) -> NDArray[Any]:
        if self.matrix is not None:
            return cv2.warpAffine(plane, self.matrix, self.size_hw[::-1], flags=interpolation)
        return cv2.flip(plane, 1) if self.flip else plane

    def _bent(self, plane: NDArray[Any], interpolation: int) -> NDArray[Any]:
        if self.bend is None:
            return plane
        height, width = self.size_hw
        columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        return cv2.remap(plane, columns + self.bend[..., 0], rows + self.bend[..., 1], interpolation)


def _mirror(width: int) -> NDArray[np.float64]:
    """(3, 3) from pixel centers to those of the image mirrored left to right."""
    return np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])


def _clipped(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(pixels, 0, 1, out=pixels)
