"""Every configuration that is published loads, builds its model, and that model trains and predicts."""

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import BitMasks, Boxes, Instances
from detectron2.utils.events import EventStorage
from repository import ROOT, tracked
from torchvision.models import resnext101_32x8d, vgg19

from segtumor.config import load_config
from segtumor.models.kinds import set_classes
from segtumor.tabular.encoder import fit_table, plans_of

pytestmark = pytest.mark.model

CONFIGS = ROOT / "configs"

FILES = tracked("configs/*.yaml", "benchmarks/*.yaml")
MODELS = [path for path in FILES if not path.name.startswith("Base-")]
FAST = "fast_mask_rcnn_VGG19.yaml"
LOSSES = {"loss_rpn_cls", "loss_rpn_loc", "loss_cls", "loss_box_reg", "loss_mask"}
SIDE_PX = 64
ROWS = [{"age": 12, "sex": "M"}, {"age": 60, "sex": "F"}]
#: The same layers on a few regions of the image, and narrow fully connected ones (their true size is counted below).
FEW_REGIONS = [
    *("MODEL.RPN.POST_NMS_TOPK_TRAIN", "20"),
    *("MODEL.RPN.POST_NMS_TOPK_TEST", "10"),
    *("MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE", "8"),
    *("MODEL.ROI_BOX_HEAD.FC_DIM", "16"),
    *("TEST.DETECTIONS_PER_IMAGE", "3"),
]


