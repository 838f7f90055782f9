"""Radiograph to findings, and files to overlays and tables."""

import csv
import json

import numpy as np
import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from PIL import Image

from segtumor.engine.findings import findings_from_instances
from segtumor.engine.inference import find_inputs, infer, load_predictor, overlay_names
from segtumor.engine.predictor import evaluating, predictor_from_config
from segtumor.errors import ConfigError, DataError, InstallationError, ModelError
from segtumor.imaging import Radiograph, read_radiograph
from segtumor.runtime.predictor import Predictor
from segtumor.structures.masks import box_from_mask, mask_from_rle

pytestmark = pytest.mark.model


@pytest.fixture
def predictor(tiny_config):
    torch.manual_seed(0)
    cfg = tiny_config()
    return predictor_from_config(cfg, build_model(cfg))


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
    findings = predictor.predict(radiograph(np.tile(picture, (2, 4)) / 255))
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
    for finding in predictor.predict(radiograph(pixels)):
        assert mask_from_rle(finding.rle).shape == size_hw


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_uniform_image_is_predicted(predictor, value):
    assert isinstance(predictor.predict(radiograph(np.full((40, 40), value))), tuple)


def test_gray_scale_and_offset_do_not_matter(predictor, picture):
    plain = predictor.predict(radiograph(picture / 255))
    shifted = predictor.predict(radiograph(picture / 255 * 0.5 + 0.25))
    assert [f.class_id for f in plain] == [f.class_id for f in shifted]
    assert [f.score for f in plain] == pytest.approx([f.score for f in shifted], abs=1e-4)


def test_8_and_16_bit_files_give_the_same_findings(predictor, picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "eight.png")
    Image.fromarray(picture.astype(np.uint16) * 257).save(tmp_path / "sixteen.png")
    eight, sixteen = (read_radiograph(tmp_path / f"{name}.png") for name in ("eight", "sixteen"))
    assert (eight.source_dtype, sixteen.source_dtype) == ("uint8", "uint16")
    first, second = predictor.predict(eight), predictor.predict(sixteen)
    assert len(first) == len(second) > 0
    for one, other in zip(first, second, strict=True):
        assert (one.class_id, one.rle) == (other.class_id, other.rle)
        assert one.score == pytest.approx(other.score, abs=1e-6)
        assert one.box_xyxy == pytest.approx(other.box_xyxy, abs=1e-3)


def test_prediction_puts_the_model_back_into_its_mode(predictor, picture):
    for training in (True, False):
        predictor.detector.model.train(training)
        predictor.predict(radiograph(picture / 255))
        assert predictor.detector.model.training is training
    predictor.detector.model.train()
    with pytest.raises(ZeroDivisionError), evaluating(predictor.detector.model):
        assert not predictor.detector.model.training
        raise ZeroDivisionError
    assert predictor.detector.model.training


def test_inputs_are_files_folders_and_patterns_each_once(tmp_path):
    for name in ("b.png", "a.png", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "d.jpg").touch()
    a, b, d = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "deep" / "d.jpg"
    assert set(find_inputs([str(tmp_path)])) >= {a, b}
    assert find_inputs([str(b), str(tmp_path / "*.png")]) == [b, a]
    assert find_inputs([str(tmp_path / "**" / "*.jpg")]) == [d]
    assert find_inputs([str(tmp_path / "c.txt")]) == [tmp_path / "c.txt"]  # the reader says what is wrong with it


def test_inputs_that_lead_nowhere(tmp_path):
    with pytest.raises(DataError, match="folder without images"):
        find_inputs([str(tmp_path)])
    with pytest.raises(DataError, match=r"\*\.png: nothing matches"):
        find_inputs([str(tmp_path / "*.png")])
    with pytest.raises(DataError, match=r"nowhere\.png: no such file"):
        find_inputs([str(tmp_path / "nowhere.png"), str(tmp_path / "neither.png")])
    (tmp_path / "there.png").touch()
    assert find_inputs([str(tmp_path / name) for name in ("nowhere.png", "there.png")]) == [
        tmp_path / "nowhere.png",
        tmp_path / "there.png",
    ]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a.png", "b.png"], ["a.png", "b.png"]),
        (["x/a.png", "y/a.jpg", "z/a.dcm"], ["a.png", "a_2.png", "a_3.png"]),
        (["a.png", "a.jpg", "a_2.png"], ["a.png", "a_2.png", "a_2_2.png"]),
        (["a.png", "A.png"], ["a.png", "A_2.png"]),
        (["knee.left.dcm"], ["knee.left.png"]),
    ],
)
def test_overlays_have_distinct_names(tmp_path, paths, names):
    assert overlay_names([tmp_path / path for path in paths]) == names


