"""A new kind of model needs a module, a line in the table and a configuration: everything else takes it as it is.

A classifier and a segmenter of a few lines each go from a training configuration to a report and to inference.
"""

import json

import numpy as np
import pytest
import torch
import yaml
from detectron2.modeling import META_ARCH_REGISTRY
from torch import nn
from torch.nn import functional

from segtumor.commands import crossval, export, infer, train
from segtumor.config import load_config
from segtumor.errors import ConfigError
from segtumor.models import kinds
from segtumor.models.build import create_model, predictor_from_config
from segtumor.models.image_models import ModelClassifier, ModelSegmenter
from segtumor.models.weights import read_checkpoint
from segtumor.runtime.breakdown import is_broken
from segtumor.training.batches.catalog import load_datasets
from segtumor.training.batches.mapper import RadiographMapper

pytestmark = pytest.mark.model

NAMES = ("benign", "malignant")


class TestedClassifier(nn.Module):
    """The mean gray of 8 x 8 fields of an image, weighted."""

    __test__ = False

    def __init__(self, cfg):
        super().__init__()
        self.head = nn.Linear(64, kinds.class_count(cfg) + 1)

    def forward(self, batch):
        fields = [functional.adaptive_avg_pool2d(example["image"], 8)[0].flatten() / 255 for example in batch]
        logits = self.head(torch.stack(fields))
        if not self.training:
            return [{"image_probabilities": row} for row in logits.softmax(dim=1)]
        classes = torch.tensor([example["image_class"] for example in batch])
        return {"loss_class": functional.cross_entropy(logits, classes, ignore_index=-1)}


class TestedSegmenter(nn.Module):
    """A weighted sum of the pixels around each pixel."""

    __test__ = False

    def __init__(self, cfg):
        super().__init__()
        self.head = nn.Conv2d(3, kinds.class_count(cfg) + 1, kernel_size=5, padding=2)

    def forward(self, batch):
        logits = [self.head(example["image"][None] / 255)[0] for example in batch]
        if not self.training:
            return [{"class_maps": row.softmax(dim=0)[1:]} for row in logits]
        losses = [functional.cross_entropy(x[None], e["class_map"][None]) for x, e in zip(logits, batch, strict=True)]
        return {"loss_map": torch.stack(losses).mean()}


META_ARCH_REGISTRY.register(TestedClassifier)
META_ARCH_REGISTRY.register(TestedSegmenter)
KINDS = {"TestedClassifier": kinds.CLASSIFIER, "TestedSegmenter": kinds.SEGMENTER}
METRICS = {"TestedClassifier": "image/accuracy", "TestedSegmenter": "dice"}


@pytest.fixture(autouse=True)
def registered():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "_KINDS", dict(kinds._KINDS))
        for name, kind in KINDS.items():
            kinds.register(name, kind)
        yield


@pytest.fixture
def config_file(request, tmp_path, tiny_config_file):
    """A configuration as a user would write one for the new architecture."""
    path = tmp_path / "own.yaml"
    settings = {
        "_BASE_": str(tiny_config_file),
        "MODEL": {"META_ARCHITECTURE": request.param},
        "INPUT": {"MIN_SIZE_TRAIN": [64], "MIN_SIZE_TEST": 64},
        "SOLVER": {"MAX_ITER": 4, "IMS_PER_BATCH": 2, "WARMUP_ITERS": 1, "BEST_METRIC": METRICS[request.param]},
        "TEST": {"EVAL_PERIOD": 2, "CONFIDENCE_THRESHOLD": 0.3},
        "OUTPUT_DIR": str(tmp_path / "run"),
    }
    path.write_text(yaml.safe_dump(settings))
    return path


both = pytest.mark.parametrize("config_file", KINDS, indirect=True)
of_the_classifier = pytest.mark.parametrize("config_file", ["TestedClassifier"], indirect=True)


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.json").read_text().splitlines()]


@both
def test_from_training_to_a_report_and_to_inference(phantoms, config_file, tmp_path):
    run, metric = tmp_path / "run", load_config(config_file).SOLVER.BEST_METRIC
    assert train.main(["--config-file", str(config_file)]) == 0
    assert {path.name for path in run.iterdir()} >= {"model_best.pth", "model_final.pth", "run.json", "config.yaml"}
    last = metrics(run)[-1]
    assert last["iteration"] == 3 and last["val/loss"] > 0 and f"val/{metric.replace('/', '_')}" in last
    folder = run / "inference" / "phantoms_test"
    assert (folder / "report.html").stat().st_size > 10_000
    document = json.loads((folder / "predictions.json").read_text())
    assert len(document["images"]) == 2
    images = [str(phantoms / "images" / image["file_name"]) for image in document["images"]]
    assert infer.main(["--run", str(run), "--output", str(tmp_path / "found"), "--input", *images]) == 0
    again = json.loads((tmp_path / "found" / "predictions.json").read_text())
    assert [image.get("class_scores") for image in again["images"]] == [
        image.get("class_scores") for image in document["images"]
    ]
    assert len(list((tmp_path / "found").rglob("*.png"))) == 2


