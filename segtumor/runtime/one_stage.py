"""A one-stage detector's rows and prototypes to findings, whatever computed them; no torch.

Letters: N windows of h x w, padded to H x W; P places, D detections, K classes, M prototypes, h', w' their size.
"""

from collections.abc import Sequence

import numpy as np

from segtumor.arrays import Bools, Floats32, Ints, Mask, Rle, SizeHW
from segtumor.errors import ModelError, NonFiniteOutputError
from segtumor.runtime.breakdown import broken_output, is_sound
from segtumor.runtime.contract import OneStageContract, Selection
from segtumor.runtime.inputs import padded_hw
from segtumor.runtime.mask_rcnn.detections import Detections, choose_detections
from segtumor.runtime.networks import Network, network_answers
from segtumor.runtime.protocols import Window
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_crop
from segtumor.system.opencv import cv2


class NetworkOneStage:
    """A detector whose graph answers rows (N, P, 4 + K + M) and, with masks, prototypes (N, M, h', w')."""

    def __init__(self, network: Network, contract: OneStageContract) -> None:
        self._network, self._contract = network, contract

    def detect(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW]
    ) -> list[tuple[Finding, ...] | NonFiniteOutputError]:
        """See ``protocols.Detector``."""
        if not windows:
            return []
        contract = self._contract
        answers = network_answers(self._network, contract, windows)
        return [
            findings_of(
                *of_one,
                window_hw=window.shape,
                padded_hw=padded_hw(window.shape, contract.preprocessing.size_divisibility),
                size_hw=(int(height), int(width)),
                num_classes=len(contract.class_names),
                selection=contract.selection,
            )
            for window, (height, width), of_one in zip(windows, sizes_hw, zip(*answers, strict=True), strict=True)
        ]


def findings_of(
    rows: Floats32,
    prototypes: Floats32 | None = None,
    *,
    window_hw: SizeHW,
    padded_hw: SizeHW,
    size_hw: SizeHW,
    num_classes: int,
    selection: Selection,
) -> tuple[Finding, ...] | NonFiniteOutputError:
    """What a model says of one window to findings on its radiograph, highest score first.

    A pixel belongs to a lesion where the sum of prototypes, interpolated, is above 0, inside its box.

    Args:
        rows: (P, 4 + K + M): x0, y0, x1, y1 as fractions of the padded size, a probability of each class, and the
            coefficients of the prototypes.
        prototypes: (M, h', w') over the padded window; None for boxes without masks.
        window_hw, padded_hw: size of the window and with its padding, px.
        size_hw: of the radiograph, px.

    Raises:
        ModelError: rows or prototypes of another shape.
    """
    count = 0 if prototypes is None else len(prototypes)
    if rows.ndim != 2 or rows.shape[1] != 4 + num_classes + count:
        raise ModelError(
            "the model's graph does not fit its contract",
            got=f"rows of shape {rows.shape}",
            expected=f"(any, {4 + num_classes + count})",
            remedy="Export the model again",
        )
    if not is_sound(rows) or not (prototypes is None or is_sound(prototypes)):
        return broken_output()
    scale = np.array([padded_hw[1], padded_hw[0]] * 2, dtype=np.float32)
    boxes, probabilities = rows[:, :4] * scale, rows[:, 4 : 4 + num_classes]
    found, places = _chosen(boxes, probabilities, window_hw, selection)
    resized, has_extent = found.resized(window_hw, size_hw)
    left = np.flatnonzero(has_extent)
    resized = resized.at(left)
    rles: list[Rle | None] = [None] * len(left)
    if prototypes is not None:
        maps = np.tensordot(rows[places[left], 4 + num_classes :], prototypes, axes=1)
        steps = [
            window * of_map / (padded * size)
            for window, of_map, padded, size in zip(window_hw, maps.shape[1:], padded_hw, size_hw, strict=True)
        ]
        rles = [
            rle_from_crop(*_covered(logits, box, size_hw, (steps[0], steps[1])), size_hw)
            for logits, box in zip(maps, resized.boxes, strict=True)
        ]
    return resized.findings(rles)


def _chosen(
    boxes: Floats32, probabilities: Floats32, window_hw: SizeHW, selection: Selection
) -> tuple[Detections, Ints]:
    """Detections of the window, and the places that they are from, (D,) int."""
    likely: Bools = probabilities.max(axis=1) > np.float32(selection.score_threshold)
    places = np.flatnonzero(likely)
    found = choose_detections(
        boxes=boxes[places],
        probabilities=np.pad(probabilities[places], [(0, 0), (0, 1)]),  # no background
        image_hw=window_hw,
        score_threshold=selection.score_threshold,
        nms_iou=selection.nms_iou,
        max_detections=selection.max_detections,
        cut_first=selection.cut_first,
    )
    return found, places[found.regions]


def _covered(logits: Floats32, box: Floats32, size_hw: SizeHW, steps: tuple[float, float]) -> tuple[Mask, int, int]:
    """Pixels of the radiograph in a box where a map, of ``steps`` cells (down, across) per pixel, is above 0."""
    left, top = np.maximum(np.floor(box[:2]), 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(box[2:]), size_hw[::-1]).astype(int).tolist()
    down, across = steps
    # From the centres of the box's pixels to those of the map's cells.
    to_map = np.array([[across, 0, (left + 0.5) * across - 0.5], [0, down, (top + 0.5) * down - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(logits, to_map, (right - left, bottom - top), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    covered: Mask = crop > 0
    return covered, top, left
