"""One file of annotations, several models: a published study repeated, the two steps of a cascade, nine subtypes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2.utils.events import EventStorage
from repository import ROOT

from segtumor import api
from segtumor.commands import train
from segtumor.commands.benchmark import reproduce
from segtumor.config import load_config
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.study.stages import TUMOR_OR_NOT, WHICH, WHICH_CALLED, WHOLE
from segtumor.models.build import create_model, predictor_from_config
from segtumor.runs import REPORT
from segtumor.synthesis.phantoms import write_phantom_dataset
from segtumor.taxonomy import SUBTYPES
from segtumor.training import final_evaluation
from segtumor.training.batches.mapper import RadiographMapper
from segtumor.training.data_sets import load_training_sets
from segtumor.training.folds.plan import make_plan

pytestmark = pytest.mark.model

SMALL = {
    "MODEL.CLASSIFIER.NAME": "shufflenet_v2_x0_5",
    "INPUT.MIN_SIZE_TRAIN": "[32]",
    "INPUT.MIN_SIZE_TEST": 32,
    "SOLVER.EPOCHS": 1,
    "SOLVER.IMS_PER_BATCH": 8,
    "DATALOADER.NUM_WORKERS": 0,
}
CLASSIFIER = str(ROOT / "configs" / "classifier_densenet121.yaml")


def options(settings):
    return [str(text) for pair in settings.items() for text in pair]


def data(name):
    parts = {"TRAIN": "train", "VALIDATION": "val", "TEST": "test"}
    return {f"DATASETS.{key}": f"[{name}_{part}]" for key, part in parts.items()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("schemes")
    write_phantom_dataset(root / "all", cases=20, seed=3, size_px=96, fractions=(1.0, 0.0, 0.0))
    write_phantom_dataset(root / "small", cases=14, seed=4, size_px=96, fractions=(0.5, 0.25, 0.25))
    for part in ("train", "val", "test"):  # the same with its subtypes as classes
        coco = json.loads((root / "small" / "annotations" / f"{part}.json").read_text())
        for annotation in coco["annotations"]:
            annotation["category_id"] = SUBTYPES.class_id(annotation["subtype"]) + 1
        path = root / "nine" / "annotations" / f"{part}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**coco, "categories": SUBTYPES.coco_categories()}))
    (root / "nine" / "images").symlink_to(root / "small" / "images")
    return root


@pytest.fixture(autouse=True)
def found_by_name(root, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(root))


@pytest.fixture(scope="module")
def reproduced(root):
    """A study repeated, with a smaller network, and without the pages of its trainings, which take most of the time."""
    argv = ["--study", "alrabai-2026", "--annotations", str(root / "all" / "annotations" / "train.json")]
    argv += ["--output", str(root / "alrabai"), "--config-file", CLASSIFIER, *options(SMALL)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DETECTRON2_DATASETS", str(root))
        patch.setitem(StudySettings.__init__.__kwdefaults__, "n_resamples", 20)
        patch.setattr(final_evaluation, "draw_examples", lambda *_: [])
        patch.setattr(final_evaluation, "write_study", lambda _, folder, **__: (folder / REPORT).write_text(""))
        patch.setattr("segtumor.literature.reproduction.png_bytes", lambda draw: b"")
        assert reproduce.main(argv) == 0
    return root / "alrabai", argv


def test_a_study_is_trained_by_image_and_by_case(reproduced):
    output, _ = reproduced
    page = (output / "reproduction.md").read_text()
    assert "| Alrabai 2026, DenseNet121 | classifier_densenet121, by image | classifier_densenet121, by case |" in page
    assert "| normal, precision | 0.749 |" in page and "| tumour, F1 | 0.752 |" in page and "| 0.8387 |" in page
    assert "LEAK" in page and "No case of the test part is in the training part" in page
    folder = output / "by-image" / "annotations"
    parts = [json.loads((folder / f"{part}.json").read_text())["images"] for part in ("train", "val", "test")]
    assert sum(map(len, parts)) == 40 and len(parts[0]) > len(parts[1]) > len(parts[2])
    assert (output / "roc.png").is_file() and (output / "confusion_3.png").is_file()


def test_another_reproduction_is_not_mixed_with_it(reproduced, capsys):
    _, argv = reproduced
    assert reproduce.main([*argv, "SOLVER.BASE_LR", "0.1"]) == 2
    assert "another reproduction" in capsys.readouterr().err


def test_what_is_done_is_not_trained_again(reproduced):
    output, _ = reproduced
    cfg = load_config(CLASSIFIER, ["OUTPUT_DIR", str(output / "by-case-classifier_densenet121")])
    weights = Path(cfg.OUTPUT_DIR) / "model_best.pth"
    before = weights.stat().st_mtime_ns
    reproduce._train(cfg, Path(cfg.OUTPUT_DIR) / "inference" / "by-case_test" / "predictions.json", None)
    assert weights.stat().st_mtime_ns == before


def test_two_steps_from_one_file(reproduced, root, tmp_path):
    first, second = reproduced[0] / "by-case-classifier_densenet121", tmp_path / "which"
    settings = {**SMALL, **data("small"), "DATASETS.TEST": "[]", "DATASETS.NORMAL": False}
    settings |= {"SOLVER.BEST_METRIC": "image/macro_f1", "OUTPUT_DIR": second}
    assert train.main(["--config-file", CLASSIFIER, *options(settings)]) == 0
    test = root / "small" / "annotations" / "test.json"
    names = [image["file_name"] for image in json.loads(test.read_text())["images"]]
    readings = api.load(second, cascade=first).read([root / "small" / "images" / name for name in names])
    alone = api.load(first).read([reading.source for reading in readings])
    for reading, one in zip(readings, alone, strict=True):
        assert reading.tumor_score == pytest.approx(one.tumor_score) and reading.class_names == ("benign", "malignant")
        assert sum(reading.image_probabilities) == pytest.approx(1)
    found = api.evaluate(test, readings, StudySettings(n_resamples=20))
    assert [row.stage for row in found.stages] == [TUMOR_OR_NOT, WHICH, WHICH_CALLED, WHOLE]
    assert found.stages[0].n == found.stages[3].n == len(names) > found.stages[1].n


def test_without_normal_images_all_are_tumours(root):
    cfg = load_config(CLASSIFIER, options({**SMALL, **data("small"), "DATASETS.NORMAL": False}))
    sets = load_training_sets(cfg)
    assert all(record["image_label"] != "normal" for part in sets.values() for one in part for record in one.records)


def test_folds_of_joined_classes_and_of_labels_alone(root):
    coco = json.loads((root / "small" / "annotations" / "train.json").read_text())
    path = root / "small" / "annotations" / "labels.json"
    path.write_text(json.dumps({**coco, "annotations": []}))
    joined = options({"DATASETS.CLASSES": "[benign=tumour, malignant=tumour]"})
    for part, merged in (("train", joined), ("labels", joined), ("labels", [])):
        cfg = load_config(CLASSIFIER, ["DATASETS.TRAIN", f"[small_{part}]", *merged])
        plan = make_plan(cfg, folds=2, parts=["train"])
        names = ["tumour"] if merged else ["benign", "malignant"]
        assert plan.class_names == names and plan.severity == ("normal", *names)
        assert {plan.label_of[image["id"]] for image in plan.merged.images} == {"normal", *names}
        assert not any("cannot" in remark or "No lesion" in remark for remark in plan.remarks)


@pytest.mark.parametrize("config", ["btxrd9_classifier_lite0", "btxrd9_lite0"])
def test_nine_subtypes_are_classes_of_classifier_and_detector(root, config):
    cfg = load_config(ROOT / "configs" / f"{config}.yaml", options({**data("nine"), "MODEL.DEVICE": "cpu"}))
    (dataset,) = load_training_sets(cfg)["train"]
    assert tuple(cfg.MODEL.CLASS_NAMES) == dataset.taxonomy.names == SUBTYPES.names
    mapper = RadiographMapper.from_config(cfg, is_train=True)
    example = mapper(next(record for record in dataset.records if record["annotations"]))
    model = create_model(cfg).train()
    with EventStorage():
        assert all(torch.isfinite(loss) for loss in model([example]).values())
    predictor = predictor_from_config(cfg, model.eval(), SUBTYPES.names)
    (reading,) = predictor.read_windows([np.zeros((64, 64), dtype=np.float32)], [(64, 64)])
    assert reading.class_names == SUBTYPES.names and all(len(f.probabilities) == 9 for f in reading.findings)
    assert reading.image_probabilities is None or len(reading.image_probabilities) == 10
