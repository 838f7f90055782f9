"""A cross-validation of a tiny model: what it leaves behind, and that it continues where it was stopped."""

import csv
import json
import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from segtumor.annotations.coco import load_coco
from segtumor.commands import crossval as command
from segtumor.errors import ConfigError, OutputError
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.models.weights import read_checkpoint
from segtumor.system.locks import lock_folder
from segtumor.training.folds import crossval
from segtumor.training.folds import plan as folds_plan
from segtumor.training.folds.folder import differences, finished_predictions, fold_folder, is_trained
from segtumor.training.folds.plan import make_plan
from segtumor.training.folds.report import report

pytestmark = pytest.mark.model

QUICK = {"SOLVER.MAX_ITER": 2, "SOLVER.CHECKPOINT_PERIOD": 1, "TEST.EVAL_PERIOD": 2, "TEST.CONFIDENCE_THRESHOLD": 0.05}


@pytest.fixture(scope="module")
def type_crossval(tiny_options, tiny_config_file, datasets_root):
    """Function of a folder, options and settings -> exit code of the command on the phantoms with two folds."""

    def type_crossval(folder, *options, settings=()):
        fixed = ["--config-file", str(tiny_config_file), "--output", str(folder), "--folds", "2", "--resamples", "50"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DETECTRON2_DATASETS", str(datasets_root))
            for module in ("files.evaluation_files", "pages.study_figures"):  # plots take most of the time
                patch.setattr(f"segtumor.reporting.{module}.png_bytes", lambda *_, **__: b"")
            return command.main([*fixed, *options, "--", *tiny_options({**QUICK, **dict(settings)})])

    return type_crossval


@pytest.fixture(scope="module")
def finished(type_crossval, tmp_path_factory):
    """Folder of a finished cross-validation; look, but do not write into it."""
    folder = tmp_path_factory.mktemp("crossval") / "cv"
    assert type_crossval(folder) == 0
    return folder


def read(path):
    return json.loads(path.read_text())


def rows(folder):
    with open(folder / "crossval.csv", newline="") as file:
        return {row["fold"]: row for row in csv.DictReader(file)}


def no_training(*_, **__):
    raise RuntimeError("trained although it was finished")


def test_every_image_is_predicted_by_the_fold_that_has_not_seen_its_case(finished):
    folds, predicted = read(finished / "folds.json"), []
    for number in (1, 2):
        folder = finished / f"fold_{number}"
        parts = {part: read(folder / "annotations" / f"{part}.json")["images"] for part in ("train", "val", "test")}
        cases = {part: {image["case_id"] for image in images} for part, images in parts.items()}
        assert not (cases["test"] & (cases["train"] | cases["val"]) or cases["train"] & cases["val"])
        document = read(folder / "inference" / f"fold{number}_test" / "predictions.json")
        names = [image["file_name"] for image in document["images"]]
        assert {folds["assignment"][name]["part"] for name in names} == {f"fold{number}"}
        assert sorted(folds["validation"][f"fold{number}"]) == sorted(i["file_name"] for i in parts["val"])
        predicted += names
    assert sorted(predicted) == sorted(folds["assignment"]) and len(predicted) == 12


def test_its_folds_are_a_split_file_with_hashes_and_settings(finished, phantoms):
    from segtumor.datasets.splits.document import read_split, verify_split

    assert read_split(finished / "folds.json").parts == ("fold1", "fold2")
    document = read(finished / "folds.json")
    assert verify_split(document, phantoms / "images") == ([], [])
    setup = document["cross_validation"]
    assert (setup["folds"], setup["seed"], setup["configuration"]["SOLVER.MAX_ITER"]) == (2, 0, 2)
    assert "OUTPUT_DIR" not in setup["configuration"]


def test_each_fold_is_an_ordinary_run(finished):
    for number in (1, 2):
        folder = finished / f"fold_{number}"
        assert {"config.yaml", "run.json", "log.txt", "model_best.pth", "fold.json"} <= {
            p.name for p in folder.iterdir()
        }
        run = read(folder / "run.json")
        assert run["cases_in_several_parts"] == {} and len(run["datasets"]["validation"]) == 1
    assert not list(finished.rglob("*.png.png")) and not (finished / "fold_1" / "images").exists()


def test_its_table_has_each_fold_mean_deviation_and_pooled(finished):
    table = rows(finished)
    assert list(table) == ["1", "2", "mean", "sd", "folds_defined", "pooled", "pooled_low", "pooled_high"]
    assert int(table["1"]["images"]) + int(table["2"]["images"]) == int(table["pooled"]["images"]) == 12
    assert int(table["pooled"]["cases"]) == 6
    values = [float(table[fold]["dice"]) for fold in ("1", "2")]
    np.testing.assert_allclose(float(table["mean"]["dice"]), np.mean(values))
    np.testing.assert_allclose(float(table["sd"]["dice"]), np.std(values, ddof=1))
    lesions = [int(table[fold]["lesions"]) for fold in ("1", "2")]
    np.testing.assert_allclose(float(table["pooled"]["dice"]), np.average(values, weights=lesions))


def test_its_pooled_files_give_the_pooled_numbers_again(finished, tmp_path):
    from segtumor.commands import evaluate

    pooled = finished / "pooled"
    assert {"report.html", "estimates.csv", "per_lesion.csv"} <= {path.name for path in pooled.iterdir()}
    assert "no standard error" in (pooled / "report.html").read_text()
    files = ["--annotations", pooled / "annotations.json", "--predictions", pooled / "predictions.json"]
    arguments = [*files, "--output", tmp_path, "--score-threshold", "0.05", "--resamples", "20"]
    assert evaluate.main([str(argument) for argument in arguments]) == 0
    again = read(tmp_path / "metrics.json")
    measures = read(finished / "crossval.json")["measures"]
    assert math.isclose(again["overlap"]["dice"], measures["dice"]["pooled"]["value"], rel_tol=1e-12)
    assert again["overlap"]["dice"] == read(pooled / "metrics.json")["overlap"]["dice"]
    assert math.isclose(again["detection"]["segm"]["AP50"], measures["mask_ap50"]["pooled"]["value"], abs_tol=1e-9)


def test_its_page_has_the_folds_their_split_and_their_weights(finished):
    page = (finished / "pooled" / "report.html").read_text()
    for cell in ("fold 1", "fold 2", "mean", "SD", "pooled"):
        assert f'<th scope="col">{cell}</th>' in page
    assert f"<td>{float(rows(finished)['sd']['dice']):.3f}</td>" in page
    assert read(finished / "folds.json")["split_sha256"] in page and "random weights" in page
    hashes = [read(finished / f"fold_{number}" / "fold.json")["weights_sha256"] for number in (1, 2)]
    assert all(value in page for value in hashes)
    assert "<code>not recorded</code>" not in page


def test_its_report_says_what_the_numbers_do_not_tell(finished):
    report = read(finished / "crossval.json")
    text = " ".join(report["remarks"])
    assert "no standard error" in text and "share" in text and "different models" in text
    assert "Not a medical device" in report["notice"]
    assert report["measures"]["dice"]["n_folds"] == 2


def test_the_same_command_again_trains_nothing_and_repeats_the_numbers(type_crossval, finished, monkeypatch, capsys):
    monkeypatch.setattr(crossval, "train", no_training)
    monkeypatch.setattr(crossval, "evaluate_run", no_training)
    before = (finished / "crossval.csv").read_bytes()
    assert type_crossval(finished) == 0
    assert (finished / "crossval.csv").read_bytes() == before
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == f"The report: {finished / 'pooled' / 'report.html'}"
    assert "Fold 2 of 2: finished earlier" in captured.err
    assert "Dice" in captured.out and "no standard error" in captured.out


@pytest.mark.parametrize(
    ("options", "settings", "message"),
    [
        ((), {"SOLVER.MAX_ITER": 3}, "SOLVER.MAX_ITER 3 instead of 2"),
        (("--seed", "1"), {}, "seed 1 instead of 0"),
        (("--val-fraction", "0.3"), {}, "val_fraction 0.3 instead of 0.1"),
        (("--parts", "train", "val"), {}, "the annotations differ"),
    ],
)
def test_another_cross_validation_in_the_folder_is_refused(
    type_crossval, finished, monkeypatch, capsys, options, settings, message
):
    monkeypatch.setattr(crossval, "train", no_training)
    before = (finished / "folds.json").read_bytes()
    assert type_crossval(finished, *options, settings=settings) == 2
    error = capsys.readouterr().err
    assert message in error and "--overwrite" in error
    assert (finished / "folds.json").read_bytes() == before


def test_a_folder_that_another_one_writes_into_is_refused(type_crossval, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(crossval, "train", no_training)
    with lock_folder(tmp_path / "cv") as folder:
        assert type_crossval(folder) == 2 and type_crossval(folder, "--overwrite") == 2
        assert [path.name for path in folder.iterdir()] == [".segtumor-lock"]
    assert "another command is writing into the folder" in capsys.readouterr().err


def test_where_it_runs_and_how_fast_may_differ(type_crossval, finished, monkeypatch):
    monkeypatch.setattr(crossval, "train", no_training)
    assert type_crossval(finished, settings={"DATALOADER.NUM_WORKERS": 1, "OUTPUT_DIR": "elsewhere"}) == 0


def test_a_stopped_one_continues_with_what_it_has(type_crossval, tmp_path, monkeypatch, capsys):
    train, evaluate_run, calls = crossval.train, crossval.evaluate_run, []

    def stop_in_second_fold(cfg, **how):
        calls.append((cfg.OUTPUT_DIR[-6:], how["resume"]))
        if cfg.OUTPUT_DIR.endswith("fold_2"):
            monkeypatch.setattr("segtumor.training.train.Trainer._next_batch", interrupting(1))
        return train(cfg, **how)

    with monkeypatch.context() as patch:
        patch.setattr(crossval, "train", stop_in_second_fold)
        assert type_crossval(tmp_path) == 130
    monkeypatch.undo()
    assert (tmp_path / "fold_1" / "fold.json").is_file() and not (tmp_path / "fold_2" / "fold.json").exists()
    first = (tmp_path / "fold_1" / "fold.json").stat().st_mtime_ns
    assert read_checkpoint(tmp_path / "fold_2" / "model_last.pth")["iteration"] == 0

    def stop_before_the_test(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("segtumor.training.finishing.evaluate_sets", stop_before_the_test)
        assert type_crossval(tmp_path) == 130
    assert "Resumed from" in (tmp_path / "fold_2" / "log.txt").read_text()
    assert read_checkpoint(tmp_path / "fold_2" / "model_final.pth")["iteration"] == 1
    monkeypatch.setattr(crossval, "train", no_training)
    assert crossval.evaluate_run is evaluate_run
    assert type_crossval(tmp_path) == 0
    assert (tmp_path / "fold_1" / "fold.json").stat().st_mtime_ns == first
    assert calls == [("fold_1", False), ("fold_2", False)] and rows(tmp_path)["pooled"]["images"] == "12"


def interrupting(after):
    """A replacement of ``Trainer._next_batch`` that is interrupted after so many batches."""
    taken = []

    def next_batch(trainer):
        taken.append(1)
        if len(taken) > after:
            raise KeyboardInterrupt
        return next(trainer._batches)

    return next_batch


def test_predictions_that_were_changed_are_made_again_and_overwrite_starts_anew(type_crossval, tmp_path, capsys):
    assert type_crossval(tmp_path, "--val-fraction", "0") == 0
    assert not (tmp_path / "fold_1" / "model_best.pth").exists()
    path = tmp_path / "fold_1" / "inference" / "fold1_test" / "predictions.json"
    right = path.read_bytes()
    path.write_text("{}")
    assert type_crossval(tmp_path, "--val-fraction", "0") == 0
    assert path.read_bytes() == right and "has changed" in capsys.readouterr().err
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crossval, "train", no_training)
        assert type_crossval(tmp_path, "--seed", "3", "--overwrite") == 1
    assert {p.name for p in tmp_path.iterdir()} == {"mine.txt", "folds.json", "fold_1"}
    assert read(tmp_path / "folds.json")["seed"] == 3


def test_a_damaged_note_of_a_fold_is_no_end_and_a_note_without_weights_no_training(tmp_path, caplog):
    (tmp_path / "fold.json").write_text("{")
    assert finished_predictions(tmp_path, {}) is None and "The fold is tested again" in caplog.text
    (tmp_path / "last_checkpoint").write_text("model_final.pth")
    assert not is_trained(tmp_path)
    (tmp_path / "model_best.pth").touch()
    assert is_trained(tmp_path)


def test_a_dry_run_shows_the_folds_and_writes_nothing(type_crossval, tmp_path, capsys):
    assert type_crossval(tmp_path / "cv", "--dry-run") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:4] == ["fold", "part", "images", "cases"]
    assert [line[:2] for line in lines[1:]] == [[fold, part] for fold in "12" for part in ("test", "train", "val")]
    assert [sum(int(line[2]) for line in lines[1:] if line[0] == fold) for fold in "12"] == [12, 12]
    assert not (tmp_path / "cv").exists()


def test_folders_that_hold_other_things_are_refused(type_crossval, tiny_run, tmp_path, capsys):
    before = sorted(path.name for path in tiny_run.iterdir())
    assert type_crossval(tiny_run, "--overwrite") == 2
    assert "training run" in capsys.readouterr().err
    assert sorted(path.name for path in tiny_run.iterdir()) == before
    (tmp_path / "fold_1").mkdir()
    assert type_crossval(tmp_path, "--overwrite") == 2
    assert "without folds.json" in capsys.readouterr().err
    (tmp_path / "folds.json").write_text('{"kind": "kfold"}')
    assert type_crossval(tmp_path, "--overwrite") == 2
    assert "not the file of a cross-validation" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--folds", "1"), 2, "got 1; expected 2 to 6"),
        (("--folds", "7"), 2, "got 7; expected 2 to 6"),
        (("--stratify", "hospital"), 2, "hospital"),
        (("--init-from", "gone.pth"), 3, "gone.pth"),
    ],
)
def test_what_cannot_be_divided_is_refused(type_crossval, tmp_path, capsys, options, code, message):
    assert type_crossval(tmp_path / "cv", *options) == code
    assert message in capsys.readouterr().err and not (tmp_path / "cv").exists()


