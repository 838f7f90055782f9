"""Every way to run a model: Detectron2 with its own numbers, segtumor's runtimes, and torchvision's detectors.

Detectron2's side keeps the architecture of our configuration (backbone, norm, one box and one mask for both classes),
so that both sides take the same weights; the numbers are those of Detectron2's ``get_cfg`` and of its
``Base-RCNN-FPN.yaml``.
"""

import logging
from pathlib import Path

import torch
import torchvision

from benchmarks.speed.subjects import class_names
from segtumor.errors import InstallationError
from segtumor.export.contract import contract_of
from segtumor.export.folding import fold_batch_norms
from segtumor.export.graph_files import check_onnx, write_onnx, write_openvino
from segtumor.export.graphs import EagerGraphs
from segtumor.models.detectron2_detector import ModelDetector
from segtumor.runtime.export_kinds import load_mask_rcnn_graphs
from segtumor.runtime.mask_rcnn.detector import Detector
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_mask

logger = logging.getLogger(f"segtumor.{__name__}")  # below segtumor, whose messages commands show
TORCH, ONNX, OPENVINO = "torch", "ONNX Runtime", "OpenVINO"
_EXPORTED = {ONNX: "onnx", OPENVINO: "openvino"}
PARALLEL = 2
#: Proposals of a level before and of an image after suppression: ``Base-RCNN-FPN.yaml``.
_PROPOSALS = {
    "PRE_NMS_TOPK_TRAIN": 2000,
    "PRE_NMS_TOPK_TEST": 1000,
    "POST_NMS_TOPK_TRAIN": 1000,
    "POST_NMS_TOPK_TEST": 1000,
    "NMS_THRESH": 0.7,
    "BATCH_SIZE_PER_IMAGE": 256,
    "POSITIVE_FRACTION": 0.5,
    "IOU_THRESHOLDS": [0.3, 0.7],
}
_REGIONS = {
    "BATCH_SIZE_PER_IMAGE": 512,
    "POSITIVE_FRACTION": 0.25,
    "SCORE_THRESH_TEST": 0.05,
    "NMS_THRESH_TEST": 0.5,
}
_SHORT_EDGE_PX, _MAX_LONG_EDGE_PX = 800, 1333
_DETECTIONS = 100


def stock_inference_config(cfg, *, short_edge_px=_SHORT_EDGE_PX, max_long_edge_px=_MAX_LONG_EDGE_PX):
    """A copy of ``cfg`` that predicts with Detectron2's numbers, 800 px, and plain order in memory.

    Args:
        cfg: configuration of a Mask R-CNN with a feature pyramid. Its anchors stay: its weights were trained with them.
        short_edge_px, max_long_edge_px: size of the input.
    """
    stock = _with_numbers(cfg)
    stock.INPUT.MIN_SIZE_TEST, stock.INPUT.MAX_SIZE_TEST = short_edge_px, max_long_edge_px
    return stock


def stock_training_config(cfg):
    """A copy of ``cfg`` that trains as Detectron2 does: its proposals, regions, anchors, heads, SGD."""
    stock = _with_numbers(with_stock_anchors(cfg))
    stock.MODEL.ROI_HEADS.NAME = "StandardROIHeads"
    stock.MODEL.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG = False
    stock.MODEL.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK = False
    stock.SOLVER.OPTIMIZER = "SGD"
    return stock


def with_stock_anchors(cfg):
    """A copy of ``cfg`` with one anchor size of 32 to 512 px for each level and three shapes."""
    stock = _thawed(cfg)
    stock.MODEL.ANCHOR_GENERATOR.SIZES = [[32], [64], [128], [256], [512]]
    stock.MODEL.ANCHOR_GENERATOR.ASPECT_RATIOS = [[0.5, 1.0, 2.0]]
    return stock


