"""``tools/export.py`` as it is typed: its table, and its exit code for what can be wrong."""

import math

import pytest

from segtumor.commands import export
from segtumor.export import export as exporting
from segtumor.runtime.exported import is_export

pytestmark = pytest.mark.model


def test_an_export_is_made_and_its_table_printed(tiny_run, tmp_path, capfd):
    output = tmp_path / "out"
    arguments = ["--run", str(tiny_run), "--format", "torchscript", "--output", str(output)]
    assert export.main(arguments) == 0
    out, err = capfd.readouterr()
    assert is_export(output) and err == ""
    for words in ("torchscript, float32", "dense.pt", "together", "Detectron2 on 3 phantoms and a blank"):
        assert words in out
    assert ", per sample" not in out  # one unwarmed turn is no measurement
    assert export.main(arguments) == 2
    assert "the export already exists" in capfd.readouterr().err


@pytest.mark.parametrize(("max_score", "change"), [(0.0213, "0.021"), (math.nan, "unknown")])
def test_an_export_of_8_bits_warns(tiny_run, tmp_path, monkeypatch, capfd, max_score, change):
    parity = {
        **{"n_images": 4, "samples": "phantoms", "findings_per_sample": [2, 0, 0, 0], "n_at_edge": 0},
        **{"n_findings_reference": 2, "n_findings_other": 3, "n_unmatched_reference": 2, "n_unmatched_other": 3},
        **{"max_unmatched_score": 0.4, "max_score": max_score},
    }
    manifest = {"files": {}, "format": "onnx", "precision": "int8", "seconds": 1.0, "parity": parity}
    monkeypatch.setattr(exporting, "export", lambda *arguments, **options: manifest)
    more = ["--int8", "--calibration", str(tiny_run), "--format", "onnx", "--output", str(tmp_path / "out")]
    assert export.main(["--run", str(tiny_run), *more]) == 0
    error = capfd.readouterr().err
    assert "evaluate this export before use" in error
    assert f"(largest change of a score {change}, findings lost 2, new 3)" in error


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--format", "torchscript", "--int8", "--calibration", "x"], 2, "not for TorchScript"),
        (["--format", "onnx", "--int8"], 2, "Add --calibration DIR"),
        (["--format", "onnx", "--calibration", "x"], 2, "Add --int8"),
        (["--format", "torchscript", "--samples", "nowhere.png"], 2, "nowhere.png: no such file"),
        (["--format", "torchscript", "--opts", "MODEL.WEIGHTS", "nowhere.pth"], 3, "no such weights file"),
        (["--format", "torchscript", "--opts", "MODEL.WIDTH", "3"], 2, "unknown key"),
    ],
)
def test_mistakes_are_said_and_leave_nothing(more, code, message, tiny_run, tmp_path, capsys):
    assert export.main(["--run", str(tiny_run), "--output", str(tmp_path / "out"), *more]) == code
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_wrong_words_are_refused(capsys):
    for arguments in ([], ["--run", "a", "--config-file", "b"], ["--run", "a", "--format", "pickle", "--output", "b"]):
        with pytest.raises(SystemExit) as left:
            export.main(arguments)
        assert left.value.code == 2
