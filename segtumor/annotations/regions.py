"""What of a set's regions can be trained on, in words that are the same for every command.

A lesion without an outline has only a box, a crowd is no single lesion: training takes neither. Not here: what is wrong
with an outline that is there (``segmentations``).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from segtumor.annotations.crowds import count_crowds, is_crowd

#: The option of ``data convert`` and ``data check --fix`` that makes outlines of boxes.
BOXES_AS_MASKS = "--boxes-as-masks"
BOXES_REMEDY = f"Outline the lesions, or make each box its own outline: `segtumor data convert` with {BOXES_AS_MASKS}"
#: What is wrong with a lesion without an outline where outlines are needed.
BOX_ALONE = "is missing; boxes alone are accepted only when asked for"


def has_outline(annotation: Mapping[str, Any]) -> bool:
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
    """``5 lesions``, with the number of boxes and of crowd regions where there are any, in the same words everywhere.

    Args:
        annotations: COCO entries; malformed ones count as lesions.
    """
    crowds = [isinstance(entry, dict) and is_crowd(entry) for entry in annotations]
    boxes = sum(
        not crowd and isinstance(entry, dict) and not has_outline(entry)
        for entry, crowd in zip(annotations, crowds, strict=True)
    )
    text = f"{len(crowds) - sum(crowds)} lesions" + (f" ({boxes} of them boxes without an outline)" if boxes else "")
    return text + (f" beside {sum(crowds)} crowd regions" if any(crowds) else "")


def boxes_sentence(regions_of_image: Iterable[tuple[str, Iterable[Mapping[str, Any]]]]) -> str:
    """What a user must know of lesions without an outline; empty where there are none.

    Args:
        regions_of_image: (file name, annotations of the image) pairs.
    """
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


def region_remarks(regions_of_image: Iterable[tuple[str, Iterable[Mapping[str, Any]]]]) -> list[str]:
    """A sentence on crowds and one on boxes without an outline, where there are any.

    Args:
        regions_of_image: (file name, annotations of the image) pairs.
    """
    pairs = list(regions_of_image)
    return list(filter(None, [count_crowds(pairs).sentence, boxes_sentence(pairs)]))


def regions_by_image(
    images: Iterable[Mapping[str, Any]], annotations: Iterable[Mapping[str, Any]]
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """(file name, annotations of the image) pairs of sound COCO lists."""
    own = {image["id"]: (image["file_name"], []) for image in images}
    for annotation in annotations:
        own[annotation["image_id"]][1].append(annotation)
    return list(own.values())
