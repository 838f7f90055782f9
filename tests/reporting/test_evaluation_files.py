import csv
import json

import numpy as np
import pytest

from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.study.metrics import evaluate
from segtumor.files import sha256_of_file
from segtumor.reporting.figures.training_curves import read_training_history, training_curves
from segtumor.reporting.files.evaluation_files import write_evaluation
from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult, Lesion
from segtumor.structures.masks import rle_from_mask

NAMES = ("benign", "malignant")
MASK = np.zeros((6, 6), dtype=bool)
MASK[1:4, 1:4] = True


@pytest.fixture(scope="module")
def evaluation():
    box, rle = (1.0, 1.0, 4.0, 4.0), rle_from_mask(MASK)
    lesion, missed = Lesion(1, 0, box, rle, 9.0), Lesion(2, 1, box, rle, 9.0)
    images = [
        AnnotatedImage(1, "a.png", (6, 6), (lesion,), {"case_id": "p1", "view": ["frontal"], "age": None}),
        AnnotatedImage(2, "b.png", (6, 6), (missed,), {"case_id": "p2"}),
        AnnotatedImage(3, "c.png", (6, 6), (), {"case_id": "p3", "image_label": "normal"}),
    ]
    finding = Finding(0, 0.75, box, rle)
    return evaluate([ImageResult(images[0], (finding,)), ImageResult(images[1], ()), ImageResult(images[2], ())], NAMES)


@pytest.fixture
def no_pictures(monkeypatch):
    """Drawing takes nearly all the time; ``written`` has drawn them all."""
    monkeypatch.setattr("segtumor.reporting.files.evaluation_files.png_bytes", lambda draw: b"")
    monkeypatch.setattr("segtumor.reporting.figures.training_curves.png_bytes", lambda draw: b"")


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_log(folder, *records):
    folder.mkdir(exist_ok=True)
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    (folder / "metrics.json").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def written(evaluation, tmp_path_factory):
    """Paths of a whole report, written over an older one."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "gt.json").write_text("{}")
    run = write_log(folder / "run", {"iteration": 1, "total_loss": 1.0})
    (folder / "out").mkdir()
    (folder / "out" / "metrics.json").write_text('{"definitions": {}}')
    return write_evaluation(evaluation, folder / "out", annotations=folder / "gt.json", run_folder=run)


def test_every_file_is_written(written):
    paths, source = written, written[0].parent.parent / "gt.json"
    names = ["metrics.json", "per_lesion.csv", "per_image.csv", "precision_recall.png", "confusion_matrix.png"]
    assert [path.name for path in paths] == [*names, "dice_histogram.png", "training_curves.png"]
    assert sorted(p.name for p in paths[0].parent.iterdir()) == sorted(path.name for path in paths)
    metrics = json.loads(paths[0].read_text())
    assert metrics["provenance"]["annotations_sha256"] == sha256_of_file(source)
    assert metrics["provenance"]["predictions_sha256"] is None
    assert metrics["provenance"]["versions"]["pycocotools"]
    assert "as pycocotools computes them" in metrics["definitions"]["detection"]
    assert metrics["overlap"]["dice"] == 0.5
    assert metrics["detection"]["segm"]["APl"] is None  # NaN is null in JSON
    parts = "schema_version definitions settings counts detection overlap lesions images confusion provenance"
    assert list(metrics) == parts.split()


def test_tables(written):
    lesions, images = read_csv(written[1]), read_csv(written[2])
    assert [(row["lesion_id"], row["matched"], row["dice"], row["score"]) for row in lesions] == [
        ("1", "True", "1.0", "0.75"),
        ("2", "False", "0.0", ""),
    ]
    assert lesions[0]["view"] == "frontal"
    assert "age" not in lesions[0]  # nowhere known
    assert [(row["file_name"], row["tumor_true"], row["tumor_predicted"]) for row in images] == [
        ("a.png", "True", "True"),
        ("b.png", "True", "False"),
        ("c.png", "False", "False"),
    ]


def test_nothing_to_report(no_pictures, tmp_path):
    write_evaluation(evaluate([], NAMES), tmp_path)
    assert read_csv(tmp_path / "per_lesion.csv") == []
    assert (tmp_path / "per_image.csv").read_text().startswith("image_id,file_name,case_id,label")


def test_curves_of_the_run_evaluated_before_are_deleted(no_pictures, tmp_path, evaluation):
    run = write_log(tmp_path / "run", {"iteration": 1, "total_loss": 1.0})
    assert tmp_path / "out" / "training_curves.png" in write_evaluation(evaluation, tmp_path / "out", run_folder=run)
    paths = write_evaluation(evaluation, tmp_path / "out")
    assert sorted((tmp_path / "out").iterdir()) == sorted(paths)


def test_a_training_run_is_never_overwritten(tmp_path, evaluation):
    run = write_log(tmp_path / "run", {"iteration": 1, "total_loss": 1.0}, {"iteration": 2, "total_loss": 0.5})
    before = (run / "metrics.json").read_text()
    with pytest.raises(ConfigError, match="something else"):
        write_evaluation(evaluation, run)
    assert (run / "metrics.json").read_text() == before
    assert len(list(run.iterdir())) == 1


def test_history_tolerates_what_runs_leave_behind(tmp_path, caplog):
    run = write_log(
        tmp_path / "run",
        {"iteration": 20, "total_loss": 2.0, "lr": 0.1},
        {"iteration": 40, "total_loss": 1.5},
        '{"iteration": 60, "total_lo',  # killed here
        {"iteration": 40, "total_loss": 1.0, "val/dice": 0.3},  # resumed from 20
        {"iteration": 60, "total_loss": float("nan")},
    )
    history = read_training_history(run)
    assert history["total_loss"][0] == [20, 40, 60]
    assert history["total_loss"][1][:2] == [2.0, 1.0]
    assert history["val/dice"] == ([40], [0.3])
    assert "1 unreadable lines" in caplog.text
    assert training_curves(run).read_bytes().startswith(b"\x89PNG")


def test_no_history(tmp_path):
    with pytest.raises(DataError, match="cannot read the training log"):
        read_training_history(tmp_path)
    (tmp_path / "metrics.json").write_text('{"AP": 3}\n')
    with pytest.raises(DataError, match="no training log"):
        read_training_history(tmp_path)
    (tmp_path / "metrics.json").write_bytes(b"\xff\x00\n" + b"[" * 100_000 + b'\n{"iteration": 3, "lr": 0.1}\n')
    assert read_training_history(tmp_path)["lr"] == ([3], [0.1])
    (tmp_path / "metrics.json").write_text("")
    assert read_training_history(tmp_path) == {}
