"""Configuration: Detectron2's own keys, the few that segtumor adds, and reading a file with clear errors.

Classes are built from a configuration by their ``from_config``; apart from these, only ``training.train``,
``export.export``, ``training.batches.loaders`` and the commands read one. Everything else takes plain arguments.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from segtumor import compat  # noqa: F401  must run before Detectron2 is imported
from segtumor.errors import ConfigError
from segtumor.settings.files import read_settings
from segtumor.settings.kinds import as_kind_of, shown
from segtumor.settings.nested import leaves
from segtumor.settings.values import check_values

# isort: split
from detectron2.config import CfgNode, get_cfg

import segtumor.models.backbones.csp
import segtumor.models.backbones.efficientnet_lite
import segtumor.models.backbones.narrow_resnet
import segtumor.models.backbones.torchvision_features
import segtumor.models.backbones.vgg
import segtumor.models.classifiers.hog_classifier
import segtumor.models.classifiers.image_classifier
import segtumor.models.detectors.image_head
import segtumor.models.detectors.roi_heads
import segtumor.models.detectors.yolo.architecture
import segtumor.models.segmenters.unet  # noqa: F401  they register the model parts that configurations name

_AUGMENTATION = "INPUT.AUGMENTATION"


def add_segtumor_config(cfg: CfgNode) -> None:
    """Add segtumor's keys, with their defaults, to a Detectron2 configuration."""
    _add_model_keys(cfg)
    _add_data_keys(cfg)
    _add_training_keys(cfg)
    _add_finding_keys(cfg)


def _add_model_keys(cfg: CfgNode) -> None:
    # Names of the classes in the order of their class_id; filled from the training set and stored with the run.
    cfg.MODEL.CLASS_NAMES = []
    # Weights and maps of convolutions in (N, H, W, C) order: quicker on CPUs; results agree but for rounding.
    cfg.MODEL.CHANNELS_LAST = False

    # VGG backbone: 16 or 19 layers; normalisation "", "BN", "FrozenBN" or "GN"; maps among conv1..conv5, pool5.
    cfg.MODEL.VGG = CfgNode()
    cfg.MODEL.VGG.DEPTH = 19
    cfg.MODEL.VGG.NORM = ""
    cfg.MODEL.VGG.OUT_FEATURES = ["conv5"]
    # Output channels of each convolution, 16 numbers (13 for depth 16) from 1; [] for the published 64 to 512 (Simonyan
    # & Zisserman 2015, table 1). tools/prune.py writes them.
    cfg.MODEL.VGG.CHANNELS = []

    # EfficientNet-Lite backbone: variant 0, 1 or 2; normalisation "BN", "SyncBN" or "FrozenBN".
    cfg.MODEL.EFFICIENTNET_LITE = CfgNode()
    cfg.MODEL.EFFICIENTNET_LITE.VARIANT = 0
    cfg.MODEL.EFFICIENTNET_LITE.NORM = "BN"

    # Network of torchvision as backbone: "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0" or "densenet121";
    # normalisation "BN" or "FrozenBN".
    cfg.MODEL.TORCHVISION = CfgNode()
    cfg.MODEL.TORCHVISION.NAME = "mobilenet_v2"
    cfg.MODEL.TORCHVISION.NORM = "BN"

    # Of META_ARCHITECTURE ImageHeadRCNN: width of the hidden layer, dropout, [0, 1), weight of its loss, 0 or more.
    cfg.MODEL.IMAGE_HEAD = CfgNode()
    cfg.MODEL.IMAGE_HEAD.HIDDEN = 128
    cfg.MODEL.IMAGE_HEAD.DROPOUT = 0.2
    cfg.MODEL.IMAGE_HEAD.LOSS_WEIGHT = 1.0
    # Of the same: whether it learns a map of lesions too, the map's channels, weight of its loss, 0 or more.
    cfg.MODEL.PIXEL_HEAD = CfgNode()
    cfg.MODEL.PIXEL_HEAD.ENABLED = False
    cfg.MODEL.PIXEL_HEAD.HIDDEN = 64
    cfg.MODEL.PIXEL_HEAD.LOSS_WEIGHT = 1.0

    _add_classifier_keys(cfg)

    # Of META_ARCHITECTURE UNet: channels of the decoder's finest step; weight of the Dice loss, 0 or more.
    cfg.MODEL.UNET = CfgNode()
    cfg.MODEL.UNET.WIDTH = 32
    cfg.MODEL.UNET.DICE_WEIGHT = 1.0

    _add_yolo_keys(cfg)

    # Weight of each class and, last, of background in the classification loss; [] for equal weights.
    cfg.MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS = []


