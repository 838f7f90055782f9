"""Models that are fitted at once: the commands that train, export, read and explain any model do so with these."""

import json

import numpy as np
import pytest
import torch
from repository import ROOT

import segtumor
from segtumor.commands import export, infer, train
from segtumor.errors import ConfigError
from segtumor.models.build import create_model
from segtumor.models.classifiers.fitted import LinearSvm
from segtumor.models.kinds import set_classes
from segtumor.synthesis.phantoms import write_phantom_dataset

pytestmark = pytest.mark.model

SETTINGS = {
    "DATASETS.TRAIN": "[few_train]",
    "INPUT.MIN_SIZE_TEST": 64,
    "MODEL.HOG.CELL_PX": 16,
    "MODEL.HOG.HIDDEN": 20,
    "MODEL.HOG.TREES": 5,
    "MODEL.HOG.LEAVES": 8,
}
CONFIGS = {"svm": "classical_hog_svm", "elm": "classical_chog_elm", "forest": "classical_hog_forest"}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_phantom_dataset(root / "few", cases=20, seed=3, size_px=96, fractions=(0.7, 0.2, 0.1))
    return root


@pytest.fixture(scope="module")
def fit(root):
    """Function of a folder, a name, options and settings -> exit code."""

    def fit(folder, name="svm", *options, **settings):
        pairs = {**SETTINGS, "OUTPUT_DIR": folder, **settings}
        config = str(ROOT / "configs" / f"{CONFIGS[name]}.yaml")
        texts = [str(text) for pair in pairs.items() for text in pair]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DETECTRON2_DATASETS", str(root))
            return train.main(["--config-file", config, *options, *texts])

    return fit


@pytest.fixture(scope="module")
def runs(fit, tmp_path_factory):
    """{name: folder of its run}; that of the SVM has a validation and a test, of what it has learnt."""
    folders = {name: tmp_path_factory.mktemp("runs") / name for name in CONFIGS}
    assert fit(folders["svm"], **{"DATASETS.VALIDATION": "[few_val]", "DATASETS.TEST": "[few_train]"}) == 0
    assert fit(folders["elm"], "elm") == fit(folders["forest"], "forest") == 0
    return folders


def test_a_run_folder_like_any_other(runs, fit, tmp_path):
    folder = runs["svm"]
    state = torch.load(folder / "model_final.pth", weights_only=True)
    assert state["class_names"] == ["benign", "malignant"] and state["training_data"]["synthetic"] is True
    assert "few_train" in json.loads((folder / "run.json").read_text())["training_data"]["datasets"]
    assert 0 <= json.loads((folder / "metrics.json").read_text())["val/image_auc"] <= 1
    test = folder / "inference" / "few_train"
    assert json.loads((test / "metrics.json").read_text())["images"]["auc"] > 0.8
    document = json.loads((test / "predictions.json").read_text())["images"]
    assert sum(document[0]["image_probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert fit(folder) == 2  # it holds a run


@pytest.mark.parametrize("name", ["elm", "forest"])
def test_run_and_export_read_alike(name, runs, root, tmp_path):
    argv = ["--run", str(runs[name]), "--format", "onnx", "--output", str(tmp_path / "export")]
    assert export.main(argv) == 0
    paths = sorted((root / "few" / "images").iterdir())[:6]
    own, exported = (segtumor.load(folder).read(paths) for folder in (runs[name], tmp_path / "export"))
    probabilities = np.array([reading.image_probabilities for reading in own])
    # So few images tell little, and calibration says so: pictures differ by little, and the export errs by far less.
    assert np.ptp(probabilities, axis=0).min() > 1e-4
    np.testing.assert_allclose(probabilities, [reading.image_probabilities for reading in exported], atol=1e-6)


def test_what_would_go_on_from_something_is_refused(fit, tmp_path, capsys):
    assert fit(tmp_path / "run", "svm", "--resume") == 2
    assert fit(tmp_path / "run", "svm", "--init-from", str(ROOT / "README.md")) == 2
    assert capsys.readouterr().err.count("fitted at once") == 2
    assert fit(tmp_path / "run", "forest", "--dry-run") == 0
    assert "numbers to fit" in capsys.readouterr().out
    assert not list(tmp_path.glob("run/*.*"))


def test_what_is_not_installed_is_said_before_anything_is_replaced(runs, fit, monkeypatch, capsys):
    monkeypatch.setattr(LinearSvm, "library", "no_such_package.svm")
    assert fit(runs["svm"], "svm", "--overwrite") == 4
    assert 'pip install "segtumor[classical]"' in capsys.readouterr().err
    assert (runs["svm"] / "model_final.pth").exists()


@pytest.mark.parametrize(("name", "method", "code"), [("svm", "gradcam", 0), ("forest", "guided", 2)])
def test_it_is_explained_where_it_has_gradients(name, method, code, runs, root, tmp_path, capsys):
    picture = str(next((root / "few" / "images").iterdir()))
    argv = ["--run", str(runs[name]), "--input", picture, "--output", str(tmp_path), "--explain", method]
    assert infer.main(argv) == code
    assert ("--explain occlusion" in capsys.readouterr().err) is (code == 2)


def fitted(cases=range(24), **settings):
    """A classifier fitted to noise, of which some has stripes, and what it says of that noise."""
    from segtumor.config import load_config

    texts = [str(text) for pair in {**SETTINGS, **settings}.items() for text in pair]
    cfg = load_config(ROOT / "configs" / "classical_hog_svm.yaml", texts)
    set_classes(cfg, ["benign", "malignant"])
    model, rng, batch = create_model(cfg).eval(), np.random.default_rng(0), []
    for index in range(24):
        pixels = rng.random((64, 64)) * 255
        pixels += 60 * np.sin(np.arange(64)[:, None] if index % 3 else np.arange(64)) * (index % 4 > 0)
        batch.append({"image": torch.from_numpy(pixels).float().expand(3, -1, -1), "image_class": index % 4 - 1})
    model.fit([batch[:10], batch[10:]], [str(case) for case in cases], seed=0)
    with torch.inference_mode():
        return np.array([output["image_probabilities"].numpy() for output in model(batch)])


def test_the_seed_decides_and_class_weights_shift_the_calls():
    equal, again = fitted(), fitted()
    np.testing.assert_array_equal(equal, again)
    weighted = fitted(**{"MODEL.CLASSIFIER.CLASS_WEIGHTS": "[1.0, 20.0, 1.0]"})
    assert weighted[:, 2].mean() > 1.5 * equal[:, 2].mean()


def test_images_of_one_case_cannot_calibrate():
    with pytest.raises(ConfigError, match="several cases"):
        fitted(cases=[1] * 24)
