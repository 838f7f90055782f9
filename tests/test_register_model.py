"""``tools/register_model.py``: what it makes of a run can be asked for by its name, and read with."""

import importlib.util

import pytest
import torch
from repository import ROOT

from segtumor.commands import infer, models
from segtumor.files import sha256_of_file
from segtumor.inference.load import load_model
from segtumor.models.weights import read_checkpoint, write_checkpoint
from segtumor.shipped.registry import find_model, starting_weights

pytestmark = pytest.mark.model

ABOUT = {
    "version": "1",
    "summary": "knows nothing",
    "licence": "none",
    "started-from": "noise",
    "trained-on": "phantoms",
}


@pytest.fixture
def register():
    spec = importlib.util.spec_from_file_location("register_model", ROOT / "tools" / "register_model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture
def run_folder(tiny_config, phantoms, tmp_path):
    from segtumor.models.build import create_model

    torch.manual_seed(0)
    cfg = tiny_config({"MODEL.META_ARCHITECTURE": "ImageHeadRCNN", "OUTPUT_DIR": tmp_path / "run"})
    cfg.MODEL.CLASS_NAMES = ["benign", "malignant"]
    cfg.DATASETS.TEST = ("phantoms_train",)  # the test part of this set has no normal image
    cfg.OPERATING_POINTS.USED = "false-positives"  # of the run, in a file that the model does not take along
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text(cfg.dump())
    content = {"model": create_model(cfg).state_dict(), "class_names": cfg.MODEL.CLASS_NAMES}
    write_checkpoint(folder / "model_best.pth", content)
    return folder


def test_a_run_becomes_a_model_with_a_name(register, run_folder, phantoms, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SEGTUMOR_MODELS", str(tmp_path / "models"))
    about = [text for key, value in ABOUT.items() for text in (f"--{key}", value)]
    output = ["--output", str(tmp_path / "models"), "--page", str(tmp_path / "card.html"), "--resamples", "20"]
    assert register(["--run", str(run_folder), "--name", "mine", *about, *output]) == 0
    entry = find_model("mine")
    folder = entry.verified(*entry.files)
    assert {point.of for point in entry.operating_points} == {"image", "finding"}
    (chosen,) = [point.score_threshold for point in entry.operating_points if point.name.startswith("0.3 findings")]
    assert load_model(run=folder / "export").settings["confidence_threshold"] == pytest.approx(chosen, abs=0.0006)
    assert any(measured.name == "mask AP50" and measured.n.endswith("lesions") for measured in entry.measured)
    assert str(tmp_path) not in "".join(
        (folder / name).read_text() for name in ("config.yaml", "card.md", "model.json")
    )
    assert "Operating points" in (tmp_path / "card.html").read_text()
    card = (folder / "card.md").read_text()
    assert "| mask AP50 |" in card and "--name mine --version 1 --page card.html` measured this" in card
    assert entry.split_sha256 in card and entry.split_sha256 == sha256_of_file(phantoms / "split.json")
    assert models.main(["show", "mine"]) == 0 and "knows nothing" in capsys.readouterr().out
    assert read_checkpoint(starting_weights("mine"))["class_names"] == ["benign", "malignant"]
    found = ["--run", "mine", "--input", str(phantoms / "images"), "--output", str(tmp_path / "found"), "--no-overlays"]
    assert infer.main(found) == 0
    assert register(["--run", str(run_folder), "--name", "mine", *about, *output]) == 2  # there is one already