def _add_classifier_keys(cfg: CfgNode) -> None:
    # Of META_ARCHITECTURE ImageClassifier: network (models.classifiers.networks), dropout, [0, 1), and the weight of
    # each class and, last, of normal in the loss; [] for equal weights.
    cfg.MODEL.CLASSIFIER = CfgNode()
    cfg.MODEL.CLASSIFIER.NAME = "densenet121"
    cfg.MODEL.CLASSIFIER.DROPOUT = 0.2
    cfg.MODEL.CLASSIFIER.CLASS_WEIGHTS = []

    # Of META_ARCHITECTURE ImageClassifier: a table as a further input. Columns, each [name, encoding, imputation]
    # (segtumor.tabular); width of its layers; proportion of rows left out in training, [0, 1); columns that are taken
    # although they give the answer away; and what training has fitted, stored with the run.
    cfg.MODEL.CLINICAL = CfgNode()
    cfg.MODEL.CLINICAL.COLUMNS = []
    cfg.MODEL.CLINICAL.HIDDEN = 32
    cfg.MODEL.CLINICAL.DROPOUT = 0.3
    cfg.MODEL.CLINICAL.ALLOW_LEAKS = []
    cfg.MODEL.CLINICAL.FITTED = []

    # Of META_ARCHITECTURE ImageClassifier: fields of images that are learnt beside the class, and the weight of each
    # one's loss, 0 or more; their values are filled from the training set and stored with the run.
    cfg.MODEL.AUXILIARY = CfgNode()
    cfg.MODEL.AUXILIARY.TASKS = []
    cfg.MODEL.AUXILIARY.LOSS_WEIGHT = 0.3
    cfg.MODEL.AUXILIARY.VALUES = []

    # Of META_ARCHITECTURE HogClassifier: side of a cell, px, a divisor of INPUT.MIN_SIZE_TEST; bins of 180 degrees;
    # standard deviation of the Gaussian before each level of gradients, px, 0 for none; "svm", "elm" or "forest".
    cfg.MODEL.HOG = CfgNode()
    cfg.MODEL.HOG.CELL_PX = 16
    cfg.MODEL.HOG.ORIENTATIONS = 9
    cfg.MODEL.HOG.SMOOTHING_PX = [0.0]
    cfg.MODEL.HOG.CLASSIFIER = "svm"
    # Weight of errors against simplicity, of svm and elm; hidden values of elm; trees of forest and leaves of a tree.
    cfg.MODEL.HOG.COST = 0.01
    cfg.MODEL.HOG.HIDDEN = 1000
    cfg.MODEL.HOG.TREES = 200
    cfg.MODEL.HOG.LEAVES = 128