@both
def test_a_resumed_run_equals_one_that_was_not_stopped(phantoms, config_file, tmp_path):
    bare = ["DATASETS.TEST", "()"]
    assert train.main(["--config-file", str(config_file), *bare, "OUTPUT_DIR", str(tmp_path / "whole")]) == 0
    parts = ["OUTPUT_DIR", str(tmp_path / "parts"), *bare, "SOLVER.LR_SCHEDULER_NAME", "WarmupMultiStepLR"]
    whole = ["OUTPUT_DIR", str(tmp_path / "whole"), *bare, "SOLVER.LR_SCHEDULER_NAME", "WarmupMultiStepLR"]
    assert train.main(["--config-file", str(config_file), "--overwrite", *whole]) == 0
    assert train.main(["--config-file", str(config_file), *parts, "SOLVER.MAX_ITER", "2"]) == 0
    assert train.main(["--config-file", str(config_file), "--resume", *parts]) == 0
    first, second = (read_checkpoint(tmp_path / name / "model_final.pth")["model"] for name in ("whole", "parts"))
    assert first and all(torch.equal(first[name], second[name]) for name in first)


@of_the_classifier
def test_cross_validation_takes_it_too(phantoms, config_file, tmp_path):
    options = ["--config-file", str(config_file), "--output", str(tmp_path / "cv"), "--folds", "2"]
    assert crossval.main([*options, "SOLVER.MAX_ITER", "1"]) == 0
    assert json.loads((tmp_path / "cv" / "crossval.json").read_text())["measures"]


@of_the_classifier
def test_a_kind_that_cannot_be_exported_says_so(phantoms, config_file, tmp_path, capsys):
    assert train.main(["--config-file", str(config_file), "DATASETS.TEST", "()", "SOLVER.MAX_ITER", "1"]) == 0
    assert export.main(["--run", str(tmp_path / "run"), "--output", str(tmp_path / "export"), "--format", "onnx"]) == 2
    assert "expected a PixelModel" in capsys.readouterr().err


@of_the_classifier
def test_the_metric_of_another_kind_is_refused(phantoms, config_file, capsys):
    assert train.main(["--config-file", str(config_file), "SOLVER.BEST_METRIC", "segm/AP50"]) == 2
    assert "image/accuracy, image/sensitivity, image/specificity, image/auc" in capsys.readouterr().err


@both
def test_what_a_record_becomes(phantoms, config_file):
    cfg = load_config(config_file)
    (dataset,) = load_datasets(["phantoms_val"])
    kinds.set_classes(cfg, NAMES)
    assert kinds.class_count(cfg) == 2 and kinds.class_weights(cfg) == []
    mapper = RadiographMapper.from_config(cfg, is_train=False)
    for record, truth in zip(dataset.records, dataset.annotated_images, strict=True):
        example, classes = mapper(record), {lesion.class_id + 1 for lesion in truth.lesions}
        if "image_class" in example:
            assert example["image_class"] == max(classes, default=0)
        else:
            assert set(np.unique(example["class_map"])) == classes | {0}
            assert example["class_map"].shape == example["image"].shape[1:]


def test_an_image_without_outlines_has_the_class_of_its_label(phantoms):
    (dataset,) = load_datasets(["phantoms_val"])
    settings = {"short_edges_px": [64], "max_long_edge_px": 64, "window_percentiles": [0, 100], "max_pixels": 10**6}
    mapper = RadiographMapper(
        **settings, augmentation="none", min_lesion_area_px=4, class_names=NAMES, targets=kinds.CLASSIFIER.targets
    )
    record = {**dataset.records[0], "annotations": []}
    labels = {"malignant": 2, "benign": 1, "normal": 0}
    assert {label: mapper({**record, "image_label": label})["image_class"] for label in labels} == labels


def test_where_lesions_overlap_the_higher_class_counts():
    masks = np.zeros((2, 2, 3), dtype=bool)
    masks[0, 0, :2], masks[1, 0, 1:] = True, True
    for class_ids, expected in (([0, 1], [1, 2, 2]), ([1, 0], [2, 2, 1])):
        class_map = kinds.map_target(kinds.Truth(masks, class_ids, 2))["class_map"]
        assert class_map.tolist() == [expected, [0, 0, 0]] and class_map.dtype == torch.int64


def test_a_model_that_breaks_down_on_one_image_leaves_the_others_theirs():
    window = np.full((4, 4), 0.5, dtype=np.float32)

    def outputs(name, shape):
        def module(inputs):
            return [{name: torch.full(shape, 0.5 if i else float("nan"))} for i in range(len(inputs))]

        made = nn.Module()
        made.forward = module
        return made

    broken, sound = ModelClassifier(outputs("image_probabilities", (3,))).classify([window, window])
    assert is_broken(broken) and sound == (0.5, 0.5, 0.5)
    broken, sound = ModelSegmenter(outputs("class_maps", (2, 4, 4))).segment([window, window])
    assert is_broken(broken) and sound.shape == (2, 4, 4) and sound.dtype == np.float32


@both
def test_its_mode_is_put_back(phantoms, config_file):
    cfg = load_config(config_file)
    kinds.set_classes(cfg, NAMES)
    model, predictor = create_model(cfg), None
    predictor = predictor_from_config(cfg, model, NAMES)
    predictor.read_windows([np.zeros((64, 64), dtype=np.float32)], [(96, 96)])
    assert model.training


def test_classes_are_set_where_each_kind_looks_them_up(tiny_config):
    cfg = tiny_config({"MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS": [1.0, 2.0, 3.0, 1.0]})
    kinds.set_classes(cfg, ("a", "b", "c"))
    assert cfg.MODEL.ROI_HEADS.NUM_CLASSES == kinds.class_count(cfg) == 3 and cfg.MODEL.CLASS_NAMES == ["a", "b", "c"]
    assert kinds.class_weights(cfg) == [1.0, 2.0, 3.0, 1.0]
    cfg.MODEL.META_ARCHITECTURE = "NoSuchThing"
    with pytest.raises(ConfigError, match="cannot be built"):
        create_model(cfg)
