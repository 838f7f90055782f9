"""``tools/infer.py`` with an exported model: no torch, no Detectron2, and options that do not fit it refused."""

import dataclasses
import io
import json
import logging
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from segtumor.commands import infer
from segtumor.inference.batch import drawing
from segtumor.runtime import exported
from segtumor.structures.lesions import Finding
from segtumor.structures.postprocessing import Postprocessing

pytestmark = pytest.mark.command

CONTRACT = SimpleNamespace(
    class_names=("benign", "malignant"),
    confidence_threshold=0.4,
    preprocessing=SimpleNamespace(
        short_edge_px=32,
        max_long_edge_px=64,
        window_percentiles=(0.5, 99.5),
        max_pixels=10_000,
        square=False,
        steps=(),
        spacing_mm=0.0,
        spacing_required=False,
    ),
    postprocessing=dataclasses.asdict(Postprocessing()),
)


class OneFinding:
    """A model that stops as a user would at the image of ``interrupt_at``."""

    interrupt_at, calls = None, 0

    def detect(self, windows, sizes_hw):
        self.calls += 1
        if self.calls == self.interrupt_at:
            raise KeyboardInterrupt
        return [(Finding(0, 0.5, (0.0, 0.0, 4.0, 4.0), None, (0.5, 0.25)),) for _ in windows]


@pytest.fixture
def type_infer(tmp_path, monkeypatch):
    """Function of further options -> exit code; three pictures, results in ``found``."""
    (tmp_path / "scans").mkdir()
    for name in "abc":
        Image.fromarray(np.full((20, 30), ord(name), dtype=np.uint8)).save(tmp_path / "scans" / f"{name}.png")
    (tmp_path / "exported").mkdir()
    manifest = {"kind": exported.KIND, "format": "onnx", "precision": "float32", "source": {"weights_sha256": "ab"}}
    (tmp_path / "exported" / "export.json").write_text(json.dumps(manifest))
    graphs = SimpleNamespace(describe=lambda: {"runtime": "onnx", "version": "1", "threads": 2})
    model = OneFinding()
    opened = SimpleNamespace(
        contract=CONTRACT, graphs=graphs, model=model, manifest=manifest, folder=tmp_path / "exported"
    )
    asked = {}
    monkeypatch.setattr(
        exported, "open_export", lambda folder, *, threads=None: asked.update(threads=threads) or opened
    )

    def type_infer(*more, inputs=("scans",)):
        inputs = [str(tmp_path / name) for name in inputs]
        return infer.main(
            ["--run", str(tmp_path / "exported"), "--input", *inputs, "--output", str(tmp_path / "found"), *more]
        )

    type_infer.asked, type_infer.model = asked, model
    return type_infer


@pytest.mark.parametrize("missing", ["stdin", "stdout", "stderr"])
def test_it_reads_everything_without_a_standard_stream(type_infer, tmp_path, monkeypatch, missing):
    monkeypatch.setattr(sys, missing, None)
    assert type_infer("--no-overlays") == 0
    assert summary(tmp_path)["counts"]["with_findings"] == 3


def summary(tmp_path):
    return json.loads((tmp_path / "found" / "summary.json").read_text())


def test_an_export_says_its_own_settings(type_infer, tmp_path, capsys):
    assert type_infer("--no-overlays", "--threads", "3", "--batch-size", "2", "--num-workers", "0") == 0
    assert "3 inputs: 3 with findings at or above 0.40" in capsys.readouterr().out
    assert type_infer.asked == {"threads": 3}
    found = summary(tmp_path)
    assert found["settings"]["confidence_threshold"] == 0.4 and found["settings"]["short_edge_px"] == 32
    assert found["settings"]["runtime"] == {"runtime": "onnx", "version": "1"}
    assert found["model"]["format"] == "onnx" and len(found["model"]["export_sha256"]) == 64
    assert type_infer("--no-overlays", "--confidence-threshold", "0.6", "--overwrite") == 0
    assert summary(tmp_path)["counts"]["with_findings"] == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--device", "cpu"], "--device: an exported model"),
        (["--runtime", "torch"], "--runtime: an exported model"),
        (["--opts", "TEST.CONFIDENCE_THRESHOLD", "0.2"], "--opts: an exported model"),
        (["--batch-size", "0"], "--batch-size: out of range (got 0; expected 1 or more)"),
        (["--num-workers", "-1"], "--num-workers: out of range"),
        (["--threads", "0"], "--threads: out of range"),
        (["--max-pixels", "0"], "--max-pixels: out of range"),
        (["--confidence-threshold", "2"], "0 to 1"),
        (["--images", "x"], "--images is for --annotations"),
    ],
)
def test_wrong_options_are_usage_errors(type_infer, tmp_path, more, message, capsys):
    assert type_infer(*more) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error and not (tmp_path / "found").exists()


