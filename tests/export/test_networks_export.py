"""Classifiers and U-Nets as exports: the same answers in every format, on images of any shape, and without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from segtumor.commands import export as command
from segtumor.config import load_config
from segtumor.errors import ModelError
from segtumor.export import export as exporting
from segtumor.inference.load import load_model, model_config
from segtumor.models.build import create_model, load_trained_model
from segtumor.models.kinds import set_classes
from segtumor.models.weights import write_checkpoint
from segtumor.runs import CONFIG
from segtumor.runtime.exported import open_export

pytestmark = pytest.mark.model

SYSTEMS = {
    "classifier": ("MODEL.META_ARCHITECTURE", "ImageClassifier", "MODEL.CLASSIFIER.NAME", "shufflenet_v2_x0_5"),
    "segmenter": ("MODEL.META_ARCHITECTURE", "UNet", "MODEL.UNET.WIDTH", "8"),
}
ONE_STAGE = {
    "MODEL.META_ARCHITECTURE": "YOLO",
    "MODEL.BACKBONE.NAME": "build_csp_backbone",
    "MODEL.YOLO.WIDTH": "0.125",
}
SIZES = {"square": ("INPUT.SQUARE", "True"), "edges": ()}
FORMATS = [("torchscript", ()), ("onnx", ()), ("openvino", ()), ("onnx", ("--half",)), ("openvino", ("--half",))]


def write_run(folder, config_file, kind, *overrides):
    """A run folder as training leaves it, of a model with random weights."""
    import torch

    folder.mkdir()
    system = SYSTEMS.get(kind) or [text for pair in ONE_STAGE.items() for text in pair]
    cfg = load_config(config_file, [*system, "INPUT.MIN_SIZE_TEST", "64", *overrides])
    set_classes(cfg, ["benign", "malignant"])
    torch.manual_seed(1)
    model = create_model(cfg)
    state = {"model": model.state_dict(), "class_names": ["benign", "malignant"], "training_data": None}
    write_checkpoint(folder / "model_best.pth", state)
    (folder / CONFIG).write_text(cfg.dump())
    return folder


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, size in enumerate([(70, 50), (48, 96), (64, 64)]):
        Image.fromarray(rng.integers(0, 255, size, dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


def readings(run, pictures):
    from segtumor.imaging import read_radiograph

    model = load_model(run=run)
    return [model.predictor.read(read_radiograph(path)) for path in sorted(pictures.iterdir())]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", SYSTEMS)
@pytest.mark.parametrize(("format_name", "options"), FORMATS, ids=lambda value: str(value))
def test_an_export_reads_as_its_run(kind, size, format_name, options, tiny_config_file, pictures, tmp_path):
    run = write_run(tmp_path / "run", tiny_config_file, kind, *SIZES[size])
    argv = ["--run", str(run), "--format", format_name, *options, "--output", str(tmp_path / "export")]
    assert command.main(argv) == 0
    manifest = json.loads((tmp_path / "export" / "export.json").read_text())
    assert manifest["model_kind"] == kind and manifest["contract"]["preprocessing"]["square"] is (size == "square")
    for own, other in zip(readings(run, pictures), readings(tmp_path / "export", pictures), strict=True):
        tolerance = 5e-3 if options else 1e-4
        if kind == "classifier":
            assert own.image_probabilities == pytest.approx(other.image_probabilities, abs=tolerance)
        else:
            for name, values in own.maps.items():
                assert values.shape == own.size_hw
                np.testing.assert_allclose(values, other.maps[name], atol=tolerance)


def test_a_one_stage_detector(tiny_config_file, tmp_path):
    """Rows and prototypes agree in every format, on an image of another shape than what was traced."""
    import torch

    run = write_run(tmp_path / "run", tiny_config_file, "one_stage")
    model, _ = load_trained_model(model_config(run=run))
    images = np.random.default_rng(0).random((2, 3, 64, 128), dtype=np.float32)
    with torch.inference_mode():
        rows, prototypes = (array.numpy() for array in model.answers(torch.from_numpy(images)))
    assert rows.shape == (2, 3 * (8 * 16 + 4 * 8 + 2 * 4), 4 + 2 + 32) and prototypes.shape == (2, 32, 16, 32)
    for format_name in ("torchscript", "onnx", "openvino"):
        exporting.export(model_config(run=run), tmp_path / format_name, format_name=format_name)
        exported = open_export(tmp_path / format_name)
        assert exported.contract.selection.nms_iou == 0.6
        own_rows, own_prototypes = exported.graphs.answer(images)
        np.testing.assert_allclose(own_rows, rows, atol=1e-4)
        np.testing.assert_allclose(own_prototypes, prototypes, atol=1e-3)


def test_eight_bits(tiny_config_file, pictures, tmp_path):
    run = write_run(tmp_path / "run", tiny_config_file, "classifier")
    argv = ["--run", str(run), "--format", "onnx", "--int8", "--calibration", str(pictures)]
    assert command.main([*argv, "--output", str(tmp_path / "export")]) == 0
    parity = json.loads((tmp_path / "export" / "export.json").read_text())["parity"]
    assert 0 < parity["mean_probability"] <= parity["max_probability"] < 0.2


def test_an_export_that_answers_otherwise_is_refused(tiny_config_file, tmp_path, monkeypatch):
    run = write_run(tmp_path / "run", tiny_config_file, "classifier")
    monkeypatch.setattr("segtumor.export.networks.MAX_SCORE", -1.0)
    with pytest.raises(ModelError, match="does not answer as its model"):
        exporting.export(model_config(run=run), tmp_path / "export", format_name="onnx")
    assert not (tmp_path / "export").exists()


def test_a_wrong_contract_is_named(tiny_config_file, tmp_path):
    run = write_run(tmp_path / "run", tiny_config_file, "classifier")
    assert command.main(["--run", str(run), "--format", "onnx", "--output", str(tmp_path / "export")]) == 0
    kind = open_export(tmp_path / "export").contract
    for change, named in [({"class_names": ["a", "a"]}, "class_names"), ({"confidence_threshold": 2}, "confidence")]:
        with pytest.raises(ModelError, match=named):
            type(kind).from_dict({**kind.as_dict(), **change}, tmp_path)


def test_it_runs_where_there_is_no_torch(tiny_config_file, pictures, tmp_path):
    run = write_run(tmp_path / "run", tiny_config_file, "segmenter")
    assert command.main(["--run", str(run), "--format", "onnx", "--output", str(tmp_path / "export")]) == 0
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from segtumor.commands import infer\n"
        f"sys.exit(infer.main(['--run', {str(tmp_path / 'export')!r}, '--input', {str(pictures)!r}, "
        f"'--output', {str(tmp_path / 'found')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "found" / "overlays").iterdir())) == 3


def test_steps_and_squares_go_into_the_export(tiny_config_file, pictures, tmp_path):
    steps = ("INPUT.PREPROCESSING", "['clahe', 'zscore']", "INPUT.SQUARE", "True")
    run = write_run(tmp_path / "run", tiny_config_file, "classifier", *steps)
    assert command.main(["--run", str(run), "--format", "onnx", "--output", str(tmp_path / "export")]) == 0
    assert open_export(tmp_path / "export").contract.preprocessing.steps == ("clahe", "zscore")
    for own, other in zip(readings(run, pictures), readings(tmp_path / "export", pictures), strict=True):
        assert own.image_probabilities == pytest.approx(other.image_probabilities, abs=1e-4)
    manifest = json.loads((tmp_path / "export" / "export.json").read_text())
    wrong = {**manifest["contract"], "preprocessing": {**manifest["contract"]["preprocessing"], "steps": ["sharpen"]}}
    with pytest.raises(ModelError, match=r"preprocessing\.steps"):
        type(open_export(tmp_path / "export").contract).from_dict(wrong, tmp_path)