def test_a_class_too_rare_for_the_folds_is_warned_of(type_crossval, tmp_path, capsys):
    assert type_crossval(tmp_path, "--dry-run", "--folds", "5") == 0
    assert "fewer than the 5 folds" in capsys.readouterr().err


def test_weights_that_have_seen_the_data_are_warned_of(type_crossval, tiny_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(crossval, "train", no_training)
    weights = tiny_run / "model_best.pth"
    assert type_crossval(tmp_path, "--init-from", str(weights)) == 1
    assert "was trained on some of these images" in capsys.readouterr().err
    folds = read(tmp_path / "folds.json")
    assert folds["init_from_has_seen_the_data"] and len(folds["cross_validation"]["weights_sha256"]) == 64
    assert type_crossval(tmp_path) == 2
    assert "the weights to start from (--init-from) differ" in capsys.readouterr().err


def test_they_are_known_by_their_cases_and_a_damaged_record_says_nothing(
    type_crossval, tiny_run, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(crossval, "train", no_training)
    account = read(tiny_run / "run.json")
    shutil.copy(tiny_run / "model_best.pth", tmp_path)
    for datasets, message in (
        ({"train": []}, "was trained on some of these images"),  # the annotations have been exported again
        (3, "has seen what tests it is unknown"),
    ):
        (tmp_path / "run.json").write_text(json.dumps({**account, "datasets": datasets}))
        assert type_crossval(tmp_path / "cv", "--init-from", str(tmp_path / "model_best.pth")) == 1
        assert message in capsys.readouterr().err


def test_data_sets_of_several_folders_are_pooled(tiny_config, phantoms, tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    shutil.copytree(phantoms, tmp_path / "phantoms")
    shutil.copytree(phantoms, tmp_path / "more")
    document = read(tmp_path / "more" / "annotations" / "test.json")
    for image in document["images"]:
        path = tmp_path / "more" / "images" / image["file_name"]
        image["file_name"], image["case_id"] = f"other_{path.name}", "other"
        path.rename(path.with_name(image["file_name"]))
    (tmp_path / "more" / "annotations" / "test.json").write_text(json.dumps(document))
    plan = make_plan(tiny_config({"DATASETS.TEST": ("phantoms_test", "more_test")}), folds=2)
    assert len(plan.split.assignment) == 14 and len({i["id"] for i in plan.merged.images}) == 14
    assert plan.split.assignment[f"more/images/{document['images'][0]['file_name']}"]["case_id"] == "other"
    for fold in plan.folds:
        for path in crossval._write_annotations(plan, fold, tmp_path / "out").values():
            load_coco(path, plan.image_root)  # refuses images that are not there


def test_images_that_a_fold_could_not_predict_are_told(tiny_config, phantoms, tmp_path):
    plan, paths = make_plan(tiny_config(QUICK), folds=2), []
    categories = [{"id": n, "name": name} for n, name in enumerate(plan.class_names, start=1)]
    for fold in plan.folds:
        crossval._write_annotations(plan, fold, fold_folder(tmp_path, fold.number) / "annotations")
        names = [plan.file_names[i] for i in sorted(fold.test)]
        images = [{"image_id": n, "file_name": name, "status": "failed"} for n, name in enumerate(names, start=1)]
        paths.append(tmp_path / f"{fold.number}.json")
        document = {"schema_version": 1, "categories": categories, "images": images, "annotations": []}
        paths[-1].write_text(json.dumps(document))
    found = report(plan, tmp_path, paths, settings=StudySettings(n_resamples=2))
    assert any(f"{len(plan.file_names)} images failed when predicting" in remark for remark in found.study.remarks)


def test_nothing_to_divide_names_the_keys(tiny_config, phantoms):
    with pytest.raises(ConfigError, match=r"DATASETS\.VALIDATION"):
        make_plan(tiny_config({"DATASETS.VALIDATION": ()}), parts=["val"])


def test_differences_name_what_differs_once():
    earlier = {"folds": 5, "folds_sha256": "a", "configuration": {"SEED": 1, "INPUT.MIN_SIZE_TRAIN": [64]}}
    same = {**earlier, "configuration": {"SEED": 1, "INPUT.MIN_SIZE_TRAIN": (64,)}}
    assert differences(earlier, same) == []
    changed = {"folds": 4, "folds_sha256": "b", "configuration": {"SEED": 2, "INPUT.MIN_SIZE_TRAIN": [64]}}
    assert differences(earlier, changed) == ["SEED 2 instead of 1", "folds 4 instead of 5"]
    assert differences(earlier, {**earlier, "folds_sha256": "b"}) == ["the folds differ"]


def test_an_output_that_cannot_be_written_is_told(tiny_config, phantoms, tmp_path):
    (tmp_path / "file").touch()
    cfg = tiny_config(QUICK)
    with pytest.raises(OutputError):
        crossval.cross_validate(cfg, make_plan(cfg, folds=2), tmp_path / "file")


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"lesions": 0}, "fold 1 has no lesion to train on .*Use more folds"),
        ({"lesions": 0, "crowd_regions": 3}, "its 3 regions are all crowds .*--crowds-as-lesions"),
    ],
)
def test_a_fold_without_lesions_is_refused_with_what_to_do(train, message):
    plan = SimpleNamespace(summaries={1: {"train": train}})
    with pytest.raises(ConfigError, match=message.replace(" .*", ".*")):
        folds_plan._check_lesions(plan)


def test_every_fold_may_start_from_a_shipped_model(type_crossval, tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(crossval, "cross_validate", lambda *a, init_from, **_: asked.update(start=init_from) or [])
    monkeypatch.setattr(command, "_report", lambda *_: None)
    assert type_crossval(tmp_path / "cv", "--init-from", "btxrd-lite") == 0
    assert asked["start"].parts[-3:] == ("btxrd-lite", "export", "export.json")