def test_an_interrupted_command_goes_on_with_continue(type_infer, tmp_path, monkeypatch, capsys):
    type_infer.model.interrupt_at = 2
    assert type_infer("--no-overlays") == 130
    assert [entry["status"] for entry in summary(tmp_path)["inputs"]] == ["ok", "not reached", "not reached"]
    assert "--continue goes on from here" in capsys.readouterr().err
    assert type_infer("--no-overlays") == 2
    assert "Go on with --continue" in capsys.readouterr().err
    assert type_infer("--no-overlays", "--continue", "--threads", "1") == 0
    assert summary(tmp_path)["counts"]["ok"] == 3 and type_infer.model.calls == 4


def test_what_is_not_read_is_said_and_named(type_infer, tmp_path, capsys):
    (tmp_path / "scans" / "notes.doc").write_text("x")
    (tmp_path / "scans" / ".DS_Store").touch()
    (tmp_path / "scans" / "deep").mkdir()
    Image.new("L", (9, 9)).save(tmp_path / "scans" / "deep" / "a.png")
    assert type_infer("--no-overlays") == 0
    assert "2 files or folders are not read, first: " in capsys.readouterr().err
    left_out = {os.path.basename(entry["file"]): entry["reason"] for entry in summary(tmp_path)["left_out"]}
    assert left_out.pop(".DS_Store") == "hidden"  # no warning is for that
    assert left_out == {
        "notes.doc": "no image by its name or first bytes",
        "deep": "a sub-folder; --recursive reads it",
    }
    assert type_infer("--no-overlays", "--recursive", "--continue") == 0
    assert summary(tmp_path)["counts"]["inputs"] == 4 and len(summary(tmp_path)["left_out"]) == 2


def test_the_images_of_a_data_set_are_inputs(type_infer, tmp_path, capsys):
    images = [{"id": 1, "file_name": "b.png", "width": 30, "height": 20}]
    coco = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "benign"}]}
    (tmp_path / "test.json").write_text(json.dumps(coco))
    where = ["--annotations", str(tmp_path / "test.json"), "--images", str(tmp_path / "scans")]
    arguments = ["--run", str(tmp_path / "exported"), "--output", str(tmp_path / "found"), "--no-overlays"]
    assert infer.main([*arguments, *where]) == 0
    assert [entry["file"] for entry in summary(tmp_path)["inputs"]] == [str(tmp_path / "scans" / "b.png")]
    assert infer.main(arguments) == 2
    assert "nothing to read. Add --input PATH, or --annotations JSON" in capsys.readouterr().err


def test_the_limit_of_an_export_can_be_raised(type_infer, tmp_path, capsys):
    Image.fromarray(np.zeros((100, 200), dtype=np.uint8)).save(tmp_path / "scans" / "large.png")
    assert type_infer("--no-overlays") == 6
    assert "--max-pixels 20000" in capsys.readouterr().err
    assert type_infer("--no-overlays", "--max-pixels", "20000", "--continue") == 0  # what failed is tried again


@pytest.mark.parametrize("text", ["", '{"kind": "segtumor export", "schema_ver'])
def test_a_truncated_export_is_named_as_such(tmp_path, text, capsys):
    (tmp_path / "export.json").write_text(text)
    arguments = ["--run", str(tmp_path), "--input", __file__, "--output", str(tmp_path / "found")]
    assert infer.main(arguments) == 3
    assert "export.json: damaged: not readable as JSON" in capsys.readouterr().err


def test_a_name_that_is_not_utf8_is_printed(type_infer, tmp_path, monkeypatch):
    def starved(*arguments, **options):
        raise MemoryError  # a note, which is printed with the name

    (tmp_path / "scans" / "a.png").rename(tmp_path / "scans" / os.fsdecode(b"a\xff.png"))
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "utf-8"))
    monkeypatch.setattr(drawing, "draw_reading", starved)
    # What pytest captures of the log goes from one of its processes to another, which such a name does not survive.
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    assert type_infer() == 0
    line = next(line for line in written.getvalue().splitlines() if rb"a\udcff.png: " in line)
    assert b"out of memory" in line


def test_one_input_is_counted_in_the_singular(type_infer, capsys):
    assert type_infer("--no-overlays", inputs=("scans/a.png",)) == 0
    assert "1 input: 1 with findings" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nowhere", "run"])
def test_a_model_is_looked_for_before_a_framework(tmp_path, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").touch()
    result = infer_without_frameworks(tmp_path / name)
    if name == "nowhere":
        assert result.returncode == 2 and "no such folder, and no model of this name" in result.stderr
    else:
        assert result.returncode == 4 and "needs torch and Detectron2" in result.stderr
        assert "tools/export.py" in result.stderr


def infer_without_frameworks(run):
    program = (
        "import sys\n"
        "for name in ('torch', 'torchvision', 'detectron2'): sys.modules[name] = None\n"
        "from segtumor.commands import infer\n"
        "from segtumor.inference import load\n"
        "import segtumor.inference.batch.run, segtumor.runtime.exported, segtumor.runtime.mask_rcnn.detector\n"
        "sys.exit(infer.main(['--run', sys.argv[1], '--input', sys.argv[2], '--output', 'x']))"
    )
    arguments = [sys.executable, "-c", program, str(run), __file__]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)
