"""Which values of a configuration are right: one table for Detectron2's keys and segtumor's own.

A value that is out of its range is refused by its key, before a model is built or data is read, by every command alike.
Keys that segtumor does not use (``configs/README.md``) have no row: their values are only of the right kind and finite.
Not here: whether values fit each other or the data, which shows when the model is built (``models.build``).
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from segtumor.errors import ConfigError
from segtumor.settings.files import is_address
from segtumor.settings.kinds import INT64, Rule, choice, each, is_number, percent_hint, real, shown, whole

_MAX_SIDE_PX = 20_000
_MAX_SEED = 2**31 - 1


def check_values(values: Mapping[str, Any]) -> None:
    """Refuse the first value that is wrong of a complete configuration, {key with dots: value}.

    Raises:
        ConfigError: names the key, the value and what is expected.
    """
    for key, value in values.items():
        rule = RULES.get(key)
        if rule is not None and not rule.holds(value):
            remedy = percent_hint(value) if rule is SHARE else None
            raise ConfigError("wrong value", where=key, got=shown(value), expected=rule.expected, remedy=remedy)
        _check_any(key, value)


def _check_any(key: str, value: Any) -> None:
    """What holds for every key: numbers are finite and fit into 64 bits, texts are not addresses."""
    for part in _parts(value):
        if isinstance(part, float) and not math.isfinite(part) and key not in _MAY_BE_INFINITE:
            raise ConfigError("wrong value", where=key, got=shown(value), expected="finite numbers")
        if isinstance(part, int) and not -INT64 <= part < INT64:
            raise ConfigError("wrong value", where=key, got=shown(value), expected="whole numbers of 64 bits")
        if isinstance(part, str) and "\0" in part:
            raise ConfigError("wrong value", where=key, got=shown(value), expected="no zero bytes")
        if isinstance(part, str) and is_address(part):
            remedy = "Save the file on this machine and name its path"
            raise ConfigError("an address, which is not opened", where=key, got=shown(value), remedy=remedy)


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _parts(part)
    else:
        yield value


def _off(why: str) -> Rule:
    return Rule(lambda v: v is False, f"False: {why}")


#: A share, a score, an overlap.
SHARE = real(0, 1)
_SHARE_ABOVE_0 = Rule(lambda v: is_number(v) and 0 < v <= 1, "a number above 0, at most 1")
_NOT_NEGATIVE, _POSITIVE = real(0), real(0, above=True)
_SIDE = whole(16, _MAX_SIDE_PX)
_TEXT = Rule(lambda v: isinstance(v, str) and v.strip() != "", "a text")
_NORM = choice("", "BN", "SyncBN", "FrozenBN", "GN", "nnSyncBN", "naiveSyncBN", "naiveSyncBN_N", "LN")
_POOLER = choice("ROIAlignV2", "ROIAlign", "ROIPool")
_BOX_LOSS = choice("smooth_l1", "giou")
_BOX_WEIGHTS = each(_POSITIVE, count=4)
_IOU_LABELS = each(whole(-1, 1), least=2)
_DEVICE = Rule(lambda v: isinstance(v, str) and bool(re.fullmatch(r"cpu|cuda(:[0-9]{1,3})?", v)), "cpu, cuda or cuda:N")
_THAW = Rule(
    lambda v: isinstance(v, (list, tuple)) and len(v) == 2 and real(0, 1, below=True).holds(v[0]) and type(v[1]) is str,
    "a proportion of the training and the beginning of names of parameters",
)
_MULTIPLE_OF_32 = Rule(lambda v: whole(32, _MAX_SIDE_PX).holds(v) and v % 32 == 0, "32, 64, 96, ...")
_CLASS_AND_POLICY = Rule(
    lambda v: isinstance(v, (list, tuple)) and len(v) == 2 and all(map(_TEXT.holds, v)), "a class and a policy"
)
_COLUMN = Rule(
    lambda v: isinstance(v, (list, tuple)) and len(v) in (2, 3) and all(type(part) is str for part in v),
    "a name, an encoding and, for numbers, an imputation, such as [age, zscore, median]",
)
_FITTED = Rule(lambda v: isinstance(v, Mapping), "what training has written")
_MAY_BE_INFINITE = {"SOLVER.CLIP_GRADIENTS.NORM_TYPE"}

#: Key -> what its value must be.
RULES = {
    "VERSION": whole(2, 2),
    "MODEL.LOAD_PROPOSALS": _off("segtumor makes proposals itself"),
    "MODEL.KEYPOINT_ON": _off("lesions have no key points"),
    "MODEL.DEVICE": _DEVICE,
    "MODEL.IMAGE_HEAD.HIDDEN": whole(1, 10_000),
    "MODEL.IMAGE_HEAD.DROPOUT": real(0, 1, below=True),
    "MODEL.IMAGE_HEAD.LOSS_WEIGHT": _NOT_NEGATIVE,
    "MODEL.PIXEL_HEAD.HIDDEN": whole(1, 10_000),
    "MODEL.PIXEL_HEAD.LOSS_WEIGHT": _NOT_NEGATIVE,
    "MODEL.CLASSIFIER.NAME": _TEXT,
    "MODEL.CLASSIFIER.DROPOUT": real(0, 1, below=True),
    "MODEL.CLASSIFIER.CLASS_WEIGHTS": each(_POSITIVE, least=0),
    "MODEL.CLINICAL.COLUMNS": each(_COLUMN, least=0),
    "MODEL.CLINICAL.HIDDEN": whole(1, 10_000),
    "MODEL.CLINICAL.DROPOUT": real(0, 1, below=True),
    "MODEL.CLINICAL.ALLOW_LEAKS": each(_TEXT, least=0),
    "MODEL.CLINICAL.FITTED": each(_FITTED, least=0),
    "MODEL.AUXILIARY.TASKS": each(_TEXT, least=0),
    "MODEL.AUXILIARY.LOSS_WEIGHT": _NOT_NEGATIVE,
    "MODEL.AUXILIARY.VALUES": each(each(_TEXT), least=0),
    "MODEL.HOG.CELL_PX": whole(2, _MAX_SIDE_PX),
    "MODEL.HOG.ORIENTATIONS": whole(2, 180),
    "MODEL.HOG.SMOOTHING_PX": each(real(0, 100)),
    "MODEL.HOG.CLASSIFIER": choice("svm", "elm", "forest"),
    "MODEL.HOG.COST": _POSITIVE,
    "MODEL.HOG.HIDDEN": whole(1, 100_000),
    "MODEL.HOG.TREES": whole(1, 10_000),
    "MODEL.HOG.LEAVES": whole(2, 100_000),
    "MODEL.UNET.WIDTH": whole(1, 256),
    "MODEL.UNET.DICE_WEIGHT": _NOT_NEGATIVE,
    "MODEL.YOLO.WIDTH": real(0.1, 4),
    "MODEL.YOLO.DEPTH": real(0, 4),
    "MODEL.YOLO.IN_FEATURES": each(_TEXT, count=3),
    "MODEL.YOLO.ANCHORS": each(each(_POSITIVE, least=2), count=3),
    "MODEL.YOLO.PROTOTYPES": whole(1, 256),
    **{f"MODEL.YOLO.LOSS_WEIGHTS.{name}": _NOT_NEGATIVE for name in ("BOX", "OBJECTNESS", "CLASS", "MASK")},
    "MODEL.YOLO.SCORE_THRESH_TEST": SHARE,
    "MODEL.YOLO.NMS_THRESH_TEST": SHARE,
    "MODEL.YOLO.SIZE_MULTIPLE": _MULTIPLE_OF_32,
    "INPUT.MOSAIC": SHARE,
    "INPUT.COPY_PASTE": SHARE,
    "INPUT.MIXUP": SHARE,
    "MODEL.PIXEL_MEAN": each(real(-INT64), count=3),
    "MODEL.PIXEL_STD": each(_POSITIVE, count=3),
    "MODEL.BACKBONE.FREEZE_AT": whole(0, 6),
    "MODEL.CLASS_NAMES": each(_TEXT, least=0),
    "MODEL.FPN.IN_FEATURES": each(_TEXT, least=0),
    "MODEL.FPN.OUT_CHANNELS": whole(1),
    "MODEL.FPN.NORM": _NORM,
    "MODEL.FPN.FUSE_TYPE": choice("sum", "avg"),
    "MODEL.PROPOSAL_GENERATOR.MIN_SIZE": _NOT_NEGATIVE,
    "MODEL.ANCHOR_GENERATOR.SIZES": each(each(_POSITIVE)),
    "MODEL.ANCHOR_GENERATOR.ASPECT_RATIOS": each(each(_POSITIVE)),
    "MODEL.ANCHOR_GENERATOR.OFFSET": real(0, 1, below=True),
    "MODEL.RPN.IN_FEATURES": each(_TEXT),
    "MODEL.RPN.BOUNDARY_THRESH": whole(-1),
    "MODEL.RPN.IOU_THRESHOLDS": each(SHARE, rising=True),
    "MODEL.RPN.IOU_LABELS": _IOU_LABELS,
    "MODEL.RPN.BATCH_SIZE_PER_IMAGE": whole(1),
    "MODEL.RPN.POSITIVE_FRACTION": _SHARE_ABOVE_0,
    "MODEL.RPN.BBOX_REG_LOSS_TYPE": _BOX_LOSS,
    "MODEL.RPN.BBOX_REG_LOSS_WEIGHT": _NOT_NEGATIVE,
    "MODEL.RPN.BBOX_REG_WEIGHTS": _BOX_WEIGHTS,
    "MODEL.RPN.SMOOTH_L1_BETA": _NOT_NEGATIVE,
    "MODEL.RPN.LOSS_WEIGHT": _NOT_NEGATIVE,
    **{f"MODEL.RPN.{when}_NMS_TOPK_{what}": whole(1) for when in ("PRE", "POST") for what in ("TRAIN", "TEST")},
    "MODEL.RPN.NMS_THRESH": SHARE,
    "MODEL.RPN.CONV_DIMS": each(Rule(lambda v: v == -1 or whole(1).holds(v), "a whole number from 1, or -1")),
    "MODEL.ROI_HEADS.NUM_CLASSES": whole(1),
    "MODEL.ROI_HEADS.IN_FEATURES": each(_TEXT),
    "MODEL.ROI_HEADS.IOU_THRESHOLDS": each(SHARE, rising=True),
    "MODEL.ROI_HEADS.IOU_LABELS": _IOU_LABELS,
    "MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE": whole(1),
    "MODEL.ROI_HEADS.POSITIVE_FRACTION": _SHARE_ABOVE_0,
    "MODEL.ROI_HEADS.SCORE_THRESH_TEST": SHARE,
    "MODEL.ROI_HEADS.NMS_THRESH_TEST": SHARE,
    "MODEL.ROI_BOX_HEAD.BBOX_REG_LOSS_TYPE": _BOX_LOSS,
    "MODEL.ROI_BOX_HEAD.BBOX_REG_LOSS_WEIGHT": _NOT_NEGATIVE,
    "MODEL.ROI_BOX_HEAD.BBOX_REG_WEIGHTS": _BOX_WEIGHTS,
    "MODEL.ROI_BOX_HEAD.SMOOTH_L1_BETA": _NOT_NEGATIVE,
    "MODEL.ROI_BOX_HEAD.NUM_FC": whole(0, 100),
    "MODEL.ROI_BOX_HEAD.FC_DIM": whole(1),
    "MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS": each(_POSITIVE, least=0),
    "MODEL.ROI_BOX_CASCADE_HEAD.IOUS": each(SHARE),
    "MODEL.ROI_BOX_CASCADE_HEAD.BBOX_REG_WEIGHTS": each(_BOX_WEIGHTS),
    **{
        f"MODEL.{head}.{key}": rule
        for head in ("ROI_BOX_HEAD", "ROI_MASK_HEAD")
        for key, rule in {
            "POOLER_RESOLUTION": whole(1, 1000),
            "POOLER_SAMPLING_RATIO": whole(0, 100),
            "POOLER_TYPE": _POOLER,
            "NUM_CONV": whole(0, 100),
            "CONV_DIM": whole(1),
            "NORM": _NORM,
        }.items()
    },
    "MODEL.RESNETS.DEPTH": Rule(lambda v: v in (18, 34, 50, 101, 152), "18, 34, 50, 101 or 152"),
    "MODEL.RESNETS.OUT_FEATURES": each(_TEXT),
    "MODEL.RESNETS.NUM_GROUPS": whole(1),
    "MODEL.RESNETS.NORM": _NORM,
    "MODEL.RESNETS.WIDTH_PER_GROUP": whole(1),
    "MODEL.RESNETS.RES5_DILATION": whole(1, 2),
    "MODEL.RESNETS.RES2_OUT_CHANNELS": whole(1),
    "MODEL.RESNETS.STEM_OUT_CHANNELS": whole(1),
    "MODEL.VGG.DEPTH": Rule(lambda v: v in (16, 19), "16 or 19"),
    "MODEL.VGG.NORM": choice("", "BN", "FrozenBN", "GN"),
    "MODEL.VGG.OUT_FEATURES": each(choice("conv1", "conv2", "conv3", "conv4", "conv5", "pool5")),
    "MODEL.VGG.CHANNELS": each(whole(1), least=0),
    "MODEL.EFFICIENTNET_LITE.VARIANT": whole(0, 2),
    "MODEL.EFFICIENTNET_LITE.NORM": choice("BN", "SyncBN", "FrozenBN"),
    "MODEL.TORCHVISION.NAME": choice("mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "densenet121"),
    "MODEL.TORCHVISION.NORM": choice("BN", "FrozenBN"),
    "INPUT.MIN_SIZE_TRAIN": each(_SIDE),
    "INPUT.MAX_SIZE_TRAIN": _SIDE,
    "INPUT.MIN_SIZE_TEST": _SIDE,
    "INPUT.MAX_SIZE_TEST": _SIDE,
    "INPUT.WINDOW_PERCENTILES": each(real(0, 100), count=2, rising=True),
    "INPUT.PREPROCESSING": each(_TEXT, least=0),
    "INPUT.AUGMENTATION_BY_CLASS": each(_CLASS_AND_POLICY, least=0),
    "INPUT.SPACING_MM": real(0, 100),
    "INPUT.SPACING_UNKNOWN": choice("scale", "refuse"),
    "INPUT.MAX_PIXELS": whole(1),
    "INPUT.MIN_LESION_AREA_PX": whole(0),
    "INPUT.CACHE_MAX_GB": _POSITIVE,
    "DATASETS.TRAIN": each(_TEXT, least=0),
    "DATASETS.VALIDATION": each(_TEXT, least=0),
    "DATASETS.TEST": each(_TEXT, least=0),
    "DATASETS.CLASSES": each(_TEXT, least=0),
    "DATALOADER.NUM_WORKERS": whole(0, 256),
    "DATALOADER.WORKER_TIMEOUT_S": whole(0, 86_400),
    "DATALOADER.REPEAT_THRESHOLD": SHARE,
    "SOLVER.LR_SCHEDULER_NAME": choice("WarmupCosineLR", "WarmupMultiStepLR"),
    "SOLVER.OPTIMIZER": choice("SGD", "ADAM", "ADAMW"),
    "SOLVER.EPOCHS": whole(0, 100_000),
    "SOLVER.PLATEAU_PATIENCE": whole(0),
    "SOLVER.THAW": each(_THAW, least=0),
    "SOLVER.MAX_ITER": whole(1, 10**9),
    "SOLVER.BASE_LR": _POSITIVE,
    "SOLVER.MOMENTUM": real(0, 1, below=True),
    "SOLVER.AVERAGE_DECAY": real(0, 1, below=True),
    "SOLVER.WEIGHT_DECAY": _NOT_NEGATIVE,
    "SOLVER.WEIGHT_DECAY_NORM": _NOT_NEGATIVE,
    "SOLVER.WEIGHT_DECAY_BIAS": Rule(lambda v: v is None or _NOT_NEGATIVE.holds(v), "a number 0 or more, or null"),
    "SOLVER.BIAS_LR_FACTOR": _NOT_NEGATIVE,
    "SOLVER.GAMMA": _SHARE_ABOVE_0,
    "SOLVER.STEPS": each(whole(0), least=0, rising=True),
    "SOLVER.WARMUP_FACTOR": SHARE,
    "SOLVER.WARMUP_ITERS": whole(0),
    "SOLVER.WARMUP_METHOD": choice("linear", "constant"),
    "SOLVER.CHECKPOINT_PERIOD": whole(1),
    "SOLVER.IMS_PER_BATCH": whole(1, 10_000),
    "SOLVER.EARLY_STOPPING_PATIENCE": whole(0),
    "SOLVER.CLIP_GRADIENTS.CLIP_TYPE": choice("value", "norm"),
    "SOLVER.CLIP_GRADIENTS.CLIP_VALUE": _POSITIVE,
    "SOLVER.CLIP_GRADIENTS.NORM_TYPE": Rule(lambda v: type(v) in (int, float) and v > 0, "a number above 0"),
    "TEST.EVAL_PERIOD": Rule(whole(0).holds, "0 (only at the end) or more"),
    "TEST.DETECTIONS_PER_IMAGE": whole(1),
    "TEST.CONFIDENCE_THRESHOLD": SHARE,
    "TEST.HIT_IOU": _SHARE_ABOVE_0,
    "OPERATING_POINTS.SENSITIVITY": _SHARE_ABOVE_0,
    "OPERATING_POINTS.SPECIFICITY": _SHARE_ABOVE_0,
    "OPERATING_POINTS.FALSE_POSITIVES": _NOT_NEGATIVE,
    "OPERATING_POINTS.RISK": Rule(lambda v: is_number(v) and 0 < v < 1, "a number between 0 and 1"),
    "OPERATING_POINTS.USED": choice(
        *("", "youden", "sensitivity", "specificity", "risk", "false-positives", "dice", "lesion-risk")
    ),
    "OUTPUT_DIR": Rule(_TEXT.holds, "the path of a folder"),
    "SEED": Rule(whole(-INT64, _MAX_SEED).holds, f"a whole number up to {_MAX_SEED}; below 0 one is drawn"),
    "VIS_PERIOD": whole(0),
    "POSTPROCESSING.SUPPRESS_IOU": SHARE,
    "POSTPROCESSING.MIN_PART_FRACTION": SHARE,
    "POSTPROCESSING.SMOOTH_RADIUS_PX": real(0, 100),
    "POSTPROCESSING.MIN_AREA_PX": _NOT_NEGATIVE,
}
