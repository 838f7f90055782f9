"""Which images of a data set to look at: a few of every kind, chosen by a seed, and their pixels.

Not here: drawing them (``segtumor.reporting.pictures.contact_sheet``).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from segtumor.annotations.coco import CocoDataset
from segtumor.arrays import GrayImage
from segtumor.errors import BadImageError, DataError
from segtumor.imaging import read_radiograph
from segtumor.progress import Progress
from segtumor.structures.lesions import AnnotatedImage
from segtumor.taxonomy import NORMAL

T = TypeVar("T")

logger = logging.getLogger(__name__)


def kind_of(truth: AnnotatedImage) -> str:
    """``image_label`` of an AnnotatedImage; where there is none, whether it has a lesion."""
    label: str | None = truth.attributes.get("image_label")
    return label or ("with lesion" if truth.lesions else NORMAL)


def sample_images(
    images: Sequence[AnnotatedImage], count: int, *, seed: int = 0, only: str | None = None
) -> list[AnnotatedImage]:
    """Up to ``count`` images, as many of each kind as there are, in the order of the data set, chosen by the seed.

    ``only`` takes one kind: normal or an ``image_label``; raises DataError if no image is of it.
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


def evenly_spaced(items: Iterable[T], count: int) -> list[T]:
    """At most ``count`` of ``items``, from the first to the last."""
    items = list(items)
    if len(items) <= count:
        return items
    return [items[index] for index in np.linspace(0, len(items) - 1, count).round().astype(int)]


def read_sample(
    parts: Mapping[str, CocoDataset], count: int, *, seed: int, only: str | None = None, progress: Progress = iter
) -> list[tuple[AnnotatedImage, GrayImage | None]]:
    """(AnnotatedImage, pixels) of a sample, as ``sample_images``; None of an unreadable file, which is logged."""
    roots = {image.file_name: d.image_root for d in parts.values() for image in d.annotated_images}
    images = list({image.file_name: image for d in parts.values() for image in d.annotated_images}.values())
    examples: list[tuple[AnnotatedImage, GrayImage | None]] = []
    for truth in progress(sample_images(images, count, seed=seed, only=only)):
        try:
            examples.append((truth, read_radiograph(roots[truth.file_name] / truth.file_name).pixels))
        except BadImageError as error:
            logger.warning("%s", error)
            examples.append((truth, None))
    return examples
