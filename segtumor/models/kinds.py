"""The kinds of model, and what segtumor must know of each: the one table from ``MODEL.META_ARCHITECTURE`` to it.

Training, validation, checkpoints, cross-validation and inference are the same for every kind and ask here. A model is a
module on Detectron2's ``META_ARCH_REGISTRY`` with Detectron2's convention: called with a batch, a list of dicts with
``"image"`` (3, h, w) in 0..255, it returns its losses in training mode and a dict for each image in evaluation mode.
A new architecture is registered there and, by ``register``, here; then it needs a configuration and a test.

``MASK_RCNN``, ``CLASSIFIER`` and ``SEGMENTER`` are ready; ``dataclasses.replace`` makes variants of them. Not here: how
a kind is exported (``segtumor.export.export``).
Letters: K classes, without normal; L lesions; h, w size that the model sees.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.structures import BitMasks, Boxes, Instances
from numpy.typing import NDArray
from torch import nn

from segtumor.models.classifiers.fusion import COLUMNS
from segtumor.models.classifiers.tasks import TASKS
from segtumor.models.detectors.image_head import fit_typicality
from segtumor.models.detectors.yolo.architecture import YOLO
from segtumor.models.detectors.yolo.fitting import set_anchors
from segtumor.models.detectron2_detector import ImageHeadModelDetector, ModelDetector
from segtumor.models.image_models import ModelClassifier, ModelOneStage, ModelSegmenter, classifier_of
from segtumor.runtime.protocols import Model
from segtumor.structures.masks import box_from_mask
from segtumor.tabular.values import source_of

#: One training example, or one image to predict, as models take it.
Example = dict[str, Any]
Losses = Mapping[str, torch.Tensor]
Batches = Iterable[list[Example]]
LossesOf = Callable[[nn.Module, list[Example]], Losses]


def own_losses(module: nn.Module, batch: list[Example]) -> Losses:
    """What the module itself returns in training mode: each loss by its name, to be added up."""
    losses: Losses = module(batch)
    return losses


@dataclass(frozen=True)
class Truth:
    """What is true of one augmented image.

    Attributes:
        masks: (L, h, w) bool; no mask is empty.
        class_ids: class of each lesion.
        image_class: of the whole image: 0 normal, ``class_id`` + 1; below 0 for a tumour of unknown class.
    """

    masks: NDArray[np.bool_]
    class_ids: Sequence[int]
    image_class: int


@dataclass(frozen=True, kw_only=True)
class ModelKind:
    """What differs between kinds of model.

    Attributes:
        name: for people and for ``export.json``.
        as_model: the module and the names of its classes to one of ``segtumor.runtime.protocols``.
        targets: ``Truth`` to the fields of a training example that hold it.
        losses: the module in training mode and a batch to its losses.
        count_key: where the module looks up the number of its classes; None if it reads ``MODEL.CLASS_NAMES``.
        weights_key: where the weights of the classes and, last, of background are set; None if it has none.
        metrics: what ``SOLVER.BEST_METRIC`` may name, beside "loss"; measured at each validation.
        finish: fits what is fitted once the weights are trained, on batches of the training and of the validation set
            without augmentation; None for nothing.
        prepare: sets what follows from the records of the training set in a configuration, not frozen, before the
            model is built; None for nothing.
        prepared: keys that it sets, which an evaluation takes from the run.
        needs_lesions: whether it learns from lesions alone, so that training without any is refused.
        context_keys: under which of ``COLUMNS`` (an input) and ``TASKS`` (supervision) it takes what is known of an
            image beside its pixels.
        fit: learns at once, in place of iterations: the module, batches of the training set without augmentation, the
            cases of their images and a seed; None for kinds that train.
    """

    name: str
    as_model: Callable[[nn.Module, Sequence[str]], Model]
    targets: Callable[[Truth], Mapping[str, Any]]
    losses: LossesOf = own_losses
    count_key: str | None = None
    weights_key: str | None = None
    metrics: tuple[str, ...] = ()
    finish: Callable[[Any, Batches, Batches], None] | None = None
    prepare: Callable[[CfgNode, Sequence[Mapping[str, Any]]], None] | None = None
    prepared: tuple[str, ...] = ()
    needs_lesions: bool = True
    context_keys: tuple[str, ...] = ()
    fit: Callable[[Any, Batches, Sequence[str], int], None] | None = None


def instance_targets(truth: Truth) -> dict[str, Instances]:
    """``"instances"``: a mask, its tight box and a class for each lesion, as Detectron2's detectors take them."""
    boxes = np.array([box_from_mask(mask) for mask in truth.masks], dtype=np.float32).reshape(-1, 4)
    instances = Instances(truth.masks.shape[1:])
    instances.gt_boxes = Boxes(torch.from_numpy(boxes))
    instances.gt_classes = torch.tensor(truth.class_ids, dtype=torch.int64)
    # A normal image needs the field too: Detectron2 fails on a batch in which only some images have it.
    instances.gt_masks = BitMasks(torch.from_numpy(truth.masks))
    return {"instances": instances}


