"""Windowed images to findings: the three graphs, and what is chosen between them.

Equivalent to Detectron2's ``GeneralizedRCNN.inference`` with ``StandardROIHeads`` (He et al. 2017), whatever runs the
graphs; without a mask head it is Faster R-CNN (Ren et al. 2015). Graphs are any object with the methods
``dense(images)``, ``box_head(features, boxes)`` and, of models with masks, ``mask_head(features, boxes)``, as
``segtumor.export.graphs`` describes them. Not here: reading and windowing a radiograph, and post-processing
(``runtime.predictor``).

Letters: N images, h, w their size for the model, A anchors of a cell, R regions, K classes, M mask size.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from segtumor.arrays import Floats32, SizeHW
from segtumor.errors import ModelError, NonFiniteOutputError
from segtumor.runtime.breakdown import LARGEST_FEATURE, broken_output, is_broken, is_sound
from segtumor.runtime.contract import Contract
from segtumor.runtime.inputs import model_images
from segtumor.runtime.mask_rcnn.anchors import cell_anchors
from segtumor.runtime.mask_rcnn.box_coding import decode_boxes
from segtumor.runtime.mask_rcnn.detections import Detections, choose_detections, softmax
from segtumor.runtime.mask_rcnn.image_head import pooled_maps, unlike_notes
from segtumor.runtime.mask_rcnn.levels import box_levels, regions_by_level
from segtumor.runtime.mask_rcnn.pasting import paste_mask
from segtumor.runtime.mask_rcnn.proposals import choose_proposals
from segtumor.runtime.protocols import Window
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_crop
from segtumor.structures.readings import Reading


@dataclass(frozen=True)
class Maps:
    """What the dense graph returns.

    Attributes:
        features: for each map that boxes are pooled from (N, h / stride, w / stride, C) float32.
        objectness: for each level (N, A, h / stride, w / stride) float32, logits.
        deltas: for each level (N, 4A, h / stride, w / stride) float32.
    """

    features: tuple[Floats32, ...]
    objectness: tuple[Floats32, ...]
    deltas: tuple[Floats32, ...]

    @classmethod
    def of(cls, outputs: Sequence[Floats32], feature_count: int) -> "Maps":
        """The maps of all outputs of a dense graph: features, then as many objectness maps as deltas."""
        features, others = tuple(outputs[:feature_count]), tuple(outputs[feature_count:])
        return cls(features, others[: len(others) // 2], others[len(others) // 2 :])


class Graphs(Protocol):
    """The three graphs, whatever runs them; boxes are (R_i, 5) for each map: image index and corners, px."""

    def dense(self, images: Floats32) -> Maps:
        """(N, 3, h, w), normalised and padded."""
        ...

    def box_head(self, features: Sequence[Floats32], boxes: Sequence[Floats32]) -> tuple[Floats32, Floats32]:
        """Class logits (R, K + 1) and offsets (R, 4 or 4K)."""
        ...

    def mask_head(self, features: Sequence[Floats32], boxes: Sequence[Floats32]) -> Floats32:
        """Mask logits (R, 1 or K, M, M)."""
        ...

    def describe(self) -> dict[str, Any]:
        """What runs the graphs."""
        ...


class ImageHeadGraphs(Graphs, Protocol):
    """With an image head."""

    def image_head(self, pooled: Floats32) -> tuple[Floats32, Floats32]:
        """Pooled maps (``image_head.pooled_maps``) to image logits (N, K + 1) and unlikeness (N,)."""
        ...


_NO_BOXES = np.zeros((0, 4), dtype=np.float32)


class Detector:
    """Finds lesions on images of the model's size."""

    def __init__(self, graphs: Graphs, contract: Contract) -> None:
        self.graphs, self.contract = graphs, contract
        anchors = contract.anchors
        self._cells = tuple(map(cell_anchors, anchors.sizes_px, anchors.aspect_ratios))

    def detect(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW]
    ) -> list[tuple[Finding, ...] | NonFiniteOutputError]:
        """Findings on each image, nothing post-processed, highest score first; as ``protocols.Detector``.

        An image on which the graphs returned NaN, an infinity or a number beyond all sense anywhere is broken.

        Raises:
            ModelError: the graphs return other shapes than the contract says.
        """
        return self._detect(windows, sizes_hw)[1] if windows else []

    def read(self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW]) -> list[Reading | NonFiniteOutputError]:
        """See ``runtime.protocols.ReadingModel``; arguments and errors as ``detect``."""
        if not windows:
            return []
        maps, found = self._detect(windows, sizes_hw)
        return [
            broken_output()
            if is_broken(findings) or fields is None
            else Reading(class_names=self.contract.class_names, size_hw=(int(h), int(w)), findings=findings, **fields)
            for findings, fields, (h, w) in zip(found, self._of_images(maps), sizes_hw, strict=True)
        ]

    def _of_images(self, maps: Maps) -> Sequence[dict[str, Any] | None]:
        """Of each image the fields of a Reading that are of it as a whole; None where the graphs broke down."""
        return [{"embedding": row} for row in maps.features[-1].mean(axis=(1, 2), dtype=np.float32)]

    def _detect(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW]
    ) -> tuple[Maps, list[tuple[Finding, ...] | NonFiniteOutputError]]:
        """The maps of at least one image, and what ``detect`` returns."""
        image_hw, preprocessing = windows[0].shape, self.contract.preprocessing
        maps = self.graphs.dense(
            model_images(
                windows,
                pixel_mean=preprocessing.pixel_mean,
                pixel_std=preprocessing.pixel_std,
                size_divisibility=preprocessing.size_divisibility,
            )
        )
        # Neither head sees an image that is broken already: its neighbours are found as if it were not there.
        sound = [_are_sound(maps, index) for index in range(len(windows))]
        proposals = [self._propose(maps, index, image_hw) if sound[index] else _NO_BOXES for index in range(len(sound))]
        detections = self._classify(maps.features, proposals, image_hw, sound)
        masks = self._predict_masks(maps.features, detections, sound)
        return maps, [
            _findings(found, mask, image_hw, (size_hw[0], size_hw[1])) if is_sound_image else broken_output()
            for found, mask, size_hw, is_sound_image in zip(detections, masks, sizes_hw, sound, strict=True)
        ]

    def _propose(self, maps: Maps, index: int, image_hw: SizeHW) -> Floats32:
        """Boxes (P, 4) of one image."""
        anchors = self.contract.anchors
        boxes, _ = choose_proposals(
            objectness=[level[index] for level in maps.objectness],
            deltas=[level[index] for level in maps.deltas],
            cells=self._cells,
            strides_px=anchors.strides_px,
            offset=anchors.offset,
            image_hw=image_hw,
            **vars(self.contract.proposals),
        )
        return boxes

    def _classify(
        self, features: Sequence[Floats32], proposals: Sequence[Floats32], image_hw: SizeHW, sound: list[bool]
    ) -> list[Detections]:
        """Proposals of each image -> Detections of each image; notes in ``sound`` which images are broken."""
        settings, num_classes = self.contract.regions, len(self.contract.class_names)
        num_boxes = 1 if settings.class_agnostic_boxes else num_classes
        widths = num_classes + 1, 4 * num_boxes
        logits, deltas = self._pooled(self.graphs.box_head, features, proposals, [(width,) for width in widths])
        ends = np.cumsum([len(boxes_of_image) for boxes_of_image in proposals])[:-1]
        _check_heads(sound, np.split(logits, ends), np.split(deltas, ends))
        boxes = decode_boxes(deltas, np.concatenate(proposals), settings.box_weights)
        return [
            choose_detections(
                boxes=boxes_of_image,
                probabilities=probabilities,
                image_hw=image_hw,
                score_threshold=settings.score_threshold,
                nms_iou=settings.nms_iou,
                max_detections=settings.max_detections,
            )
            for boxes_of_image, probabilities in zip(
                np.split(boxes, ends), np.split(softmax(logits), ends), strict=True
            )
        ]

    def _predict_masks(
        self, features: Sequence[Floats32], detections: Sequence[Detections], sound: list[bool]
    ) -> Sequence[Floats32 | None]:
        """Detections of each image -> mask probabilities of each image, (D, M, M) float32, or None of a model without
        masks; as ``_classify``."""
        if self.contract.regions.mask_pooling is None:
            return [None] * len(detections)
        agnostic, num_classes = self.contract.regions.class_agnostic_masks, len(self.contract.class_names)
        boxes, class_ids = [found.boxes for found in detections], [found.class_ids for found in detections]
        shape = (1 if agnostic else num_classes, None, None)
        (logits,) = self._pooled(lambda *inputs: (self.graphs.mask_head(*inputs),), features, boxes, [shape])
        ends = np.cumsum([len(found) for found in detections])[:-1]
        _check_heads(sound, np.split(logits, ends))
        channels = 0 if agnostic else np.concatenate(class_ids)
        with np.errstate(over="ignore"):  # exp of a large number is infinite, and the probability 0
            probabilities = 1 / (1 + np.exp(-logits[np.arange(len(logits)), channels]))
        return np.split(probabilities, ends)

    def _pooled(
        self,
        head: Callable[[Sequence[Floats32], Sequence[Floats32]], tuple[Floats32, ...]],
        features: Sequence[Floats32],
        boxes_of_images: Sequence[Floats32],
        shapes: Sequence[tuple[int | None, ...]],
    ) -> list[Floats32]:
        """What a head returns for the boxes of each image, (R, *shape) each, in the order of the boxes.

        A head is not called without boxes, as graphs are not made for none.
        """
        regions = self.contract.regions
        images = np.repeat(np.arange(len(boxes_of_images)), [len(boxes) for boxes in boxes_of_images])
        boxes = np.concatenate(boxes_of_images)
        if not len(boxes):
            return [np.zeros((0, *(size or 1 for size in shape)), dtype=np.float32) for shape in shapes]
        levels = box_levels(
            boxes,
            strides_px=regions.strides_px,
            canonical_box_px=regions.canonical_box_px,
            canonical_level=regions.canonical_level,
        )
        parts, rows = regions_by_level(boxes, images, levels, len(regions.strides_px))
        outputs = head(features, parts)
        for output, shape in zip(outputs, shapes, strict=True):
            _check_shape(output, (sum(map(len, parts)), *shape))
        return [output[rows] for output in outputs]


