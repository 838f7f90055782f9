"""``segtumor embed`` and what is made of its index, with the model that comes with segtumor."""

import csv
import dataclasses
import json

import pytest

import segtumor
from segtumor.commands import embed, evaluate, infer
from segtumor.retrieval.index import read_index, write_index

pytestmark = pytest.mark.command


@pytest.fixture(scope="module")
def folder(datasets_root, tmp_path_factory):
    """The index of six phantoms."""
    pytest.importorskip("onnxruntime")
    output = tmp_path_factory.mktemp("index")
    annotations = str(datasets_root / "phantoms" / "annotations" / "train.json")
    assert embed.main(["--annotations", annotations, "--output", str(output), "--threads", "1"]) == 0
    return output


def test_everything_is_written(folder, capsys, datasets_root):
    index = read_index(folder / "index.npz")
    with (folder / "embedding.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == index.file_names
    assert [(row["class"], row["called"]) for row in rows] == list(zip(index.labels, index.calls, strict=True))
    assert (folder / "embedding_map.png").read_bytes().startswith(b"\x89PNG")
    quality = json.loads((folder / "retrieval.json").read_text())
    assert quality["n_images"] == len(index) and quality["retrieval"][0]["label"] is None
    annotations = str(datasets_root / "phantoms" / "annotations" / "train.json")
    assert embed.main(["--annotations", annotations, "--output", str(folder)]) == 2
    assert "earlier results" in capsys.readouterr().err


def test_other_images_are_looked_up(folder, datasets_root, tmp_path, capsys, monkeypatch):
    annotations = str(datasets_root / "phantoms" / "annotations" / "val.json")
    index = str(folder / "index.npz")
    options = ["--annotations", annotations, "--threads", "1"]
    assert embed.main([*options, "--against", index, "--output", str(tmp_path / "val"), "--neighbours", "2"]) == 0
    assert "precision@2" in capsys.readouterr().out
    given = ["--similar", "2", "--index", index, "--output", str(tmp_path / "found")]
    assert infer.main([*options, *given]) == 0
    assert "similar.csv" in capsys.readouterr().out
    predictions = tmp_path / "found" / "predictions.json"
    images = json.loads(predictions.read_text())["images"]
    assert {len(image["similar"]) for image in images} == {2}
    model = segtumor.load("btxrd-lite", index=index, similar=2, threads=1)
    reading = model.read(images[0]["file_name"])
    assert [one.file_name for one in reading.similar] == [one["file_name"] for one in images[0]["similar"]]
    seen = []
    monkeypatch.setattr(
        "segtumor.reporting.files.study_files.write_study", lambda *_, **given: seen.append(given["embedding"]) or []
    )  # the page itself: tests/reporting
    shown = ["--embedding", str(tmp_path / "val" / "index.npz"), "--resamples", "10", "--no-examples"]
    truth = ["--annotations", annotations, "--predictions", str(predictions), "--output", str(tmp_path / "study")]
    assert evaluate.main([*truth, *shown]) == 0
    assert seen[0].file_names == read_index(tmp_path / "val" / "index.npz").file_names


@pytest.mark.parametrize("given", [["--similar", "5"], ["--index", "a.npz"]])
def test_one_without_the_other_is_refused(given, capsys):
    assert infer.main(["--input", "x.png", "--output", "found", *given]) == 2
    assert "belong together" in capsys.readouterr().err


def test_an_index_of_another_size_is_refused(folder, datasets_root, tmp_path, capsys):
    index = read_index(folder / "index.npz")
    write_index(tmp_path / "other.npz", dataclasses.replace(index, model={**index.model, "short_edge_px": 7}))
    picture = str(datasets_root / "phantoms" / "images" / index.file_names[0])
    given = ["--similar", "5", "--index", str(tmp_path / "other.npz"), "--output", str(tmp_path / "found")]
    assert infer.main(["--input", picture, *given]) == 2
    assert "another model" in capsys.readouterr().err
