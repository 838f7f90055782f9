"""Regions of a data set that are no single, outlined lesion: crowds, and boxes alone; in words that all commands share.

COCO means by a crowd (``iscrowd`` 1) a region of many objects that nobody outlined one by one. Training takes none of
them as a lesion, and evaluation counts what is found there neither as right nor as wrong. Drawing tools mean something
else: every mask that CVAT and others export as a run-length code is called a crowd, though it is one lesion. A lesion
without an outline has only a box: a mask model cannot be trained on it. Not here: what is wrong with an outline that is
there (``segmentations``), and taking crowds as lesions (``repair``).
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Annotation = Mapping[str, Any]
#: (file name, annotations of the image) pairs.
RegionsOfImages = Iterable[tuple[str, Iterable[Annotation]]]

#: The option of ``data convert`` and ``data check --fix`` that takes each crowd region as one lesion.
CROWDS_AS_LESIONS = "--crowds-as-lesions"
#: The option of both that makes outlines of boxes.
BOXES_AS_MASKS = "--boxes-as-masks"
BOXES_REMEDY = f"Outline the lesions, or make each box its own outline: `segtumor data convert` with {BOXES_AS_MASKS}"


class Crowds(NamedTuple):
    """What is crowds in a set of images: ``images`` hold any, by file name, ``only`` nothing else."""

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


def is_crowd(annotation: Annotation) -> bool:
    """Whether a COCO annotation, or a record's, is a crowd region; a missing ``iscrowd`` is 0."""
    return bool(annotation.get("iscrowd", 0) == 1)


def count_crowds(regions_of_image: RegionsOfImages) -> Crowds:
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


def has_outline(annotation: Annotation) -> bool:
    """Whether an annotation has a segmentation that holds anything, sound or not.

    Tools write none in many ways: no key, null, "", [], [[]], {} and {"counts": ""}.
    """
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        return bool(segmentation.get("counts", "size" in segmentation))
    if isinstance(segmentation, list):
        return any(polygon not in ([], None, {}, "") for polygon in segmentation)
    return segmentation not in (None, "")


def counted_regions(annotations: Iterable[Any]) -> str:
    """``5 lesions``, with the boxes and crowds among COCO entries, sound or not, in the same words everywhere."""
    crowds = [isinstance(entry, dict) and is_crowd(entry) for entry in annotations]
    boxes = sum(
        not crowd and isinstance(entry, dict) and not has_outline(entry)
        for entry, crowd in zip(annotations, crowds, strict=True)
    )
    text = f"{len(crowds) - sum(crowds)} lesions" + (f" ({boxes} of them boxes without an outline)" if boxes else "")
    return text + (f" beside {sum(crowds)} crowd regions" if any(crowds) else "")


def boxes_sentence(regions_of_image: RegionsOfImages) -> str:
    """What a user must know of lesions without an outline; empty where there are none."""
    n_lesions, n_boxes, n_images = 0, 0, 0
    for _, annotations in regions_of_image:
        alone = [not has_outline(annotation) for annotation in annotations if not is_crowd(annotation)]
        n_lesions, n_boxes, n_images = n_lesions + len(alone), n_boxes + sum(alone), n_images + any(alone)
    if not n_boxes:
        return ""
    return (
        f"{n_boxes} of {n_lesions} lesions, in {n_images} images, are boxes without an outline, on which a mask model "
        f"cannot be trained: outline them, or make each box its own outline with {BOXES_AS_MASKS}"
    )


def region_remarks(regions_of_image: RegionsOfImages) -> list[str]:
    """A sentence on crowds and one on boxes without an outline, where there are any."""
    pairs = list(regions_of_image)
    return list(filter(None, [count_crowds(pairs).sentence, boxes_sentence(pairs)]))


def regions_by_image(
    images: Iterable[Mapping[str, Any]], annotations: Iterable[Mapping[str, Any]]
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """(file name, annotations of the image) pairs of sound COCO lists."""
    own: dict[int, tuple[str, list[Annotation]]] = {image["id"]: (image["file_name"], []) for image in images}
    for annotation in annotations:
        own[annotation["image_id"]][1].append(annotation)
    return list(own.values())