class ImageHeadDetector(Detector):
    """Finds lesions and judges the whole image.

    Args:
        graphs: those of ``Detector``, and the image head.
        contract: ``contract.Contract``.
    """

    graphs: "ImageHeadGraphs"

    def _of_images(self, maps: Maps) -> Sequence[dict[str, Any] | None]:
        pooled = pooled_maps(maps.features)
        logits, unlikeness = self.graphs.image_head(pooled)
        _check_shape(logits, (len(pooled), len(self.contract.class_names) + 1))
        _check_shape(unlikeness, (len(pooled),))
        return [
            {
                "image_probabilities": tuple(softmax(row[None])[0].clip(0, 1).tolist()),
                "marks_lesions": True,
                "notes": unlike_notes(unlike),
                "embedding": embedding,
            }
            if is_sound(row) and math.isfinite(unlike)
            else None
            for embedding, row, unlike in zip(pooled, logits, unlikeness.tolist(), strict=True)
        ]


def _are_sound(maps: Maps, index: int) -> bool:
    """Whether the dense graph did not break down on one image of the batch."""
    outputs = all(is_sound(level[index]) for level in (*maps.objectness, *maps.deltas))
    return outputs and all(is_sound(level[index], LARGEST_FEATURE) for level in maps.features)


def _check_heads(sound: list[bool], *outputs: Sequence[Floats32]) -> None:
    """Note in ``sound`` the images for whose regions a head broke down; ``outputs`` are lists of arrays by image."""
    for index, of_image in enumerate(zip(*outputs, strict=True)):
        sound[index] = sound[index] and all(map(is_sound, of_image))


def _check_shape(output: Floats32, expected: tuple[int | None, ...]) -> None:
    fits = output.ndim == len(expected) and all(
        size in (None, is_size) for is_size, size in zip(output.shape, expected, strict=True)
    )
    if not fits:
        raise ModelError(
            "the model's graphs do not fit its contract",
            got=f"an output of shape {output.shape}",
            expected=str(expected).replace("None", "any"),
            remedy="Export the model again",
        )


def _findings(detections: Detections, masks: Floats32 | None, image_hw: SizeHW, size_hw: SizeHW) -> tuple[Finding, ...]:
    """Detections and masks, if there are any, at the model's size -> findings on the radiograph."""
    resized, has_extent = detections.resized(image_hw, size_hw)
    left = np.flatnonzero(has_extent)
    resized = resized.at(left)
    if masks is None:
        return resized.findings([None] * len(left))
    rles = [
        rle_from_crop(*paste_mask(mask, box, size_hw), size_hw)
        for mask, box in zip(masks[left], resized.boxes, strict=True)
    ]
    return resized.findings(rles)