def test_there_are_configurations():
    assert {"tiny_phantoms.yaml", "mask_rcnn_R_50_FPN.yaml", FAST} <= {path.name for path in MODELS}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_loads_with_its_bases(path):
    cfg = load_config(path)
    # These two are set in Base-Mask-RCNN.yaml alone: they arrive only if the chain of _BASE_ is followed to its end.
    assert cfg.MODEL.ROI_HEADS.NAME == "TumorROIHeads"
    assert cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS is False


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_learns_from_squares_is_shown_squares(path):
    """BTXRD at 256 px, and what goes on from a model of it."""
    cfg = load_config(path)
    if path.stem == "lite_phantoms" or any(name.startswith("btxrd") for name in cfg.DATASETS.TRAIN):
        assert cfg.INPUT.SQUARE and not cfg.INPUT.SPACING_MM


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_each_experiment_is_short_and_says_what_it_is(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 25 and lines[0].startswith("# ")


def example(*, with_lesion):
    masks = torch.zeros(int(with_lesion), SIDE_PX, SIDE_PX, dtype=torch.bool)
    masks[:, 16:48, 8:40] = True
    instances = Instances((SIDE_PX, SIDE_PX))
    instances.gt_boxes = Boxes(torch.tensor([[8.0, 16, 40, 48]])[: int(with_lesion)])
    instances.gt_classes = torch.ones(int(with_lesion), dtype=torch.int64)
    instances.gt_masks = BitMasks(masks)
    image = torch.rand(3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(int(with_lesion))) * 255
    image_class = 2 if with_lesion else 0  # for models that judge the whole image; class 1 counts from 1 there
    class_map = 2 * masks.any(dim=0).long()
    example = {"image": image, "instances": instances, "image_class": image_class, "class_map": class_map}
    return {**example, "height": 2 * SIDE_PX, "width": 2 * SIDE_PX}


#: Of detectors that judge the whole image, or every place, too.
FURTHER = {"loss_image", "loss_pixels"}
#: Losses of the architectures that are no detectors.
OTHERS = {
    "ImageClassifier": {"loss_class"},
    "UNet": {"loss_pixels", "loss_dice"},
    "RetinaNet": {"loss_cls", "loss_box_reg"},
    "YOLO": {"loss_box", "loss_objectness", "loss_class", "loss_mask"},
}


def training_losses(model, batch):
    model.train()
    with EventStorage():
        return model(batch)


def check_training(model):
    mixed = training_losses(model, [example(with_lesion=False), example(with_lesion=True)])
    assert set(mixed) - FURTHER == LOSSES and all(torch.isfinite(value) for value in mixed.values())
    assert all(mixed[name].item() > 0 for name in ("loss_rpn_cls", "loss_cls", "loss_mask"))
    sum(mixed.values()).backward()
    untouched = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert untouched == []
    normal = training_losses(model, [example(with_lesion=False)] * 2)
    assert set(normal) - FURTHER == LOSSES
    assert normal["loss_cls"].item() > 0 and normal["loss_box_reg"].item() == normal["loss_mask"].item() == 0


def check_prediction(model):
    model.eval()
    with torch.inference_mode():
        (output,) = model([example(with_lesion=True)])
    found = output["instances"]
    assert len(found) > 0 and found.image_size == (2 * SIDE_PX, 2 * SIDE_PX)
    assert found.pred_masks.shape == (len(found), 2 * SIDE_PX, 2 * SIDE_PX) and found.pred_masks.dtype == torch.bool
    assert found.class_probabilities.shape == (len(found), 2)
    torch.testing.assert_close(found.class_probabilities[range(len(found)), found.pred_classes], found.scores)


def check_other(model, losses):
    mixed = training_losses(model, [example(with_lesion=False), example(with_lesion=True)])
    assert set(mixed) == losses and all(value.item() > 0 and torch.isfinite(value) for value in mixed.values()), mixed
    sum(mixed.values()).backward()
    assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []
    model.eval()
    with torch.inference_mode():
        (output,) = model([example(with_lesion=True)])
    if "rows" in output:
        assert output["rows"].shape[1] == 4 + 2 + len(output["prototypes"]) and torch.isfinite(output["rows"]).all()
        return
    (answer,) = output.values()
    if isinstance(answer, Instances):
        assert answer.has("pred_boxes") and not answer.has("pred_masks")
        return
    assert answer.shape in ((3,), (2, SIDE_PX, SIDE_PX)) and answer.min() >= 0 and answer.max() <= 1


#: Fitted at once (tests/training/test_at_once.py), or too large to take a step here: only counted, below
#: and in tests/models/test_one_stage_detector.py.
NOT_TRAINED = ("classical_", "mask_rcnn_X_101", "yolov5m", "yolov5l", "yolov5x")


@pytest.mark.parametrize(
    "path", [path for path in MODELS if not path.name.startswith(NOT_TRAINED)], ids=lambda path: path.stem
)
def test_each_model_trains_on_normal_images_and_lesions_and_predicts(path):
    torch.manual_seed(0)
    cfg = load_config(path, FEW_REGIONS)
    set_classes(cfg, ["benign", "malignant"])
    if cfg.MODEL.CLINICAL.COLUMNS:  # as training fills it in
        plans = plans_of(cfg.MODEL.CLINICAL.COLUMNS, where="MODEL.CLINICAL.COLUMNS")
        cfg.MODEL.CLINICAL.FITTED = fit_table(plans, ROWS, [True, False], [0, 1]).as_dicts()
    model = build_model(cfg)
    if cfg.MODEL.META_ARCHITECTURE in OTHERS:
        check_other(model, OTHERS[cfg.MODEL.META_ARCHITECTURE])
        return
    if not cfg.MODEL.MASK_ON:
        check_other(model, LOSSES - {"loss_mask"})
        return
    check_training(model)
    check_prediction(model)


def on_meta(cfg):
    """The model without memory or arithmetic: enough for shapes and counts."""
    cfg.MODEL.DEVICE = "meta"
    with torch.device("meta"):
        return build_model(cfg)


def test_the_backbone_of_the_multitask_study_is_resnext_101():
    model = on_meta(load_config(CONFIGS / "mask_rcnn_X_101_32x8d_FPN.yaml"))
    with torch.device("meta"):
        theirs = resnext101_32x8d()
    count = {
        name: sum(p.numel() for p in m.parameters()) for name, m in (("own", model.backbone.bottom_up), ("all", model))
    }
    assert (
        count["own"] == sum(p.numel() for p in theirs.parameters()) - theirs.fc.weight.numel() - theirs.fc.bias.numel()
    )
    assert count == {"own": 86_742_336, "all": 107_206_487}


def test_fast_mask_rcnn_has_the_papers_fully_connected_layers():
    head = on_meta(load_config(CONFIGS / FAST)).roi_heads.box_head
    counts = {name: sum(p.numel() for p in layer.parameters()) for name, layer in head.named_children()}
    assert counts["fc1"] == 102_764_544  # 7 x 7 x 512 x 4,096 and 4,096 biases
    assert counts["fc2"] == 16_781_312  # 4,096 x 4,096 and 4,096 biases
    with torch.device("meta"):
        theirs = vgg19().classifier
    assert (theirs[0].weight.shape, theirs[3].weight.shape) == (head.fc1.weight.shape, head.fc2.weight.shape)


@pytest.mark.parametrize(("pooler", "layer"), [("ROIPool", "RoIPool"), ("ROIAlignV2", "ROIAlign")])
def test_the_pooling_of_fast_mask_rcnn_can_be_switched(pooler, layer):
    overrides = ["MODEL.ROI_BOX_HEAD.POOLER_TYPE", pooler, "MODEL.ROI_MASK_HEAD.POOLER_TYPE", pooler]
    heads = on_meta(load_config(CONFIGS / FAST, overrides)).roi_heads
    for pooling in (heads.box_pooler, heads.mask_pooler):
        assert [type(level).__name__ for level in pooling.level_poolers] == [layer]


def test_fast_mask_rcnn_trains_and_predicts_with_roi_align():
    torch.manual_seed(0)
    overrides = ["MODEL.ROI_BOX_HEAD.POOLER_TYPE", "ROIAlignV2", "MODEL.ROI_MASK_HEAD.POOLER_TYPE", "ROIAlignV2"]
    model = build_model(load_config(CONFIGS / FAST, [*FEW_REGIONS, *overrides]))
    check_training(model)
    check_prediction(model)


def test_max_pooling_trains_with_16_bits():
    overrides = ["MODEL.ROI_BOX_HEAD.POOLER_TYPE", "ROIPool", "MODEL.ROI_MASK_HEAD.POOLER_TYPE", "ROIPool"]
    model = build_model(load_config(CONFIGS / "Base-tiny.yaml", [*FEW_REGIONS, *overrides]))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        check_training(model)


def test_fast_mask_rcnn_starts_from_the_last_convolutional_map_alone():
    model = on_meta(load_config(CONFIGS / FAST))
    assert list(model.backbone.output_shape()) == ["conv5"] == model.roi_heads.box_in_features
    assert model.roi_heads.box_head.fc1.in_features == 7 * 7 * 512
