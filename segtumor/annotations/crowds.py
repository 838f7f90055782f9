"""Crowd regions of COCO (``iscrowd`` 1): how many there are, and which images hold nothing else.

COCO means a region of many objects that nobody outlined one by one. Training takes none of them as a lesion, and
evaluation counts what is found there neither as right nor as wrong. Drawing tools mean something else: every mask that
CVAT and others export as a run-length code is called a crowd, though it is one lesion. Not here: taking them as lesions
(``segtumor.annotations.repair``).
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

CROWDS_AS_LESIONS = "--crowds-as-lesions"


class Crowds(NamedTuple):
    """What is crowds in a set of images.

    Attributes:
        n_regions: crowd regions.
        n_lesions: all other regions.
        images: file names of the images that hold any, in their order.
        only: file names of the images that hold crowds and no lesion.
    """

    n_regions: int
    n_lesions: int
    images: tuple[str, ...]
    only: tuple[str, ...]

    @property
    def all_regions(self) -> bool:
        """Whether there are regions and every one is a crowd, so that there is nothing to learn or to find."""
        return self.n_regions > 0 and self.n_lesions == 0

    @property
    def sentence(self) -> str:
        """What a user must know of them; empty where there are none."""
        if not self.n_regions:
            return ""
        total = self.n_regions + self.n_lesions
        return (
            f"{self.n_regions} of {total} regions, in {len(self.images)} images, are crowds (iscrowd 1): neither "
            f"trained on nor counted as lesions; {len(self.only)} images hold crowds only"
        )


def is_crowd(annotation: Mapping[str, Any]) -> bool:
    """Whether a COCO annotation, or a record's, is a crowd region; a missing ``iscrowd`` is 0."""
    return annotation.get("iscrowd", 0) == 1


def count_crowds(regions_of_image: Iterable[tuple[str, Iterable[Mapping[str, Any]]]]) -> Crowds:
    """Crowds of (file name, annotations of the image) pairs."""
    n_regions, n_lesions, images, only = 0, 0, [], []
    for name, annotations in regions_of_image:
        flags = [is_crowd(annotation) for annotation in annotations]
        n_regions += sum(flags)
        n_lesions += len(flags) - sum(flags)
        if any(flags):
            images.append(name)
        if flags and all(flags):
            only.append(name)
    return Crowds(n_regions, n_lesions, tuple(images), tuple(only))
