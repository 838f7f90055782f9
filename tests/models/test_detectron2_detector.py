"""Radiograph to findings, with Detectron2's model."""

import numpy as np
import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from PIL import Image

from segtumor.errors import ConfigError, InstallationError, ModelError
from segtumor.imaging import Radiograph, read_radiograph
from segtumor.models.build import load_trained_model, predictor_from_config
from segtumor.models.detectron2_detector import evaluating, findings_from_instances
from segtumor.structures.masks import box_from_mask, mask_from_rle

pytestmark = pytest.mark.model


@pytest.fixture
def predictor(tiny_config):
    torch.manual_seed(0)
    cfg = tiny_config()
    return predictor_from_config(cfg, build_model(cfg), ("benign", "malignant"))


@pytest.fixture
def picture(phantoms):
    return np.asarray(Image.open(sorted((phantoms / "images").glob("*.png"))[0]))


def radiograph(pixels):
    return Radiograph(np.asarray(pixels, dtype=np.float32), None, None, "test.png", "float32")


def test_instances_become_findings_highest_score_first():
    instances = Instances((4, 6))
    instances.pred_boxes = Boxes(torch.tensor([[0.0, 0, 2, 2], [3, 1, 6, 4]]))
    instances.scores = torch.tensor([0.25, 0.75])
    instances.pred_classes = torch.tensor([0, 1])
    instances.class_probabilities = torch.tensor([[0.25, 0.125], [0.125, 0.75]])
    masks = torch.zeros(2, 4, 6, dtype=torch.bool)
    masks[0, :2, :2] = masks[1, 1:, 3:] = True
    instances.pred_masks = masks
    first, second = findings_from_instances(instances)
    assert (first.class_id, first.score, first.box_xyxy, first.probabilities) == (1, 0.75, (3, 1, 6, 4), (0.125, 0.75))
    assert (second.class_id, second.score, second.probabilities) == (0, 0.25, (0.25, 0.125))
    assert np.array_equal(mask_from_rle(first.rle), masks[1].numpy())
    assert np.array_equal(mask_from_rle(second.rle), masks[0].numpy())


def test_instances_without_masks_and_no_instances():
    instances = Instances((4, 6))
    instances.pred_boxes = Boxes(torch.tensor([[0.0, 0, 2, 2]]))
    instances.scores, instances.pred_classes = torch.tensor([0.5]), torch.tensor([1])
    (finding,) = findings_from_instances(instances)
    assert finding.rle is None and finding.probabilities == ()
    assert findings_from_instances(instances[:0]) == ()


def test_findings_are_in_pixels_of_the_radiograph(predictor, picture):
    # Twice as long as high, and larger than what the model sees.
    findings = predictor.read(radiograph(np.tile(picture, (2, 4)) / 255)).findings
    assert findings and all(mask_from_rle(finding.rle).shape == (192, 384) for finding in findings)
    for finding in findings:
        x0, y0, x1, y1 = finding.box_xyxy
        assert 0 <= x0 < x1 <= 384 and 0 <= y0 < y1 <= 192
        mask_box = box_from_mask(mask_from_rle(finding.rle))
        assert mask_box[0] >= x0 - 2 and mask_box[3] <= y1 + 2
        assert finding.score == pytest.approx(max(finding.probabilities)) and sum(finding.probabilities) <= 1 + 1e-6
    assert [f.score for f in findings] == sorted((f.score for f in findings), reverse=True)


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 300), (300, 2), (5, 7)])
def test_odd_sizes_are_predicted(predictor, size_hw):
    pixels = np.random.default_rng(0).random(size_hw)
    for finding in predictor.read(radiograph(pixels)).findings:
        assert mask_from_rle(finding.rle).shape == size_hw


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_uniform_image_is_predicted(predictor, value):
    assert isinstance(predictor.read(radiograph(np.full((40, 40), value))).findings, tuple)


def test_gray_scale_and_offset_do_not_matter(predictor, picture):
    plain = predictor.read(radiograph(picture / 255)).findings
    shifted = predictor.read(radiograph(picture / 255 * 0.5 + 0.25)).findings
    assert [f.class_id for f in plain] == [f.class_id for f in shifted]
    assert [f.score for f in plain] == pytest.approx([f.score for f in shifted], abs=1e-4)


def test_8_and_16_bit_files_give_the_same_findings(predictor, picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "eight.png")
    Image.fromarray(picture.astype(np.uint16) * 257).save(tmp_path / "sixteen.png")
    eight, sixteen = (read_radiograph(tmp_path / f"{name}.png") for name in ("eight", "sixteen"))
    assert (eight.source_dtype, sixteen.source_dtype) == ("uint8", "uint16")
    first, second = predictor.read(eight).findings, predictor.read(sixteen).findings
    assert len(first) == len(second) > 0
    for one, other in zip(first, second, strict=True):
        assert (one.class_id, one.rle) == (other.class_id, other.rle)
        assert one.score == pytest.approx(other.score, abs=1e-6)
        assert one.box_xyxy == pytest.approx(other.box_xyxy, abs=1e-3)


def test_prediction_puts_the_model_back_into_its_mode(predictor, picture):
    for training in (True, False):
        predictor.model.model.train(training)
        predictor.read(radiograph(picture / 255))
        assert predictor.model.model.training is training
    predictor.model.model.train()
    with pytest.raises(ZeroDivisionError), evaluating(predictor.model.model):
        assert not predictor.model.model.training
        raise ZeroDivisionError
    assert predictor.model.model.training


def test_a_predictor_needs_weights_of_its_classes(tiny_config, tiny_run, tmp_path):
    with pytest.raises(ConfigError, match=r"MODEL\.WEIGHTS"):
        load_trained_model(tiny_config())
    with pytest.raises(ModelError, match="no such weights file"):
        load_trained_model(tiny_config({"MODEL.WEIGHTS": tmp_path / "nowhere.pth"}))
    weights = tiny_run / "model_best.pth"
    with pytest.raises(ConfigError, match=r"2 \(benign, malignant\)"):
        load_trained_model(tiny_config({"MODEL.WEIGHTS": weights, "MODEL.ROI_HEADS.NUM_CLASSES": 9}))
    _, names = load_trained_model(tiny_config({"MODEL.WEIGHTS": weights}))
    assert list(names) == ["benign", "malignant"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_is_said_in_one_line(tiny_config, tiny_run):
    with pytest.raises(InstallationError, match="--device cpu"):
        load_trained_model(tiny_config({"MODEL.WEIGHTS": tiny_run / "model_best.pth", "MODEL.DEVICE": "cuda"}))


def test_findings_do_not_depend_on_the_other_images_of_a_batch(tiny_config, tiny_run):
    """Detectron2 pads a batch to its largest image; a wide neighbour must not change what is found."""
    cfg = tiny_config({"MODEL.WEIGHTS": tiny_run / "model_best.pth", "MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.0})
    predictor = predictor_from_config(cfg, *load_trained_model(cfg))
    rng = np.random.default_rng(0)
    shapes = [(96, 96), (96, 160), (130, 96), (96, 96)]
    images = [Radiograph(rng.random(shape, dtype=np.float32), None, None, "a.png", "uint8") for shape in shapes]
    alone = [predictor.read(image).findings for image in images]
    together = [reading.findings for reading in predictor.read_batch(images)]
    assert [len(findings) for findings in alone] == [len(findings) for findings in together]
    assert sum(map(len, alone)) > 0
    for one, other in zip(sum(alone, ()), sum(together, ()), strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert one.box_xyxy == pytest.approx(other.box_xyxy, abs=0.1)
