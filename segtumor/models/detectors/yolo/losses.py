"""Losses of the one-stage detector: complete IoU of boxes, cross entropies of objectness, classes and mask pixels.

Sources: CIoU (Zheng et al. 2020), YOLOv5's published weights of the terms and of the levels, YOLACT's mask loss (Bolya
et al. 2019, section 3: pixels inside the box, divided by its area).
Letters: T lesions of a batch, P places, N images, K classes, M prototypes; H, W size of a map.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional
from torchvision.ops import complete_box_iou_loss

from segtumor.models.detectors.yolo.assignment import Places, assign
from segtumor.models.detectors.yolo.head import BOX, OBJECT, Head

#: Weight of each level's objectness, finest first: fine maps have more places, most of them empty.
_BALANCE = (4.0, 1.0, 0.4)


@dataclass(frozen=True)
class Lesions:
    """All lesions of a batch, in px of the padded images.

    Attributes:
        boxes: (T, 4) x0, y0, x1, y1.
        class_ids: (T,) int64.
        image_ids: (T,) int64, place in the batch.
        masks: (T, H, W) float at the size of the prototypes, 0 or 1; None where no masks are learnt.
    """

    boxes: torch.Tensor
    class_ids: torch.Tensor
    image_ids: torch.Tensor
    masks: torch.Tensor | None


def losses(
    head: Head,
    outputs: Sequence[torch.Tensor],
    prototypes: torch.Tensor | None,
    lesions: Lesions,
    weights: Mapping[str, float],
) -> dict[str, torch.Tensor]:
    """Each loss by its name, weighted.

    Args:
        outputs: what the head returns in training.
        prototypes: (N, M, H, W), or None.
        weights: of "box", "objectness", "class" and "mask".
    """
    zero = outputs[0].sum() * 0
    terms = {name: zero for name in weights}
    for level, output in enumerate(outputs):
        places = assign(
            lesions.boxes,
            lesions.image_ids,
            head.anchors[level],
            stride=head.strides[level],
            size_hw=(output.shape[2], output.shape[3]),
        )
        there = torch.zeros_like(output[..., OBJECT])
        if len(places.lesions):
            found = output[places.index]
            far = _box_losses(head, found, places, lesions, level)
            terms["box"] = terms["box"] + far.mean()
            terms["class"] = terms["class"] + _class_loss(head.class_logits(found), lesions.class_ids[places.lesions])
            if prototypes is not None:
                terms["mask"] = terms["mask"] + _mask_loss(head, found, prototypes, places, lesions)
            # Of several lesions at one place, the best fitted counts.
            good = (1 - far.detach()).clamp(min=0).to(there.dtype)
            there = there.flatten().scatter_reduce(0, places.flat(there.shape), good, "amax").view_as(there)
        empty = functional.binary_cross_entropy_with_logits(output[..., OBJECT], there)
        terms["objectness"] = terms["objectness"] + _BALANCE[level] * empty
    return {
        f"loss_{name}": weights[name] * term for name, term in terms.items() if name != "mask" or prototypes is not None
    }


def _box_losses(head: Head, found: torch.Tensor, places: Places, lesions: Lesions, level: int) -> torch.Tensor:
    """(P,) 1 - CIoU, in 32 bits whatever the rest computes in."""
    cells = torch.stack([places.columns, places.rows], dim=1)
    boxes = head.boxes(found[:, BOX].float(), cells, level, head.anchors[level][places.anchors])
    far: torch.Tensor = complete_box_iou_loss(boxes, lesions.boxes[places.lesions], reduction="none")
    return far


def _class_loss(logits: torch.Tensor, class_ids: torch.Tensor) -> torch.Tensor:
    return functional.binary_cross_entropy_with_logits(
        logits, functional.one_hot(class_ids, logits.shape[1]).to(logits.dtype)
    )


def _mask_loss(
    head: Head, found: torch.Tensor, prototypes: torch.Tensor, places: Places, lesions: Lesions
) -> torch.Tensor:
    """Mean over places of the cross entropy of the pixels inside the lesion's box, by the box's area."""
    if lesions.masks is None:
        raise ValueError("prototypes without masks")
    logits = torch.einsum("pm,pmhw->phw", head.coefficients(found), prototypes[places.images])
    masks = lesions.masks[places.lesions].to(logits.dtype)
    inside = box_pixels(lesions.boxes[places.lesions] / head.strides[0] * 2, (logits.shape[1], logits.shape[2]))
    wrong = functional.binary_cross_entropy_with_logits(logits, masks, reduction="none") * inside
    mean: torch.Tensor = (wrong.sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)).mean()
    return mean


def box_pixels(boxes: torch.Tensor, size_hw: tuple[int, int]) -> torch.Tensor:
    """(P, 4) px of a map -> (P, H, W) bool: the pixels that a box touches."""
    rows = torch.arange(size_hw[0], device=boxes.device)[None, :, None]
    columns = torch.arange(size_hw[1], device=boxes.device)[None, None]
    x0, y0, x1, y1 = boxes[:, :, None, None].unbind(1)
    return (columns >= x0.floor()) & (columns < x1.ceil()) & (rows >= y0.floor()) & (rows < y1.ceil())
