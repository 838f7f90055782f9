"""Every kind of model learns eight images by heart: what they show, of which class, and where."""

import numpy as np
import pytest
import torch
from overfitting import overfit

from segtumor.config import load_config
from segtumor.models.build import create_model, predictor_from_config
from segtumor.models.kinds import Truth, kind_of, set_classes
from segtumor.structures.boxes import box_iou
from segtumor.structures.masks import box_from_mask

pytestmark = pytest.mark.model

NAMES = ["benign", "malignant"]
SIDE_PX = 64
#: Narrow, on a finer anchor grid than radiographs need, and no limit of scores.
DETECTOR = {
    "MODEL.RESNETS.STEM_OUT_CHANNELS": "16",
    "MODEL.FPN.OUT_CHANNELS": "32",
    "MODEL.ROI_BOX_HEAD.FC_DIM": "64",
    "MODEL.ROI_MASK_HEAD.CONV_DIM": "32",
    "MODEL.ROI_HEADS.SCORE_THRESH_TEST": "0.01",
}
ANCHORS = "[[16, 16, 20, 24, 12, 12], [30, 30, 40, 30, 30, 40], [60, 60, 80, 80, 60, 80]]"
#: Configuration, settings, learning rate, steps, and the least overlap (Dice of masks, IoU of boxes).
SYSTEMS = {
    "classifier": (
        "classifier_efficientnet_lite0",
        {"MODEL.CLASSIFIER.NAME": "shufflenet_v2_x0_5", "INPUT.MIN_SIZE_TEST": "64"},
        1e-3,
        80,
        None,
    ),
    "U-Net": ("tiny_phantoms", {"MODEL.META_ARCHITECTURE": "UNet", "MODEL.UNET.WIDTH": "16"}, 3e-3, 60, 0.85),
    "one-stage detector": (
        "yolov5n_phantoms",
        {"MODEL.YOLO.WIDTH": "0.125", "MODEL.YOLO.ANCHORS": ANCHORS},
        5e-3,
        60,
        0.75,
    ),
    "Mask R-CNN with an image head": (
        "tiny_phantoms",
        {**DETECTOR, "MODEL.META_ARCHITECTURE": "ImageHeadRCNN"},
        3e-3,
        100,
        0.75,
    ),
    "Faster R-CNN": ("tiny_phantoms", {**DETECTOR, "MODEL.MASK_ON": "False"}, 3e-3, 100, 0.6),
    "RetinaNet": (
        "tiny_phantoms",
        {
            **DETECTOR,
            "MODEL.META_ARCHITECTURE": "RetinaNet",
            "MODEL.RETINANET.IN_FEATURES": "['p3', 'p4', 'p5', 'p6']",
            "MODEL.RETINANET.NUM_CONVS": "1",
            "MODEL.ANCHOR_GENERATOR.SIZES": "[[16], [32], [64], [128]]",
        },
        3e-3,
        100,
        0.6,
    ),
}


def scenes():
    """Eight pictures of noise: two normal, three with a bright square, benign, and three with a dark one, malignant;
    (pixels, mask, class of the image)."""
    rng = np.random.default_rng(0)
    found = []
    for index in range(8):
        pixels, mask = rng.normal(0.4, 0.05, (SIDE_PX, SIDE_PX)).astype(np.float32), np.zeros((SIDE_PX, SIDE_PX), bool)
        top, left = rng.integers(4, 36, 2)
        if index % 4:
            mask[top : top + 20, left : left + 24] = True
            pixels[mask] += 0.2 if index % 2 else -0.2
        found.append((pixels, mask, 0 if not index % 4 else 1 if index % 2 else 2))
    return found


def examples_of(cfg):
    targets = kind_of(cfg).targets
    for pixels, mask, image_class in scenes():
        masks = mask[None] if image_class else np.zeros((0, *mask.shape), bool)
        truth = Truth(masks=masks, class_ids=[image_class - 1][: len(masks)], image_class=image_class)
        yield {"image": torch.from_numpy(np.repeat(pixels[None] * 255, 3, axis=0)), **targets(truth)}


@pytest.mark.parametrize("name", SYSTEMS)
def test_it_overfits_eight_images(name):
    config, settings, learning_rate, steps, least = SYSTEMS[name]
    cfg = load_config(f"{config}.yaml", [text for pair in settings.items() for text in pair])
    set_classes(cfg, NAMES)
    torch.manual_seed(0)
    model = create_model(cfg)
    overfit(model, list(examples_of(cfg)), learning_rate=learning_rate, steps=steps)
    predictor = predictor_from_config(cfg, model.eval(), NAMES)
    readings = [predictor.read_windows([pixels], [pixels.shape])[0] for pixels, _, _ in scenes()]
    if readings[0].image_probabilities is not None:
        called = [int(np.argmax(reading.image_probabilities)) for reading in readings]
        assert called == [image_class for _, _, image_class in scenes()]
    if least is None:
        return
    scores = {bool(image_class): [] for _, _, image_class in scenes()}
    for reading, (_, mask, image_class) in zip(readings, scenes(), strict=True):
        best = max((finding.score for finding in reading.findings), default=0.0)
        scores[bool(image_class)].append(best)
        if image_class:
            finding = max(reading.findings, key=lambda one: one.score)
            assert finding.class_id == image_class - 1
            overlap = (
                box_iou([finding.box_xyxy], [box_from_mask(mask)])[0, 0]
                if finding.rle is None
                else 2 * (finding.mask & mask).sum() / (finding.mask.sum() + mask.sum())
            )
            assert overlap > least
    assert max(scores[False]) < min(scores[True]) / 2
