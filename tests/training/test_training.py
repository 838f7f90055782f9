"""A whole run on phantoms: what it leaves behind, that it repeats bit for bit, that it continues where it stopped."""

import hashlib
import json
import logging
import math
import sys

import pytest
import torch

import segtumor
from segtumor.config import load_config
from segtumor.errors import ConfigError, DataError, ModelError, NonFiniteLossError
from segtumor.evaluation.operating_points import read_points
from segtumor.models.weights import read_checkpoint
from segtumor.training import data_sets as training_sets
from segtumor.training import train as training
from segtumor.training.final_evaluation import evaluate_run, import_late_dependencies
from segtumor.training.finishing import finish_only
from segtumor.training.trainer import Trainer

pytestmark = pytest.mark.model

#: Training alone, without the evaluations that take most of the time.
BARE = {"DATASETS.VALIDATION": (), "DATASETS.TEST": ()}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.json").read_text().splitlines()]


def test_run_folder_holds_what_detectron2_users_expect(tiny_run):
    names = {path.name for path in tiny_run.iterdir()}
    expected = {"config.yaml", "run.json", "metrics.json", "log.txt", "last_checkpoint", "model_final.pth"}
    assert expected | {"model_best.pth", "inference"} <= names
    assert any(name.startswith("events.out.tfevents.") for name in names)
    assert (tiny_run / "last_checkpoint").read_text() == "model_final.pth"
    assert not [name for name in names if name.startswith(".")]


def test_its_metrics_are_lines_of_json(tiny_run):
    last = metrics(tiny_run)[-1]
    assert last["iteration"] == 3 and math.isfinite(last["total_loss"])
    assert {"loss_rpn_cls", "loss_rpn_loc", "loss_cls", "loss_box_reg", "loss_mask", "lr"} <= set(last)
    assert last["val/loss"] > 0 and 0 <= last["val/segm_AP50"] <= 100


def test_its_provenance_names_data_versions_and_seed(tiny_run, datasets_root):
    provenance = json.loads((tiny_run / "run.json").read_text())
    phantoms = datasets_root / "phantoms"
    (train,) = provenance["datasets"]["train"]
    assert train["annotations_sha256"] == sha256(phantoms / "annotations" / "train.json")
    assert train["split_file_sha256"] == sha256(phantoms / "split.json") and train["images"] == 6
    assert train["lesions"] == len(json.loads((phantoms / "annotations" / "train.json").read_text())["annotations"])
    assert [len(provenance["datasets"][part]) for part in ("validation", "test")] == [1, 1]
    assert provenance["seed"] == 42 and provenance["versions"]["segtumor"] == segtumor.__version__
    assert provenance["versions"]["torch"] and provenance["versions"]["detectron2"]
    assert "Not a medical device" in provenance["notice"]


def test_its_configuration_repeats_it(tiny_run, tiny_config):
    cfg = load_config(tiny_run / "config.yaml")
    assert cfg.MODEL.CLASS_NAMES == ["benign", "malignant"] and cfg.SOLVER.MAX_ITER == 4
    assert cfg.MODEL.RESNETS.STEM_OUT_CHANNELS == 8


def test_its_weights_know_their_classes(tiny_run):
    for name in ("model_best.pth", "model_final.pth"):
        checkpoint = read_checkpoint(tiny_run / name)
        assert checkpoint["class_names"] == ["benign", "malignant"] and checkpoint["iteration"] == 3
        assert checkpoint["segtumor_version"] == segtumor.__version__


def test_its_log_says_what_happened(tiny_run):
    log = (tiny_run / "log.txt").read_text()
    assert "iteration 4 of 4" in log and "validation at iteration 4" in log


def test_its_evaluation_lies_in_a_folder_of_the_sets_name(tiny_run, datasets_root):
    folder = tiny_run / "inference" / "phantoms_test"
    document = json.loads((folder / "predictions.json").read_text())
    truth = json.loads((datasets_root / "phantoms" / "annotations" / "test.json").read_text())
    assert [image["file_name"] for image in document["images"]] == [i["file_name"] for i in truth["images"]]
    results = json.loads((folder / "coco_instances_results.json").read_text())
    assert len(results) == len(document["annotations"]) > 0
    assert {result["image_id"] for result in results} <= {image["id"] for image in truth["images"]}
    assert {result["category_id"] for result in results} <= {category["id"] for category in truth["categories"]}
    assert all(len(result["bbox"]) == 4 and 0 < result["score"] <= 1 for result in results)


