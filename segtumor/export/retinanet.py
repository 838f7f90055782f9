"""Detectron2's RetinaNet as one graph that answers rows, as a one-stage detector's (``runtime.one_stage``).

Of a level with more than ``MODEL.RETINANET.TOPK_CANDIDATES_TEST`` (1,000) boxes above the score threshold Detectron2
looks at the best alone; an export looks at all.

Letters: N images of H x W, padded; h, w size of a map; A anchors of a cell, K classes, P places of all maps.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.modeling.anchor_generator import DefaultAnchorGenerator
from detectron2.modeling.meta_arch.retinanet import RetinaNet
from torch import nn

from segtumor.errors import ConfigError
from segtumor.export.contract import unknown_anchors
from segtumor.export.parity import changed, compare_findings
from segtumor.imaging import Radiograph
from segtumor.models.detectron2_detector import ModelDetector
from segtumor.runtime.contract import OneStageContract, Selection
from segtumor.runtime.mask_rcnn.box_coding import SCALE_LIMIT
from segtumor.runtime.one_stage import NetworkOneStage
from segtumor.runtime.protocols import Detector


class RetinaNetRows(nn.Module):
    """A RetinaNet whose boxes are decoded in the graph.

    Args:
        model: shares its weights.

    Raises:
        ConfigError: another kind of model, or of anchors.
    """

    OUTPUTS = ("rows",)

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        if not isinstance(model, RetinaNet):
            got = type(model).__name__
            raise ConfigError("cannot be exported", where="MODEL.META_ARCHITECTURE", got=got, expected="RetinaNet")
        generator = model.anchor_generator
        if not isinstance(generator, DefaultAnchorGenerator):
            raise unknown_anchors(type(generator).__name__)
        self.model = model
        self.strides, self.offset = tuple(map(int, generator.strides)), float(generator.offset)
        self.weights = tuple(map(float, model.box2box_transform.weights))

    @property
    def size_multiple(self) -> int:
        """Height and width are padded to a multiple of it, px."""
        return int(self.model.backbone.size_divisibility)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(N, 3, H, W), normalised and padded -> (N, P, 4 + K): x0, y0, x1, y1 as fractions of W and H, and the
        probability of each class."""
        maps = self.model.backbone(images)
        logits, deltas = self.model.head([maps[name] for name in self.model.head_in_features])
        height, width = images.shape[-2:]
        rows = []
        for level, (of_classes, of_boxes) in enumerate(zip(logits, deltas, strict=True)):
            x0, y0, x1, y1 = self._boxes(_by_place(of_boxes, 4), level).unbind(-1)
            # One by one: a tensor of the sizes would be a constant in a traced graph.
            boxes = torch.stack([x0 / width, y0 / height, x1 / width, y1 / height], dim=-1)
            classes = _by_place(of_classes, self.model.num_classes).sigmoid()
            rows.append(torch.cat([boxes, classes], dim=-1).flatten(1, 3))
        return (torch.cat(rows, dim=1),)

    def _boxes(self, deltas: torch.Tensor, level: int) -> torch.Tensor:
        """(N, h, w, A, 4) -> the same, px; Detectron2's ``Box2BoxTransform.apply_deltas`` on its anchors."""
        _, height, width, _, _ = deltas.shape
        stride, cells = self.strides[level], list(self.model.anchor_generator.cell_anchors)[level]
        rows = (torch.arange(height, dtype=torch.float32) + self.offset) * stride
        columns = (torch.arange(width, dtype=torch.float32) + self.offset) * stride
        places = torch.stack([columns[None].expand(height, width), rows[:, None].expand(height, width)], dim=-1)
        sizes = cells[:, 2:] - cells[:, :2]
        centres = places[:, :, None] + (cells[:, :2] + cells[:, 2:]) / 2
        x, y, wide, high = self.weights
        shifts = torch.stack([deltas[..., 0] / x, deltas[..., 1] / y], dim=-1)
        growths = torch.stack([deltas[..., 2] / wide, deltas[..., 3] / high], dim=-1)
        centres = shifts * sizes + centres
        halves = growths.clamp(max=SCALE_LIMIT).exp() * sizes / 2
        return torch.cat([centres - halves, centres + halves], dim=-1)


def selection_of(cfg: CfgNode) -> Selection:
    """What follows the rows, of a configuration."""
    return Selection(
        score_threshold=float(cfg.MODEL.RETINANET.SCORE_THRESH_TEST),
        nms_iou=float(cfg.MODEL.RETINANET.NMS_THRESH_TEST),
        max_detections=cfg.TEST.DETECTIONS_PER_IMAGE,
        cut_first=False,
    )


def measure_retinanet(
    model: nn.Module, network: Any, contract: OneStageContract, radiographs: Sequence[Radiograph]
) -> dict[str, Any]:
    """``parity.compare_findings`` of Detectron2's own RetinaNet and its export."""

    @contextlib.contextmanager
    def detectors(limit: float) -> Iterator[tuple[Detector, Detector]]:
        selection = dataclasses.replace(contract.selection, score_threshold=limit)
        with changed(model, "test_score_thresh", limit):
            yield ModelDetector(model), NetworkOneStage(network, dataclasses.replace(contract, selection=selection))

    return compare_findings(detectors, contract, contract.selection, radiographs, runtime=network.describe())


def _by_place(maps: torch.Tensor, numbers: int) -> torch.Tensor:
    """(N, A * numbers, h, w) -> (N, h, w, A, numbers)."""
    count, _, height, width = maps.shape
    return maps.view(count, -1, numbers, height, width).permute(0, 3, 4, 1, 2)