def test_a_predictor_needs_weights_of_its_classes(tiny_config, tiny_run, tmp_path):
    with pytest.raises(ConfigError, match=r"MODEL\.WEIGHTS"):
        load_predictor(tiny_config())
    with pytest.raises(ModelError, match="no such weights file"):
        load_predictor(tiny_config({"MODEL.WEIGHTS": tmp_path / "nowhere.pth"}))
    weights = tiny_run / "model_best.pth"
    with pytest.raises(ConfigError, match=r"2 \(benign, malignant\)"):
        load_predictor(tiny_config({"MODEL.WEIGHTS": weights, "MODEL.ROI_HEADS.NUM_CLASSES": 9}))
    _, names = load_predictor(tiny_config({"MODEL.WEIGHTS": weights}))
    assert list(names) == ["benign", "malignant"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_is_said_in_one_line(tiny_config, tiny_run):
    with pytest.raises(InstallationError, match="--device cpu"):
        load_predictor(tiny_config({"MODEL.WEIGHTS": tiny_run / "model_best.pth", "MODEL.DEVICE": "cuda"}))


def test_the_threshold_decides_what_is_listed_and_all_is_kept_for_average_precision(
    phantoms, tiny_config, tiny_run, tmp_path
):
    paths = sorted((phantoms / "images").glob("*.png"))[:2]
    everything = []
    for threshold in (0.0, 0.3, 1.0):
        cfg = tiny_config({"MODEL.WEIGHTS": tiny_run / "model_best.pth", "TEST.CONFIDENCE_THRESHOLD": threshold})
        folder = tmp_path / str(threshold)
        infer(cfg, paths, folder, with_overlays=False)
        scores = [a["score"] for a in json.loads((folder / "predictions.json").read_text())["annotations"]]
        with (folder / "findings.csv").open() as file:
            listed = [row for row in csv.DictReader(file) if row["score"]]
        assert len(listed) == sum(score >= threshold for score in scores)
        assert not (folder / "overlays").exists()
        everything.append(scores)
    assert everything[0] == everything[1] == everything[2] != []


def test_what_was_found_before_an_interruption_is_written(phantoms, tiny_config, tiny_run, tmp_path, monkeypatch):
    paths = sorted((phantoms / "images").glob("*.png"))[:3]
    predict, done = Predictor.predict, []

    def interrupted(self, radiograph):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(radiograph.name)
        return predict(self, radiograph)

    monkeypatch.setattr(Predictor, "predict", interrupted)
    with pytest.raises(KeyboardInterrupt):
        infer(tiny_config({"MODEL.WEIGHTS": tiny_run / "model_best.pth"}), paths, tmp_path, with_overlays=False)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert [entry["status"] for entry in summary["inputs"]] == ["ok", "ok", "failed"]
    assert "not reached" in summary["inputs"][2]["reason"]


def test_findings_do_not_depend_on_the_other_images_of_a_batch(tiny_config, tiny_run):
    """Detectron2 pads a batch to its largest image; a wide neighbour must not change what is found."""
    cfg = tiny_config({"MODEL.WEIGHTS": tiny_run / "model_best.pth", "MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.0})
    predictor, _ = load_predictor(cfg)
    rng = np.random.default_rng(0)
    shapes = [(96, 96), (96, 160), (130, 96), (96, 96)]
    images = [Radiograph(rng.random(shape, dtype=np.float32), None, None, "a.png", "uint8") for shape in shapes]
    alone = [predictor.predict(image) for image in images]
    together = predictor.predict_batch(images)
    assert [len(findings) for findings in alone] == [len(findings) for findings in together]
    assert sum(map(len, alone)) > 0
    for one, other in zip(sum(alone, ()), sum(together, ()), strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert one.box_xyxy == pytest.approx(other.box_xyxy, abs=0.1)