def class_target(truth: Truth) -> dict[str, int]:
    """``"image_class"``: 0 normal, ``class_id`` + 1; below 0 for a tumour of unknown class, of no use in losses."""
    return {"image_class": truth.image_class}


def map_target(truth: Truth) -> dict[str, torch.Tensor]:
    """``"class_map"``: (h, w) int64, 0 background, ``class_id`` + 1; where lesions overlap, the higher class."""
    class_map = np.zeros(truth.masks.shape[1:], dtype=np.int64)
    for mask, class_id in zip(truth.masks, truth.class_ids, strict=True):
        np.maximum(class_map, mask * np.int64(class_id + 1), out=class_map)
    return {"class_map": torch.from_numpy(class_map)}


_OF_IMAGES = (
    *("image/accuracy", "image/sensitivity", "image/specificity", "image/auc", "image/brier"),
    *("image/class_accuracy", "image/macro_f1"),
)
_OF_LESIONS = ("segm/AP", "segm/AP50", "segm/AP75", "bbox/AP", "bbox/AP50", "dice")
MASK_RCNN = ModelKind(
    name="mask_rcnn",
    as_model=lambda module, _: ModelDetector(module),
    targets=instance_targets,
    count_key="MODEL.ROI_HEADS.NUM_CLASSES",
    weights_key="MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS",
    metrics=_OF_LESIONS,
)
#: With an image head (``detectors.image_head``).
IMAGE_HEAD_RCNN = dataclasses.replace(
    MASK_RCNN,
    name="mask_rcnn_image_head",
    as_model=ImageHeadModelDetector,
    targets=lambda truth: {**instance_targets(truth), **class_target(truth)},
    metrics=(*_OF_LESIONS, *_OF_IMAGES),
    finish=fit_typicality,
    context_keys=(TASKS,),
)
#: Boxes without masks (``MODEL.MASK_ON False``): Faster R-CNN (Ren et al. 2015), and the same with an image head.
FASTER_RCNN = dataclasses.replace(MASK_RCNN, name="faster_rcnn")
IMAGE_HEAD_FASTER_RCNN = dataclasses.replace(IMAGE_HEAD_RCNN, name="faster_rcnn_image_head")
#: Detectron2's RetinaNet (Lin et al. 2017): boxes without masks, and focal loss, which has no class weights.
RETINANET = dataclasses.replace(
    MASK_RCNN,
    name="retinanet",
    count_key="MODEL.RETINANET.NUM_CLASSES",
    weights_key=None,
    metrics=("bbox/AP", "bbox/AP50"),
)


def _one_stage(module: nn.Module, class_names: Sequence[str]) -> Model:
    if not isinstance(module, YOLO):
        raise TypeError(f"{type(module).__name__} is no one-stage detector")
    return ModelOneStage(module, class_names)