def test_its_thresholds_are_those_of_its_validation_set(tiny_run, datasets_root):
    annotations = datasets_root / "phantoms" / "annotations" / "val.json"
    truth = json.loads(annotations.read_text())
    with_lesion = {annotation["image_id"] for annotation in truth["annotations"]}
    both_kinds = 0 < len(with_lesion) < len(truth["images"])
    assert (tiny_run / "operating_points.json").exists() is both_kinds
    assert both_kinds or "No operating points" in (tiny_run / "log.txt").read_text()
    if both_kinds:
        points = read_points(tiny_run, weights_sha256=sha256(tiny_run / "model_best.pth"))
        assert points.annotations_sha256 == sha256(annotations) and points.n_images == len(truth["images"])


def test_an_operating_point_needs_a_set_that_chooses_it(phantoms, tiny_config, tmp_path):
    settings = {**BARE, "OUTPUT_DIR": tmp_path, "OPERATING_POINTS.USED": "youden"}
    with pytest.raises(ConfigError, match=r"OPERATING_POINTS\.USED"):
        training.train(tiny_config(settings))


def run(tiny_config, folder, settings=(), **how):
    training.train(tiny_config({**BARE, "OUTPUT_DIR": folder, **dict(settings)}), **how)
    return read_checkpoint(folder / "model_final.pth")


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_seeded_run_repeats_bit_for_bit(phantoms, tiny_config, tmp_path, workers):
    settings = {"DATALOADER.NUM_WORKERS": workers, "INPUT.AUGMENTATION": "strong"}
    first, again = (run(tiny_config, tmp_path / name, settings) for name in ("first", "again"))
    assert equal(first["model"], again["model"])
    losses = [
        [{k: v for k, v in line.items() if k.startswith(("loss_", "total_loss"))} for line in metrics(tmp_path / name)]
        for name in ("first", "again")
    ]
    assert losses[0] == losses[1] and losses[0][-1]
    if workers == 0:
        other = run(tiny_config, tmp_path / "other", {**settings, "SEED": 1})
        assert not equal(first["model"], other["model"])


def test_validation_does_not_change_what_is_learnt(phantoms, tiny_config, tmp_path):
    without = run(tiny_config, tmp_path / "without")
    measured = {"DATASETS.VALIDATION": ("phantoms_val",), "TEST.EVAL_PERIOD": 2}
    assert equal(without["model"], run(tiny_config, tmp_path / "measured", measured)["model"])


def test_resume_continues_at_the_right_iteration(phantoms, tiny_config, tmp_path):
    run(tiny_config, tmp_path, {"SOLVER.MAX_ITER": 2})
    checkpoint = run(tiny_config, tmp_path, {"SOLVER.MAX_ITER": 3}, resume=True)
    assert checkpoint["iteration"] == 2
    assert [line["iteration"] for line in metrics(tmp_path)] == [1, 2]
    momentum = [state["momentum_buffer"] for state in checkpoint["optimizer"]["state"].values()]
    assert momentum and checkpoint["scheduler"]["last_epoch"] == 3


def test_resuming_a_finished_run_trains_no_further(phantoms, tiny_config, tmp_path):
    first = run(tiny_config, tmp_path, {"SOLVER.MAX_ITER": 1})
    second = run(tiny_config, tmp_path, {"SOLVER.MAX_ITER": 1}, resume=True)
    assert equal(first["model"], second["model"]) and second["iteration"] == 0