def _add_yolo_keys(cfg: CfgNode) -> None:
    # Of META_ARCHITECTURE YOLO: multiples of the channels and of the numbers of blocks; 0.5 and 0.33 are YOLOv5s's.
    cfg.MODEL.YOLO = CfgNode()
    cfg.MODEL.YOLO.WIDTH = 0.5
    cfg.MODEL.YOLO.DEPTH = 0.33
    # Maps of the backbone, of strides 8, 16 and 32.
    cfg.MODEL.YOLO.IN_FEATURES = ["res3", "res4", "res5"]
    # Width and height of each anchor in px, a list for each map, finest first; YOLOv5's for 640 px. With FIT_ANCHORS
    # training replaces them by its own, fitted to the lesions of its training set.
    cfg.MODEL.YOLO.ANCHORS = [
        [10.0, 13.0, 16.0, 30.0, 33.0, 23.0],
        [30.0, 61.0, 62.0, 45.0, 59.0, 119.0],
        [116.0, 90.0, 156.0, 198.0, 373.0, 326.0],
    ]
    cfg.MODEL.YOLO.FIT_ANCHORS = True
    # Maps that masks are sums of; MODEL.MASK_ON False leaves masks out.
    cfg.MODEL.YOLO.PROTOTYPES = 32
    # Weights of the losses, 0 or more.
    cfg.MODEL.YOLO.LOSS_WEIGHTS = CfgNode()
    cfg.MODEL.YOLO.LOSS_WEIGHTS.BOX = 0.05
    cfg.MODEL.YOLO.LOSS_WEIGHTS.OBJECTNESS = 1.0
    cfg.MODEL.YOLO.LOSS_WEIGHTS.CLASS = 0.05
    cfg.MODEL.YOLO.LOSS_WEIGHTS.MASK = 0.05
    # Findings score above it; of two of a class that overlap by more, the better one stays, [0, 1].
    cfg.MODEL.YOLO.SCORE_THRESH_TEST = 0.05
    cfg.MODEL.YOLO.NMS_THRESH_TEST = 0.6
    # Images are padded to a multiple of it, px; 32 or a multiple of that. 640 makes squares of what is no larger.
    cfg.MODEL.YOLO.SIZE_MULTIPLE = 32


def _add_data_keys(cfg: CfgNode) -> None:
    # Gray values at these percentiles of an image become black and white, [0, 100]: 8-bit, 16-bit and float look alike.
    cfg.INPUT.WINDOW_PERCENTILES = [0.5, 99.5]
    # Images with more pixels than this, by their header, are refused.
    cfg.INPUT.MAX_PIXELS = 64_000_000
    # Steps between the window and the model, in order (segtumor.imaging.steps): clahe, equalize, zscore, ...
    cfg.INPUT.PREPROCESSING = []
    # Side of a pixel of what the model sees, mm, of radiographs that say their spacing, in place of MIN_SIZE_TRAIN and
    # MIN_SIZE_TEST; 0 for none. Others: "scale" to these sizes, or "refuse".
    cfg.INPUT.SPACING_MM = 0.0
    cfg.INPUT.SPACING_UNKNOWN = "scale"
    # Images are stretched to squares of MIN_SIZE_TRAIN and MIN_SIZE_TEST, whatever their shape.
    cfg.INPUT.SQUARE = False
    # Name of a policy in segtumor.training.batches.augmentation, or a file that albumentations has written.
    cfg.INPUT.AUGMENTATION = "radiograph"
    # How often a training image is put together of parts of four, [0, 1].
    cfg.INPUT.MOSAIC = 0.0
    # How often one that is not gets a lesion of another training image, [0, 1].
    cfg.INPUT.COPY_PASTE = 0.0
    # How often another training image shines through one that neither happened to, [0, 1].
    cfg.INPUT.MIXUP = 0.0
    # Pairs of a class, or "normal", and the policy of its images in place of that one.
    cfg.INPUT.AUGMENTATION_BY_CLASS = []
    # Lesions with fewer pixels than this after augmentation are dropped from that training step.
    cfg.INPUT.MIN_LESION_AREA_PX = 4
    # Folder that keeps decoded images at the training size, of its own; "" for none. It holds patients' pixels.
    cfg.INPUT.CACHE_DIR = ""
    # Gigabytes (1e9 bytes) that it may hold, above 0.
    cfg.INPUT.CACHE_MAX_GB = 20.0

    # Seconds that a process may take to read a batch, after which the training ends and names the file; 0 for ever.
    cfg.DATALOADER.WORKER_TIMEOUT_S = 180

    # Sets that choose the best model and stop training; DATASETS.TEST is evaluated once, with that model.
    cfg.DATASETS.VALIDATION = ()
    # Classes of the files that count as another, texts LABEL=CLASS; and whether normal images are used at all.
    cfg.DATASETS.CLASSES = []
    cfg.DATASETS.NORMAL = True


