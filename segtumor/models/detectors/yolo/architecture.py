"""The one-stage detector of the knee study (Xu et al. 2024): YOLOv5's published architecture, with a mask branch.

Any backbone with three maps of strides 8, 16 and 32 will do: ``MODEL.BACKBONE.NAME`` "build_csp_backbone" is YOLOv5's
own, others bring weights to start from. Letters: N images of h x w, H, W the padded size; K classes, M prototypes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY, Backbone, build_backbone
from detectron2.modeling.backbone.fpn import FPN
from torch.nn import functional

from segtumor.errors import ConfigError
from segtumor.models.backbones.csp import scaled_blocks, scaled_channels
from segtumor.models.detectors.yolo.head import Head, Prototypes
from segtumor.models.detectors.yolo.losses import Lesions, losses
from segtumor.models.detectors.yolo.neck import LEVELS, PathAggregation
from segtumor.models.pixel_model import PixelModel
from segtumor.runtime.contract import Selection

_WIDTHS, _BLOCKS, _STRIDES = (256, 512, 1024), 3, (8, 16, 32)


@META_ARCH_REGISTRY.register()
class YOLO(PixelModel):
    """Backbone, path aggregation and ``Head``.

    In training it takes, beside ``"image"``, ``"instances"`` as Detectron2's detectors do, and returns ``loss_box``,
    ``loss_objectness``, ``loss_class`` and, with prototypes, ``loss_mask``. In evaluation each output holds ``"rows"``
    and, with prototypes, ``"prototypes"``, as ``answers`` returns them.
    """

    OUTPUTS = ("rows", "prototypes")

    @configurable
    def __init__(
        self,
        *,
        backbone: Backbone,
        in_features: Sequence[str],
        neck: PathAggregation,
        head: Head,
        prototypes: Prototypes | None,
        loss_weights: Mapping[str, float],
        selection: Selection,
        size_multiple: int,
        **scaling: Any,
    ) -> None:
        """
        Args:
            backbone: images (N, 3, H, W) -> maps by name.
            in_features: names of those that the neck takes, finest first.
            neck, head, prototypes: parts; no prototypes, no masks.
            loss_weights: of "box", "objectness", "class" and "mask".
            selection: which places become findings.
            size_multiple: see ``PixelModel``; a multiple of 32.
            scaling: as of ``PixelModel``.
        """
        super().__init__(**scaling)
        self.backbone, self.neck, self.head, self.prototypes = backbone, neck, head, prototypes
        self.in_features, self._loss_weights = tuple(in_features), dict(loss_weights)
        self.selection, self._size_multiple = selection, size_multiple

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """The parts that ``MODEL.YOLO`` describes."""
        backbone = build_backbone(cfg)
        backbone = backbone.bottom_up if isinstance(backbone, FPN) else backbone
        names = list(cfg.MODEL.YOLO.IN_FEATURES)
        shapes = backbone.output_shape()
        strides = tuple(shapes[name].stride for name in names if name in shapes)
        if strides != _STRIDES:
            raise ConfigError(
                "the detector needs three maps",
                where="MODEL.YOLO.IN_FEATURES",
                got=names,
                expected=f"strides {_STRIDES}",
            )
        widths = [scaled_channels(width, cfg.MODEL.YOLO.WIDTH) for width in _WIDTHS]
        return {
            "backbone": backbone,
            "in_features": names,
            "neck": PathAggregation(
                [shapes[name].channels for name in names], widths, blocks=scaled_blocks(_BLOCKS, cfg.MODEL.YOLO.DEPTH)
            ),
            "head": Head(
                channels=widths,
                strides=strides,
                anchors_wh=_anchors(cfg.MODEL.YOLO.ANCHORS),
                num_classes=len(cfg.MODEL.CLASS_NAMES),
                num_prototypes=cfg.MODEL.YOLO.PROTOTYPES if cfg.MODEL.MASK_ON else 0,
            ),
            "prototypes": Prototypes(widths[0], cfg.MODEL.YOLO.PROTOTYPES) if cfg.MODEL.MASK_ON else None,
            "loss_weights": {
                "box": cfg.MODEL.YOLO.LOSS_WEIGHTS.BOX,
                "objectness": cfg.MODEL.YOLO.LOSS_WEIGHTS.OBJECTNESS,
                "class": cfg.MODEL.YOLO.LOSS_WEIGHTS.CLASS,
                "mask": cfg.MODEL.YOLO.LOSS_WEIGHTS.MASK,
            },
            "selection": Selection(
                score_threshold=cfg.MODEL.YOLO.SCORE_THRESH_TEST,
                nms_iou=cfg.MODEL.YOLO.NMS_THRESH_TEST,
                max_detections=cfg.TEST.DETECTIONS_PER_IMAGE,
            ),
            "size_multiple": cfg.MODEL.YOLO.SIZE_MULTIPLE,
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
        }

    @property
    def size_multiple(self) -> int:
        """Height and width are padded to a multiple of it, px."""
        return self._size_multiple

    def forward(self, batched_inputs: list[dict[str, Any]]) -> Any:
        """Losses in training mode, one output for each image in evaluation mode."""
        images = self.images(batched_inputs)
        if not self.training:
            answers = zip(*self.answers(images.tensor), strict=True)
            return [dict(zip(self.OUTPUTS, of_one, strict=False)) for of_one in answers]
        outputs, prototypes = self._outputs(images.tensor)
        size_hw = (images.tensor.shape[2], images.tensor.shape[3])
        return losses(self.head, outputs, prototypes, self._lesions(batched_inputs, size_hw), self._loss_weights)

    def answers(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(N, 3, H, W) -> ``Head.rows`` and, with prototypes, (N, M, H / 4, W / 4)."""
        outputs, prototypes = self._outputs(images)
        rows = self.head.rows([output.float() for output in outputs], images.shape[2:])
        return (rows,) if prototypes is None else (rows, prototypes.float())

    def _outputs(self, images: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor | None]:
        maps = self.backbone(images)
        found = self.neck([maps[name] for name in self.in_features])
        return self.head(found), None if self.prototypes is None else self.prototypes(found[0])

    def _lesions(self, batched_inputs: Sequence[dict[str, Any]], size_hw: tuple[int, int]) -> Lesions:
        instances = [x["instances"].to(self.device) for x in batched_inputs]
        counts = torch.tensor([len(of_one) for of_one in instances], device=self.device)
        masks = None
        if self.prototypes is not None:
            size = size_hw[0] // (_STRIDES[0] // 2), size_hw[1] // (_STRIDES[0] // 2)
            masks = torch.cat([_small_masks(of_one.gt_masks.tensor, size_hw, size) for of_one in instances])
        return Lesions(
            boxes=torch.cat([of_one.gt_boxes.tensor for of_one in instances]),
            class_ids=torch.cat([of_one.gt_classes for of_one in instances]),
            image_ids=torch.arange(len(instances), device=self.device).repeat_interleave(counts),
            masks=masks,
        )


def _small_masks(masks: torch.Tensor, padded_hw: Sequence[int], size: tuple[int, int]) -> torch.Tensor:
    """(L, h, w) bool -> (L, *size) float, 0 or 1: padded, and 1 where half of a small pixel is covered."""
    missing = (0, padded_hw[1] - masks.shape[2], 0, padded_hw[0] - masks.shape[1])
    padded = functional.pad(masks.float(), missing)
    return (functional.adaptive_avg_pool2d(padded[:, None], size)[:, 0] >= 0.5).float()


def _anchors(levels: Sequence[Sequence[float]]) -> list[list[list[float]]]:
    """[[w, h, w, h, ...] for each level] -> for each level [[w, h], ...]; ConfigError for uneven ones."""
    lengths = {len(level) for level in levels}
    if len(levels) != LEVELS or len(lengths) != 1 or lengths.pop() % 2:
        raise ConfigError(
            "anchors are pairs of width and height",
            where="MODEL.YOLO.ANCHORS",
            got=[list(level) for level in levels],
            expected=f"{LEVELS} lists of one length, an even one",
        )
    return [[list(level[i : i + 2]) for i in range(0, len(level), 2)] for level in levels]
