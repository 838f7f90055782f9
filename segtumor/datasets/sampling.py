"""Which images of a data set to look at: a few of every kind, chosen by a seed.

Not here: drawing them (``segtumor.reporting.pictures.contact_sheet``).
"""

from collections.abc import Sequence

import numpy as np

from segtumor.errors import DataError
from segtumor.structures.lesions import AnnotatedImage
from segtumor.taxonomy import NORMAL


def kind_of(truth: AnnotatedImage) -> str:
    """``image_label`` of an AnnotatedImage; where there is none, whether it has a lesion."""
    label: str | None = truth.attributes.get("image_label")
    return label or ("with lesion" if truth.lesions else NORMAL)


def sample_images(
    images: Sequence[AnnotatedImage], count: int, *, seed: int = 0, only: str | None = None
) -> list[AnnotatedImage]:
    """Up to ``count`` images, as many of each kind as there are, in the order of the data set.

    Args:
        images: AnnotatedImages.
        count: int > 0.
        seed: of the choice; the same seed chooses the same images.
        only: a kind (normal, benign, malignant) or a class name; None takes all.

    Returns:
        list of AnnotatedImage.

    Raises:
        DataError: no image is of the kind asked for.
    """
    by_kind: dict[str, list[int]] = {}
    for index, image in enumerate(images):
        if only in (None, kind_of(image)):
            by_kind.setdefault(kind_of(image), []).append(index)
    if not by_kind:
        kinds = sorted({kind_of(image) for image in images})
        raise DataError("no image of this kind", where="--only", got=only, expected=", ".join(kinds))
    rng = np.random.default_rng(seed)
    waiting = [rng.permutation(indices).tolist() for _, indices in sorted(by_kind.items())]
    chosen: list[int] = []
    while len(chosen) < count and any(waiting):
        chosen += [indices.pop() for indices in waiting if indices]
    return [images[index] for index in sorted(chosen[:count])]