def _add_training_keys(cfg: CfgNode) -> None:
    # "SGD" as Detectron2 has it, "ADAM" or "ADAMW".
    cfg.SOLVER.OPTIMIZER = "SGD"
    # Passes over the training set, in place of SOLVER.MAX_ITER, with a validation after each; 0 for none.
    cfg.SOLVER.EPOCHS = 0
    # The learning rate is multiplied by SOLVER.GAMMA after so many validations without improvement; 0 for never.
    cfg.SOLVER.PLATEAU_PATIENCE = 0
    # Pairs of a proportion of the training, [0, 1), and the beginning of names of parameters that train from then on;
    # all others stay as they are until their turn. [] trains everything from the start.
    cfg.SOLVER.THAW = []
    # Decay of a moving average of the weights, which is validated and kept as the best model, [0, 1); 0 for none.
    cfg.SOLVER.AVERAGE_DECAY = 0.0
    # Metric of the validation set that chooses model_best.pth: "segm/AP50", "bbox/AP", "dice", "loss", ...
    cfg.SOLVER.BEST_METRIC = "segm/AP50"
    # Validations without improvement after which training stops; 0 never stops early.
    cfg.SOLVER.EARLY_STOPPING_PATIENCE = 0


def _add_finding_keys(cfg: CfgNode) -> None:
    # Findings below this score are not drawn and do not count in metrics at an operating point, [0, 1].
    cfg.TEST.CONFIDENCE_THRESHOLD = 0.5
    # Intersection over union from which a finding hits a lesion, (0, 1].
    cfg.TEST.HIT_IOU = 0.5

    # Thresholds that training chooses on the validation set and keeps with the model: for a sensitivity and a
    # specificity of images, (0, 1], for so many findings per normal image, 0 or more, and for a risk, (0, 1), of a
    # missed tumour image, a missed lesion and a prediction set without the true class.
    cfg.OPERATING_POINTS = CfgNode()
    cfg.OPERATING_POINTS.SENSITIVITY = 0.9
    cfg.OPERATING_POINTS.SPECIFICITY = 0.9
    cfg.OPERATING_POINTS.FALSE_POSITIVES = 0.3
    cfg.OPERATING_POINTS.RISK = 0.1
    # Name of the one that takes the place of TEST.CONFIDENCE_THRESHOLD; "" for none.
    cfg.OPERATING_POINTS.USED = ""

    # Findings of any class that overlap by more than this IoU are one lesion; 1 switches suppression off.
    cfg.POSTPROCESSING = CfgNode()
    cfg.POSTPROCESSING.SUPPRESS_IOU = 0.5
    # Holes inside a mask are filled.
    cfg.POSTPROCESSING.FILL_HOLES = True
    # Separate parts smaller than this fraction of the largest part are removed, [0, 1].
    cfg.POSTPROCESSING.MIN_PART_FRACTION = 0.05
    # Radius of contour smoothing, px of the original image; 0 leaves contours as predicted.
    cfg.POSTPROCESSING.SMOOTH_RADIUS_PX = 0.0
    # Findings with fewer pixels than this are dropped.
    cfg.POSTPROCESSING.MIN_AREA_PX = 1.0


def new_config() -> CfgNode:
    """Detectron2's defaults with segtumor's keys."""
    cfg = get_cfg()
    add_segtumor_config(cfg)
    return cfg


