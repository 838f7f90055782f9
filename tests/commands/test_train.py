"""``tools/train_net.py`` as it is typed: its exit codes. What a run leaves behind: tests/training/test_training.py."""

import json

import pytest
import torch

from segtumor.commands import train
from segtumor.models.weights import read_checkpoint
from segtumor.system.locks import lock_folder

pytestmark = pytest.mark.model


@pytest.fixture
def type_train(phantoms, tiny_config_file, tiny_options, tmp_path, monkeypatch):
    """Function of options and settings -> exit code; it runs in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def type_train(*options, config_file=tiny_config_file, settings=()):
        return train.main(["--config-file", str(config_file), *options, *tiny_options(settings)])

    return type_train


def test_a_missing_configuration_is_a_usage_error(type_train, tmp_path, capsys):
    assert type_train(config_file=tmp_path / "nowhere.yaml") == 2
    assert "nowhere.yaml" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_a_missing_data_set_is_bad_data(type_train, tmp_path, capsys):
    assert type_train(settings={"DATASETS.TRAIN": ("nowhere_train",)}) == 5
    error = capsys.readouterr().err
    assert "nowhere_train" in error and "Traceback" not in error and list(tmp_path.iterdir()) == []


def test_an_unknown_key_names_the_nearest(type_train, tmp_path, capsys):
    assert type_train(settings={"SOLVER.MAX_ITERS": 3}) == 2
    assert "Did you mean SOLVER.MAX_ITER" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_an_existing_run_is_a_usage_error(type_train, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model_final.pth").touch()
    assert type_train(settings={"OUTPUT_DIR": "run"}) == 2
    assert "--resume" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--resume", "--overwrite", "--eval-only", None])
def test_a_folder_that_another_training_writes_into_is_refused(type_train, tiny_run, tmp_path, capsys, option):
    settings = {"OUTPUT_DIR": "run", "MODEL.WEIGHTS": tiny_run / "model_best.pth"}
    with lock_folder("run") as folder:
        (folder / "model_last.pth").touch()
        assert type_train(*([option] if option else []), settings=settings) == 2
        assert "another command is writing into the folder" in capsys.readouterr().err
        assert sorted(path.name for path in folder.iterdir()) == [".segtumor-lock", "model_last.pth"]
    assert type_train("--dry-run", settings=settings) == 0


def test_a_dry_run_writes_nothing(type_train, tmp_path, capsys):
    assert type_train("--dry-run") == 0
    assert "train: 6 images (2 normal), 4 lesions" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_resume_continues_and_says_so(type_train, tmp_path, capsys):
    bare = {"DATASETS.VALIDATION": (), "DATASETS.TEST": (), "OUTPUT_DIR": "run"}
    assert type_train(settings={**bare, "SOLVER.MAX_ITER": 1}) == 0
    assert type_train("--resume", settings={**bare, "SOLVER.MAX_ITER": 2}) == 0
    assert read_checkpoint(tmp_path / "run" / "model_final.pth")["iteration"] == 1
    assert "Resumed from run/model_final.pth" in capsys.readouterr().err


def test_the_default_folder_is_named_after_the_configuration(type_train, tmp_path):
    assert type_train(settings={"DATASETS.VALIDATION": (), "DATASETS.TEST": (), "SOLVER.MAX_ITER": 1}) == 0
    assert (tmp_path / "output" / "tiny_phantoms" / "model_final.pth").is_file()


def test_eval_only_evaluates_and_shows_the_result(type_train, tiny_run, tmp_path, capsys):
    settings = {"MODEL.WEIGHTS": tiny_run / "model_best.pth", "OUTPUT_DIR": "again"}
    assert type_train("--eval-only", settings=settings) == 0
    assert "phantoms_test" in capsys.readouterr().out
    results = "inference/phantoms_test/coco_instances_results.json"
    assert json.loads((tmp_path / "again" / results).read_text()) == json.loads((tiny_run / results).read_text())


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--init-from", "gone.pth"], 3),
        (["--resume", "--init-from", "gone.pth"], 2),
        (["--eval-only", "--init-from", "gone.pth"], 2),
        (["--eval-only"], 2),  # no run in OUTPUT_DIR
    ],
)
def test_weights_that_are_missing_or_do_not_go_with_the_rest(type_train, options, code):
    assert type_train(*options) == code


def test_only_one_way_to_run(type_train):
    with pytest.raises(SystemExit) as caught:
        type_train("--resume", "--dry-run")
    assert caught.value.code == 2


def test_more_gpus_than_there_are(type_train, capsys):
    assert type_train("--num-gpus", str(torch.cuda.device_count() + 1)) == 4
    assert "fewer GPUs" in capsys.readouterr().err