def test_an_existing_run_is_not_overwritten_unasked(phantoms, tiny_config, tmp_path):
    (tmp_path / "model_last.pth").write_bytes(b"precious")
    with pytest.raises(ConfigError, match="--overwrite"):
        run(tiny_config, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model_last.pth"]
    with pytest.raises(ModelError):  # a mistake must not cost the old run
        run(tiny_config, tmp_path, overwrite=True, init_from=tmp_path / "gone.pth")
    assert (tmp_path / "model_last.pth").read_bytes() == b"precious"
    run(tiny_config, tmp_path, {"SOLVER.MAX_ITER": 1}, overwrite=True)
    assert not (tmp_path / "model_last.pth").exists()


def test_a_rate_that_diverges_stops_and_names_images(phantoms, tiny_config, tmp_path):
    settings = {"SOLVER.BASE_LR": 1e30, "SOLVER.CLIP_GRADIENTS.ENABLED": False, "SOLVER.MAX_ITER": 20}
    with pytest.raises(NonFiniteLossError, match=str(phantoms / "images")) as caught:
        run(tiny_config, tmp_path, settings)
    assert "SOLVER.BASE_LR" in str(caught.value)
    assert not (tmp_path / "model_final.pth").exists()


def test_init_from_starts_a_new_run_with_those_weights(phantoms, tiny_config, tiny_run, tmp_path, caplog):
    caplog.set_level(logging.INFO, "segtumor")
    checkpoint = run(tiny_config, tmp_path, {"SOLVER.BASE_LR": 1e-20}, init_from=tiny_run / "model_final.pth")
    weights = read_checkpoint(tiny_run / "model_final.pth")["model"]
    learnt = [name for name in weights if "running" not in name and "num_batches" not in name]
    for name in learnt:
        torch.testing.assert_close(checkpoint["model"][name], weights[name], rtol=0, atol=1e-12)
    assert "0 newly initialised" in (tmp_path / "log.txt").read_text()


def test_pixels_are_scaled_as_the_weights_have_learnt(phantoms, tiny_config, tiny_run, tmp_path, monkeypatch):
    pixels = {"pixel_mean": torch.full((3, 1, 1), 110.5), "pixel_std": torch.full((3, 1, 1), 64.0)}
    weights = {**read_checkpoint(tiny_run / "model_final.pth")["model"], **pixels}
    torch.save(weights, tmp_path / "others.pth")
    settings = {"SOLVER.BASE_LR": 1e-20, "SOLVER.MAX_ITER": 1, "DATASETS.TRAIN": ("phantoms_train",)}
    built = []  # models, whatever the configuration says when they are built
    create = Trainer.from_config
    monkeypatch.setattr(Trainer, "from_config", lambda cfg, *a: built.append(create(cfg, *a)) or built[-1])
    first, further, finished = (tmp_path / name for name in ("first", "further", "finished"))
    run(tiny_config, first, settings, init_from=tmp_path / "others.pth")
    phrase = "pixels scaled as the weights have learnt: MODEL.PIXEL_MEAN [110.5, 110.5, 110.5]"
    assert phrase in (first / "log.txt").read_text()
    # None of what follows says it again: every configuration has others, and the weights tell.
    run(tiny_config, first, settings | {"SOLVER.MAX_ITER": 2}, resume=True)
    run(tiny_config, further, settings, init_from=first / "model_final.pth")
    finish_only(tiny_config({**BARE, **settings, "OUTPUT_DIR": finished}), init_from=further / "model_final.pth")
    for folder in (first, further, finished):
        model = load_config(folder / "config.yaml").MODEL
        assert list(model.PIXEL_MEAN) == [110.5] * 3 and list(model.PIXEL_STD) == [64.0] * 3
    assert [trainer.model.pixel_mean.flatten().tolist() for trainer in built] == [[110.5] * 3] * 3
    tested = {"DATASETS.TEST": ("phantoms_test",), "MODEL.WEIGHTS": str(first / "model_final.pth")}
    evaluate_run(tiny_config({**settings, **tested, "OUTPUT_DIR": tmp_path / "tested"}))
    assert phrase in (tmp_path / "tested" / "log.txt").read_text()


def test_a_worker_that_cannot_read_an_image_names_it(phantoms, tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(training_sets, "check_image_sizes", lambda records, **_: None)
    settings = {"INPUT.MAX_PIXELS": 5, "DATALOADER.NUM_WORKERS": 1}
    with pytest.raises(DataError, match=str(phantoms / "images")) as caught:
        run(tiny_config, tmp_path, settings)
    assert "too large" in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_early_stopping_and_the_best_model(phantoms, tiny_config, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "segtumor")
    losses = iter([3.0, 1.0, 2.0, 2.0, 0.5])
    monkeypatch.setattr("segtumor.training.hooks.validation_losses", lambda *_, **__: {"total": next(losses)})
    settings = {
        "DATASETS.VALIDATION": ("phantoms_val",),
        "TEST.EVAL_PERIOD": 1,
        "SOLVER.MAX_ITER": 9,
        "SOLVER.BEST_METRIC": "loss",
        "SOLVER.EARLY_STOPPING_PATIENCE": 2,
    }
    final = run(tiny_config, tmp_path, settings)
    best = read_checkpoint(tmp_path / "model_best.pth")
    assert (final["iteration"], best["iteration"], best["loss"]) == (3, 1, 1.0)
    assert not equal(final["model"], best["model"])
    assert "Stopped early at iteration 4" in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"DATASETS.TRAIN": ()}, "DATASETS.TRAIN"),
        ({"DATASETS.VALIDATION": ("phantoms_val", "phantoms_test")}, "DATASETS.VALIDATION"),
        ({"DATASETS.VALIDATION": ("phantoms_val",), "SOLVER.BEST_METRIC": "luck"}, "SOLVER.BEST_METRIC"),
        ({"INPUT.AUGMENTATION": "wild"}, "INPUT.AUGMENTATION"),
        ({"MODEL.ROI_BOX_HEAD.CLASS_WEIGHTS": [1.0, 2.0]}, "3 numbers for benign, malignant, background"),
        ({"MODEL.CLASS_NAMES": ["malignant", "benign"]}, "MODEL.CLASS_NAMES"),
    ],
)
def test_settings_that_cannot_be_run_are_refused_by_their_key(phantoms, tiny_config, tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        run(tiny_config, tmp_path / "run", settings)


def test_a_training_set_without_lesions_is_refused(phantoms, tiny_config, tmp_path, datasets_root):
    document = json.loads((phantoms / "annotations" / "train.json").read_text())
    path = phantoms / "annotations" / "normals.json"
    images = [{**image, "image_label": "normal"} for image in document["images"]]
    path.write_text(json.dumps({**document, "images": images, "annotations": []}))
    with pytest.raises(ConfigError, match="no lesion"):
        run(tiny_config, tmp_path, {"DATASETS.TRAIN": ("phantoms_normals",)})
    path.unlink()


def test_one_set_may_serve_two_parts(phantoms, tiny_config, tmp_path):
    settings = {"SOLVER.MAX_ITER": 1, "DATASETS.VALIDATION": ("phantoms_train",)}
    assert run(tiny_config, tmp_path, settings)["iteration"] == 0


def test_evaluating_a_run_again_gives_the_same_numbers(phantoms, tiny_run, tiny_config, tmp_path):
    settings = {"OUTPUT_DIR": tmp_path, "MODEL.WEIGHTS": tiny_run / "model_best.pth"}
    evaluations = evaluate_run(tiny_config(settings))
    assert list(evaluations) == ["phantoms_test"]
    name = "inference/phantoms_test/coco_instances_results.json"
    assert (tmp_path / name).read_bytes() == (tiny_run / name).read_bytes()


def test_evaluation_needs_a_set_and_weights_that_fit(phantoms, tiny_run, tiny_config, tmp_path):
    with pytest.raises(ConfigError, match=r"DATASETS\.TEST"):
        evaluate_run(tiny_config({"DATASETS.TEST": ()}))
    with pytest.raises(ConfigError, match="not a training run"):
        evaluate_run(tiny_config({"OUTPUT_DIR": tmp_path}))
    other = {"MODEL.WEIGHTS": tiny_run / "model_best.pth", "MODEL.FPN.OUT_CHANNELS": 8, "OUTPUT_DIR": tmp_path}
    with pytest.raises(ModelError, match="do not fit"):
        evaluate_run(tiny_config(other))


def test_a_dry_run_describes_and_writes_nothing(phantoms, tiny_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = training.dry_run(tiny_config({"OUTPUT_DIR": "run"}))
    assert "train: 6 images (2 normal), 4 lesions" in lines
    assert any(line.startswith("parameters: ") for line in lines) and any("s per iteration" in line for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_a_case_in_two_parts_is_warned_of_and_stored(phantoms, tiny_config, tmp_path, caplog):
    run(tiny_config, tmp_path, {"SOLVER.MAX_ITER": 1, "DATASETS.TEST": ("phantoms_train",)})
    assert "cases are in the train and in the test part" in caplog.text
    stored = json.loads((tmp_path / "run.json").read_text())
    assert stored["cases_in_several_parts"] == {"train, test": 3}


def test_weights_of_another_order_of_classes_are_refused(phantoms, tiny_run, tiny_config, tmp_path):
    path = phantoms / "annotations" / "swapped.json"
    document = json.loads((phantoms / "annotations" / "test.json").read_text())
    document["categories"] = [{"id": 1, "name": "malignant"}, {"id": 2, "name": "benign"}]
    path.write_text(json.dumps(document))
    settings = {"OUTPUT_DIR": tmp_path, "MODEL.WEIGHTS": tiny_run / "model_best.pth"}
    with pytest.raises(ModelError, match="another order"):
        evaluate_run(tiny_config({**settings, "DATASETS.TEST": ("phantoms_swapped",)}))
    path.unlink()


def test_an_evaluation_names_its_weights_and_replaces_no_other_models(phantoms, tiny_run, tiny_config, tmp_path):
    other = tmp_path / "other.pth"
    other.write_bytes((tiny_run / "model_best.pth").read_bytes())
    with pytest.raises(ConfigError, match="already holds a run"):
        evaluate_run(tiny_config({"OUTPUT_DIR": tiny_run, "MODEL.WEIGHTS": other}))
    evaluate_run(tiny_config({"OUTPUT_DIR": tmp_path / "eval", "MODEL.WEIGHTS": other}))
    metrics = json.loads((tmp_path / "eval" / "inference" / "phantoms_test" / "metrics.json").read_text())
    assert metrics["provenance"]["weights"] == str(other)
    assert len(metrics["provenance"]["weights_sha256"]) == 64


@pytest.mark.parametrize("module", ["scipy.stats", "jinja2", "tensorboard", "matplotlib"])
def test_what_the_final_evaluation_needs_is_imported_before_training(module, monkeypatch):
    """Hours of training would end with what is broken."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError):
        import_late_dependencies()


@pytest.mark.parametrize(
    "settings",
    [
        {"MODEL.MASK_ON": False},
        {
            "MODEL.META_ARCHITECTURE": "RetinaNet",
            "MODEL.RETINANET.IN_FEATURES": "['p3', 'p4', 'p5', 'p6']",
            "MODEL.ANCHOR_GENERATOR.SIZES": "[[16], [32], [64], [128]]",
        },
    ],
    ids=["Faster R-CNN", "RetinaNet"],
)
def test_a_detector_without_masks_goes_the_whole_way(
    settings, phantoms, tiny_options, tiny_config_file, tmp_path, capsys
):
    from segtumor.commands import export, infer, train

    options = {**settings, "OUTPUT_DIR": tmp_path / "run", "SOLVER.BEST_METRIC": "bbox/AP50"}
    assert train.main(["--config-file", str(tiny_config_file), *tiny_options(options)]) == 0
    metrics = json.loads((tmp_path / "run" / "inference" / "phantoms_test" / "metrics.json").read_text())
    assert metrics["counts"]["n_findings_without_mask"] == metrics["counts"]["n_findings"]
    argv = ["--run", str(tmp_path / "run"), "--input", str(phantoms / "images"), "--output", str(tmp_path / "found")]
    assert infer.main([*argv, "--confidence-threshold", "0"]) == 0
    argv = ["--run", str(tmp_path / "run"), "--format", "onnx", "--output", str(tmp_path / "export")]
    assert export.main(argv) == 0
    argv = ["--run", str(tmp_path / "export"), "--input", str(phantoms / "images"), "--output", str(tmp_path / "again")]
    assert infer.main([*argv, "--confidence-threshold", "0"]) == 0
    found, again = (
        json.loads((tmp_path / name / "predictions.json").read_text())["annotations"] for name in ("found", "again")
    )
    assert len(found) == len(again)
    assert [one["score"] for one in again] == pytest.approx([one["score"] for one in found], abs=1e-3)