#: In evaluation mode it returns {"rows": ..., "prototypes": ...} for each image (``detectors.yolo``).
ONE_STAGE = dataclasses.replace(
    MASK_RCNN,
    name="one_stage",
    as_model=_one_stage,
    count_key=None,
    weights_key=None,
    prepare=set_anchors,
    prepared=("MODEL.YOLO.ANCHORS",),
)
#: In evaluation mode it returns {"image_probabilities": (K + 1,) in [0, 1], normal first} for each image.
CLASSIFIER = ModelKind(
    name="classifier",
    as_model=lambda module, _: ModelClassifier(module),
    targets=class_target,
    metrics=_OF_IMAGES,
    needs_lesions=False,
)
#: In evaluation mode it returns {"class_maps": (K, h, w) in [0, 1]} for each image.
SEGMENTER = ModelKind(
    name="segmenter",
    as_model=lambda module, _: ModelSegmenter(module),
    targets=map_target,
    metrics=_OF_LESIONS,
)

_IMAGE_CLASSIFIER = dataclasses.replace(CLASSIFIER, weights_key="MODEL.CLASSIFIER.CLASS_WEIGHTS")
_CONTEXT_CLASSIFIER = dataclasses.replace(_IMAGE_CLASSIFIER, as_model=classifier_of, context_keys=(COLUMNS, TASKS))
#: With a table as a further input (``MODEL.CLINICAL``).
TABLE_CLASSIFIER = dataclasses.replace(_CONTEXT_CLASSIFIER, name="table_classifier")
_KINDS = {
    "GeneralizedRCNN": MASK_RCNN,
    "ImageHeadRCNN": IMAGE_HEAD_RCNN,
    "RetinaNet": RETINANET,
    "YOLO": ONE_STAGE,
    "ImageClassifier": _CONTEXT_CLASSIFIER,
    "HogClassifier": dataclasses.replace(
        _IMAGE_CLASSIFIER, fit=lambda module, batches, cases, seed: module.fit(batches, cases, seed=seed)
    ),
    "UNet": SEGMENTER,
}


_WITHOUT_MASKS = {MASK_RCNN.name: FASTER_RCNN.name, IMAGE_HEAD_RCNN.name: IMAGE_HEAD_FASTER_RCNN.name}


def register(architecture: str, kind: ModelKind) -> None:
    """Say of which kind a name of Detectron2's ``META_ARCH_REGISTRY`` is; a later call replaces an earlier one."""
    _KINDS[architecture] = kind


def kind_of(cfg: CfgNode) -> ModelKind:
    """The kind of a configuration's model. An architecture that was not registered is taken for a Mask R-CNN."""
    kind = _KINDS.get(cfg.MODEL.META_ARCHITECTURE, MASK_RCNN)
    if kind is _CONTEXT_CLASSIFIER and cfg.MODEL.CLINICAL.COLUMNS:
        return TABLE_CLASSIFIER
    is_changed = not cfg.MODEL.MASK_ON and kind.name in _WITHOUT_MASKS
    return dataclasses.replace(kind, name=_WITHOUT_MASKS[kind.name]) if is_changed else kind


def class_count(cfg: CfgNode) -> int:
    """For how many classes, without normal or background, a configuration builds its model."""
    key = kind_of(cfg).count_key
    return int(_value(cfg, key)) if key else len(cfg.MODEL.CLASS_NAMES)


def set_classes(cfg: CfgNode, names: Sequence[str]) -> None:
    """Let a configuration, not frozen, build its model for these classes."""
    cfg.MODEL.CLASS_NAMES = list(names)
    key = kind_of(cfg).count_key
    if key:
        *groups, name = key.split(".")
        _value(cfg, ".".join(groups))[name] = len(names)


def class_weights(cfg: CfgNode) -> list[float]:
    """Weights of the classes and, last, of background in the classification loss; empty for equal weights."""
    key = kind_of(cfg).weights_key
    return [float(weight) for weight in _value(cfg, key)] if key else []


def context_fields(cfg: CfgNode) -> list[str]:
    """Fields of an image's entry that a configuration's model takes beside its pixels, as input or as supervision."""
    names = [*(column[0] for column in cfg.MODEL.CLINICAL.COLUMNS), *cfg.MODEL.AUXILIARY.TASKS]
    return list(dict.fromkeys(map(source_of, names)))


def _value(cfg: CfgNode, key: str) -> Any:
    value = cfg
    for name in key.split("."):
        value = value[name]
    return value
