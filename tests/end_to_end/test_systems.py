"""Every system learns phantoms well above chance within a minute: training, test, export, findings, by its commands."""

import json

import pytest

from segtumor.commands import export, infer, train
from segtumor.synthesis.phantoms import write_phantom_dataset

pytestmark = pytest.mark.end_to_end

DATA = {
    "DATASETS.TRAIN": "[small_train]",
    "DATASETS.VALIDATION": "[small_val]",
    "DATASETS.TEST": "[small_test]",
    "DATALOADER.NUM_WORKERS": 0,
    "INPUT.AUGMENTATION": "light",
    "INPUT.MIN_SIZE_TRAIN": "[96]",
    "INPUT.MIN_SIZE_TEST": 96,
}
#: Configuration, settings, where its test has the number, and the least that it must be.
SYSTEMS = {
    "classifier": (
        "classifier_efficientnet_lite0",
        {"SOLVER.EPOCHS": 4, "SOLVER.IMS_PER_BATCH": 8},
        ("images", "auc"),
        0.85,
    ),
    "unet": (
        "unet_lite0",
        {"SOLVER.MAX_ITER": 50, "SOLVER.IMS_PER_BATCH": 4, "SOLVER.WARMUP_ITERS": 5, "TEST.EVAL_PERIOD": 50},
        ("overlap", "dice"),
        0.25,
    ),
    "one-stage detector": (
        "yolo_lite0",
        {"SOLVER.MAX_ITER": 100, "SOLVER.IMS_PER_BATCH": 4, "SOLVER.WARMUP_ITERS": 10, "TEST.EVAL_PERIOD": 100},
        ("images", "auc"),
        0.7,
    ),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("systems")
    write_phantom_dataset(root / "small", cases=60, seed=5, size_px=96, fractions=(0.6, 0.15, 0.25))
    return root


@pytest.mark.parametrize("system", SYSTEMS)
def test_it_learns_from_what_the_shipped_model_knows(system, root, tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(root))
    config, settings, place, least = SYSTEMS[system]
    options = [str(text) for pair in {**DATA, **settings, "OUTPUT_DIR": tmp_path / "run"}.items() for text in pair]
    assert train.main(["--config-file", f"configs/{config}.yaml", "--init-from", "btxrd-lite", *options]) == 0
    metrics = json.loads((tmp_path / "run" / "inference" / "small_test" / "metrics.json").read_text())
    assert metrics[place[0]][place[1]] > least
    argv = ["--run", str(tmp_path / "run"), "--format", "onnx", "--output", str(tmp_path / "export")]
    assert export.main(argv) == 0
    stored = [json.loads((tmp_path / name / "operating_points.json").read_text()) for name in ("run", "export")]
    assert stored[0] == stored[1] and len(stored[0]["points"]) >= 3
    images = map(str, sorted((root / "small" / "images").iterdir())[:10])
    argv = ["--run", str(tmp_path / "export"), "--operating-point", "youden", "--input", *images]
    assert infer.main([*argv, "--output", str(tmp_path / "found"), "--no-overlays"]) == 0
    assert json.loads((tmp_path / "found" / "summary.json").read_text())["counts"]["failed"] == 0
