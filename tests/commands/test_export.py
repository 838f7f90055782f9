"""``tools/export.py`` as it is typed: its table, and its exit code for what can be wrong."""

import pytest

from segtumor.commands import export
from segtumor.runtime.exported import is_export

pytestmark = pytest.mark.model


def test_an_export_is_made_and_its_table_printed(tiny_run, tmp_path, capfd):
    output = tmp_path / "out"
    arguments = ["--run", str(tiny_run), "--format", "torchscript", "--output", str(output)]
    assert export.main(arguments) == 0
    out, err = capfd.readouterr()
    assert is_export(output) and err == ""
    for words in ("torchscript, float32", "dense.pt", "together", "Detectron2 on 3 phantoms and a blank", "per sample"):
        assert words in out
    assert export.main(arguments) == 2
    assert "the export is there already" in capfd.readouterr().err


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
