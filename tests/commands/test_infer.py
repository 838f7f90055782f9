"""``tools/infer.py`` as it is typed: what it writes, and its exit code for everything that can be wrong."""

import csv
import json
import shutil

import pytest
import torch
from PIL import Image

from segtumor.commands import export, infer

pytestmark = pytest.mark.model


@pytest.fixture
def images(phantoms, tmp_path):
    """Folder with two good images, a.png and b.png."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, source in zip(("a.png", "b.png"), sorted((phantoms / "images").glob("*.png")), strict=False):
        shutil.copy(source, folder / name)
    return folder


@pytest.fixture
def type_infer(tiny_run, tmp_path):
    """Function of inputs and further options -> exit code and output folder."""

    def type_infer(*inputs, more=(), model=("--run", str(tiny_run))):
        output = tmp_path / "found"
        return infer.main([*model, "--input", *map(str, inputs), "--output", str(output), *more]), output

    return type_infer


def summary(output):
    return json.loads((output / "summary.json").read_text())


def statuses(output):
    return [entry["status"] for entry in summary(output)["inputs"]]


def test_good_images_give_overlays_tables_and_a_status_each(images, type_infer, capsys):
    code, output = type_infer(images, more=["--confidence-threshold", "0.1"])
    assert code == 0
    written = {"overlays", "predictions.json", "findings.csv", "summary.json", "infer.journal.jsonl"}
    assert {path.name for path in output.iterdir()} == written
    assert sorted(path.name for path in (output / "overlays").iterdir()) == ["a.png", "b.png"]
    for path in (output / "overlays").iterdir():
        with Image.open(path) as picture:
            assert picture.mode == "RGB"
            picture.load()
    document = json.loads((output / "predictions.json").read_text())
    assert [category["name"] for category in document["categories"]] == ["benign", "malignant"]
    with (output / "findings.csv").open() as file:
        scores = [float(row["score"]) for row in csv.DictReader(file) if row["score"]]
    assert scores and min(scores) >= 0.1
    assert len(scores) == sum(annotation["score"] >= 0.1 for annotation in document["annotations"])
    assert set(document["annotations"][0]["class_probabilities"]) == {"benign", "malignant"}
    assert summary(output)["counts"]["inputs"] == 2 and "failed" not in statuses(output)
    assert "2 inputs:" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "missing"])
def test_a_bad_file_among_good_ones_fails_alone(images, type_infer, damage, capsys):
    bad = images / "bad.png"
    if damage != "missing":
        data = (images / "a.png").read_bytes()
        bad.write_bytes({"truncated": data[: len(data) // 2], "empty": b"", "text": b"hello"}[damage])
    code, output = type_infer(images / "a.png", bad, images / "b.png")
    assert code == 6
    assert [status == "failed" for status in statuses(output)] == [False, True, False]
    failed = summary(output)["inputs"][1]
    assert "bad.png" in failed["reason"] and summary(output)["counts"]["failed"] == 1
    assert sorted(path.name for path in (output / "overlays").iterdir()) == ["a.png", "b.png"]
    assert "1 of 3 inputs failed" in capsys.readouterr().err


def test_nothing_but_bad_files(images, type_infer):
    (images / "a.png").write_bytes(b"")
    code, output = type_infer(images / "a.png")
    assert code == 5 and statuses(output) == ["failed"]


def test_two_inputs_of_one_name_get_two_overlays(images, type_infer):
    with Image.open(images / "a.png") as picture:
        picture.save(images / "a.bmp")
    code, output = type_infer(images / "a.png", images / "a.bmp")
    assert code == 0
    assert sorted(path.name for path in (output / "overlays").iterdir()) == ["a.png", "a_2.png"]


@pytest.mark.parametrize("name", ["empty", "nowhere.png", "*.dcm"])
def test_no_input_is_bad_data(tmp_path, type_infer, name):
    (tmp_path / "empty").mkdir()
    code, output = type_infer(tmp_path / name)
    assert code == 5 and not output.exists()


def test_missing_weights_are_a_bad_model(images, type_infer, tiny_config_file, tmp_path, capsys):
    model = ("--config-file", str(tiny_config_file))
    code, _ = type_infer(images, model=model, more=["--opts", "MODEL.WEIGHTS", str(tmp_path / "gone.pth")])
    assert code == 3 and "gone.pth: no such weights file" in capsys.readouterr().err


def test_weights_of_another_model_are_refused(images, type_infer, tiny_run, tiny_config_file, capsys):
    model = ("--config-file", str(tiny_config_file))
    code, _ = type_infer(images, model=model, more=["--opts", "MODEL.WEIGHTS", str(tiny_run / "model_best.pth")])
    assert code == 3 and "do not fit the model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--opts", "TEST.CONFIDENCE_TRESHOLD", "0.2"], "Did you mean TEST.CONFIDENCE_THRESHOLD"),
        (["--opts", "TEST.CONFIDENCE_THRESHOLD"], "pairs"),
        (["--confidence-threshold", "1.5"], "0 to 1"),
        (["--confidence-threshold", "nan"], "0 to 1"),
    ],
)
def test_wrong_settings_are_usage_errors(images, type_infer, more, message, capsys):
    code, output = type_infer(images, more=more)
    error = capsys.readouterr().err
    assert code == 2 and message in error and "Traceback" not in error and not output.exists()


def test_a_configuration_without_weights_is_a_usage_error(images, type_infer, tiny_config_file, capsys):
    code, _ = type_infer(images, model=("--config-file", str(tiny_config_file)))
    assert code == 2 and "MODEL.WEIGHTS" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_a_usage_error(images, type_infer, tmp_path):
    assert type_infer(images, model=("--run", str(tmp_path)))[0] == 2


def test_an_output_that_is_a_file_cannot_be_written(images, type_infer, tmp_path):
    (tmp_path / "found").touch()
    assert type_infer(images)[0] == 4


def test_both_runtimes_find_the_same_and_are_named(images, type_infer):
    found = []
    for runtime in ("torch", "detectron2"):
        more = ["--runtime", runtime, "--confidence-threshold", "0.1", "--threads", "1", "--overwrite"]
        code, output = type_infer(images, more=more)
        assert code == 0 and summary(output)["settings"]["runtime"]["runtime"] == runtime
        found.append([entry["n_findings"] for entry in summary(output)["inputs"]])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("training_data", "warns"),
    [
        ({"datasets": ["phantoms_train"], "synthetic": True}, True),
        ({"datasets": ["phantoms_train", "mine_train"], "synthetic": False}, False),
        (None, False),
        ("damaged", False),
    ],
)
def test_a_model_that_knows_phantoms_only_says_so(images, type_infer, tiny_run, tmp_path, training_data, warns, capsys):
    checkpoint = torch.load(tiny_run / "model_best.pth", weights_only=True)
    run, exported = tmp_path / "run", tmp_path / "exported"
    run.mkdir()
    shutil.copy(tiny_run / "config.yaml", run)
    torch.save({**checkpoint, "training_data": training_data}, run / "model_best.pth")
    assert export.main(["--run", str(run), "--format", "torchscript", "--output", str(exported)]) == 0
    for model in (run, exported):
        capsys.readouterr()
        code, output = type_infer(images, model=("--run", str(model)), more=["--overwrite"])
        found = summary(output)
        assert code == 0 and found["model"]["training_data"] == (training_data if training_data != "damaged" else None)
        assert ("trained on synthetic radiographs only" in capsys.readouterr().err) is warns
        assert (found["note"] is not None) is warns
        assert ("synthetic radiographs only" in (output / "findings.csv").read_text()) is warns


@pytest.mark.parametrize("runtime", ["torch", "detectron2"])
def test_a_model_that_overflows_fails_its_inputs_and_finds_nothing_normal(
    images, type_infer, tiny_run, tmp_path, runtime, capsys
):
    checkpoint = torch.load(tiny_run / "model_best.pth", weights_only=True)
    checkpoint["model"]["backbone.bottom_up.stem.conv1.weight"] *= 1e30  # all finite
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(tiny_run / "config.yaml", run)
    torch.save(checkpoint, run / "model_best.pth")
    code, output = type_infer(images, model=("--run", str(run)), more=["--runtime", runtime])
    assert code == 5 and statuses(output) == ["failed"] * 2
    assert "2 of 2 inputs failed, first: " in capsys.readouterr().err
    assert "none" not in (output / "findings.csv").read_text()


def test_opts_win_over_the_run(images, type_infer):
    code, output = type_infer(images, more=["--no-overlays", "--opts", "TEST.CONFIDENCE_THRESHOLD", "0.9"])
    assert code == 0 and not (output / "overlays").exists()
    assert summary(output)["settings"]["confidence_threshold"] == 0.9
