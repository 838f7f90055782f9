"""Augmentation policies for radiographs, by name, on albumentations.

Policies keep anatomy plausible: no vertical flip, no large rotation. A horizontal flip also mirrors the L/R marker;
that is accepted, since no class depends on the side. Masks travel through the same transforms as the image, and boxes
and labels are taken from the masks afterwards, so the three cannot come apart.
"""

import os

import numpy as np

from segtumor.errors import ConfigError

# albumentations asks the package index for its newest version when it is imported, unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A


def _flip():
    return [A.HorizontalFlip(p=0.5)]


def _move(degrees, scale, shift, p):
    return [
        A.Affine(
            rotate=(-degrees, degrees),
            scale=(1 - scale, 1 + scale),
            translate_percent=(-shift, shift),
            keep_ratio=True,
            p=p,
        )
    ]


def _expose(strength, p):
    return [
        A.RandomBrightnessContrast(brightness_limit=strength, contrast_limit=strength, p=p),
        A.RandomGamma(gamma_limit=(100 - 100 * strength, 100 + 150 * strength), p=p),
    ]


#: Policy -> its transforms, for images of float32 in [0, 1].
POLICIES = {
    "none": list,
    "light": lambda: [*_flip(), *_expose(0.1, 0.5)],
    "radiograph": lambda: [
        *_flip(),
        *_move(10, 0.15, 0.06, 0.7),
        *_expose(0.2, 0.5),
        A.GaussNoise((0.01, 0.03), p=0.2),
    ],
    "strong": lambda: [
        *_flip(),
        *_move(15, 0.3, 0.1, 0.9),
        *_expose(0.3, 0.7),
        A.GaussNoise(std_range=(0.01, 0.05), p=0.3),
        A.GaussianBlur(blur_limit=(3, 5), p=0.2),
        A.CoarseDropout(num_holes_range=(1, 4), hole_height_range=(0.05, 0.15), hole_width_range=(0.05, 0.15), p=0.3),
    ],
}


class Augmentation:
    """One policy, ready to apply.

    Args:
        policy: a name of ``POLICIES``.

    Raises:
        ConfigError: no such policy.
    """

    def __init__(self, policy):
        if policy not in POLICIES:
            raise ConfigError("unknown policy", where="INPUT.AUGMENTATION", got=policy, expected=", ".join(POLICIES))
        transforms = POLICIES[policy]()
        self._pipeline = A.Compose(transforms) if transforms else None

    def __call__(self, pixels, masks, rng):
        """Augment a radiograph and its lesions alike.

        Args:
            pixels: (H, W) float32 in [0, 1].
            masks: list of (H, W) bool, one per lesion.
            rng: numpy Generator; the same state gives the same result.

        Returns:
            pixels (H, W) float32 in [0, 1], and the masks in the same order; a lesion moved out of the image has an
            empty mask.
        """
        if self._pipeline is None:
            return pixels, masks
        self._pipeline.set_random_seed(int(rng.integers(2**31)))
        planes = {"masks": [mask.astype(np.uint8) for mask in masks]} if masks else {}
        result = self._pipeline(image=pixels[..., None], **planes)
        moved = [np.asarray(mask).reshape(pixels.shape).astype(bool) for mask in result.get("masks", [])]
        image = np.asarray(result["image"], dtype=np.float32).reshape(pixels.shape)
        return np.clip(image, 0, 1), moved