def _with_numbers(cfg):
    stock = _thawed(cfg)
    for key, value in _PROPOSALS.items():
        stock.MODEL.RPN[key] = value
    for key, value in _REGIONS.items():
        stock.MODEL.ROI_HEADS[key] = value
    stock.MODEL.CHANNELS_LAST = False
    stock.TEST.DETECTIONS_PER_IMAGE = _DETECTIONS
    return stock


def _thawed(cfg):
    copy = cfg.clone()
    copy.defrost()
    return copy


def stock_detector(subject):
    """Detectron2's model as its own predictor runs it, and findings from its instances."""
    return ModelDetector(subject.model, checks_outputs=False)


def our_detectors(subject, folder, *, threads):
    """The same weights run by segtumor.

    Args:
        subject: Subject.
        folder: for the exports, exists.
        threads: of each runtime.

    Returns:
        ({runtime: Detector}, [a sentence for each runtime that is not installed]).
    """
    contract = contract_of(subject.cfg, subject.model, class_names(subject.cfg))
    detectors, skipped = {TORCH: Detector(EagerGraphs(subject.model), contract)}, []
    for runtime, format_name in _EXPORTED.items():
        logger.info("exporting for %s", runtime)
        try:
            _write_graphs(subject.model, Path(folder), format_name)
            graphs = load_mask_rcnn_graphs(Path(folder, format_name), format_name, contract, threads=threads)
            detectors[runtime] = Detector(graphs, contract)
        except InstallationError as error:
            skipped.append(f"{runtime} is left out: {error}".replace("\n", " "))
    return detectors, skipped


def parallel_detectors(subject, detectors, folder):
    """{runtime: two detectors of one thread each} of the exports that ``our_detectors`` left in ``folder``."""
    pairs = {}
    for runtime, format_name in _EXPORTED.items():
        if runtime not in detectors:
            continue
        contract = detectors[runtime].contract
        pairs[runtime] = [
            Detector(load_mask_rcnn_graphs(Path(folder, format_name), format_name, contract, threads=1), contract)
            for _ in range(PARALLEL)
        ]
    return pairs


def _write_graphs(model, folder, format_name) -> None:
    (folder / format_name).mkdir(exist_ok=True)
    if format_name == "onnx":
        write_onnx(fold_batch_norms(model), folder / format_name)
    else:
        check_onnx()  # its files are made from those of ONNX
        write_openvino(folder / "onnx", folder / format_name)


#: Name of torchvision's function -> size of its input, px, as it is usually run.
DETECTORS = {
    "maskrcnn_resnet50_fpn": 800,
    "fasterrcnn_mobilenet_v3_large_320_fpn": 320,
    "ssdlite320_mobilenet_v3_large": 320,
}
_MASK_THRESHOLD = 0.5


class TorchvisionDetector:
    """A detector of torchvision with random weights, none of whose random findings is kept.

    With random weights it would keep none or hundreds, by chance. Without any, it has no masks to predict and to draw:
    what is measured is the least that it can take.

    Args:
        name: one of ``DETECTORS``.
    """

    def __init__(self, name) -> None:
        torch.manual_seed(0)
        threshold = {"score_thresh" if name.startswith("ssd") else "box_score_thresh": 1.0}
        build = torchvision.models.get_model
        self._model = build(name, weights=None, weights_backbone=None, **threshold).eval()

    @torch.inference_mode()
    def detect(self, windows, sizes_hw):
        """Findings of each window, in px of the window; ``sizes_hw`` is not used: its boxes are the window's."""
        images = [torch.from_numpy(window).expand(3, -1, -1) for window in windows]
        return [_findings(output) for output in self._model(images)]


def _findings(output):
    masks = output.get("masks")
    rles = [None] * len(output["scores"])
    if masks is not None:
        rles = [rle_from_mask(mask[0].numpy()) for mask in masks > _MASK_THRESHOLD]
    columns = (output[key].tolist() for key in ("labels", "scores", "boxes"))
    return tuple(
        Finding(class_id=label, score=score, box_xyxy=tuple(box), rle=rle)
        for label, score, box, rle in zip(*columns, rles, strict=True)
    )