def load_config(config_file: str | Path, overrides: Iterable[str] = ()) -> CfgNode:
    """Read a configuration file and command-line overrides; the configuration is not frozen.

    Args:
        config_file: YAML file; ``_BASE_`` names the file it builds on, relative to itself.
        overrides: KEY VALUE pairs, flat, as typed.

    Raises:
        ConfigError: the file is missing, not YAML, or a key or value is wrong; an unknown key names the nearest one.
    """
    cfg = new_config()
    for path, settings in read_settings(config_file):
        for key, value in _once_each(settings, path):
            _set(cfg, key, _beside(path, value) if key == _AUGMENTATION else value, f"{path}, {key}")
    overrides = [text for text in overrides if text != "--"]
    _check_pairs(overrides)
    for key, text in zip(overrides[::2], overrides[1::2], strict=True):
        value = _beside(Path("command line"), text) if key == _AUGMENTATION else text
        _set(cfg, key, value, f"command line, {key}")
    check_config(cfg)
    return cfg


def _beside(path: Path, value: Any) -> Any:
    """The value of a setting that names a file: the file beside ``path``, if there is one of that name."""
    file = path.parent / value if isinstance(value, str) and "\0" not in value and Path(value).suffix else None
    return str(file.absolute()) if file is not None and file.is_file() else value


def check_config(cfg: CfgNode) -> None:
    """Refuse values that Detectron2 or segtumor would only stumble over later.

    Raises:
        ConfigError: names the key, the value and what is expected.
    """
    check_values(dict(leaves(cfg)))


def _check_pairs(overrides: list[str]) -> None:
    late = next((text for text in overrides if text.startswith("--")), None)
    if late is not None:
        remedy = f"Put {late} before {overrides[0]}" if late != overrides[0] else "--help lists the options"
        raise ConfigError("options come before settings", where="command line", got=late, remedy=remedy)
    if len(overrides) % 2:
        raise ConfigError(
            "settings come in pairs",
            where="command line",
            got=" ".join(overrides),
            expected="KEY VALUE [KEY VALUE ...]",
            remedy='Lists are quoted: KEY "[1, 2]"',
        )


def _once_each(settings: Mapping[str, Any], path: Path) -> Iterator[tuple[str, Any]]:
    """``leaves`` of a file; ``A.B: 1`` beside ``A: {B: 2}`` is the same key twice."""
    seen: set[str] = set()
    for key, value in leaves(settings):
        if key in seen:
            raise ConfigError("duplicate key", where=f"{path}, {key}", remedy="Keep the one that is meant")
        seen.add(key)
        yield key, value


def _set(cfg: CfgNode, key: str, value: Any, where: str) -> None:
    """Give a key its value, read as the kind that its default is of."""
    *groups, name = key.split(".")
    node = cfg
    for group in groups:
        node = node.get(group) if isinstance(node, CfgNode) else None
    if not isinstance(node, CfgNode) or name not in node:
        raise _unknown(cfg, key, where)
    if isinstance(node[name], CfgNode):
        if value is None:  # a group of which a file says nothing
            return
        expected = f"a group of settings, such as {key}.{next(iter(node[name]))}"
        raise ConfigError("wrong value", where=where, got=shown(value), expected=expected)
    node[name] = as_kind_of(node[name], value, where=where)


def _unknown(cfg: CfgNode, key: str, where: str) -> ConfigError:
    known = [key for key, _ in leaves(cfg)]
    near = difflib.get_close_matches(key, known, n=1) or _same_last_part(key, known)
    remedy = f"Did you mean {near[0]}?" if near else "configs/README.md lists the keys"
    return ConfigError("unknown key", where=where.removesuffix(f", {key}"), got=f"{key:.100}", remedy=remedy)


def _same_last_part(unknown: str, known: Iterable[str]) -> list[str]:
    last = {key: key.rpartition(".")[2] for key in known}
    near = difflib.get_close_matches(unknown.rpartition(".")[2].upper(), set(last.values()), n=1)
    return [key for key in known if near and last[key] == near[0]][:1]
