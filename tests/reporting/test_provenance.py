"""Where numbers come from: hashes, and whether the split beside a file is the split of that file."""

import json

import pytest

from segtumor.files import sha256_of_file
from segtumor.reporting.provenance import NOT_OF_SPLIT, study_provenance


@pytest.fixture
def files(tmp_path):
    """Paths of annotations and predictions, in the folders of a data set."""
    (tmp_path / "annotations").mkdir()
    annotations, predictions = tmp_path / "annotations" / "test.json", tmp_path / "predictions.json"
    annotations.write_text("{}", encoding="utf-8")
    predictions.write_text("[]", encoding="utf-8")
    return {"annotations": annotations, "predictions": predictions}


def split_table(files, **split):
    (files["predictions"].parent / "split.json").write_text(json.dumps(split), encoding="utf-8")
    return study_provenance(**files, command=["x"])["Split"]


def test_a_split_is_checked_against_the_file(files):
    ours = sha256_of_file(files["annotations"])
    parts = {"train": {"annotations_sha256": "ab"}, "test": {"annotations_sha256": ours}}
    table = split_table(files, split_sha256="c8", parts=parts)
    assert table["split_sha256"] == "c8" and table["annotations"] == "matches the part test"
    files["annotations"].write_text('{"images": []}', encoding="utf-8")
    assert split_table(files, split_sha256="c8", parts=parts)["annotations"] == NOT_OF_SPLIT
    assert NOT_OF_SPLIT.startswith("does not match")


@pytest.mark.parametrize("split", [{}, {"parts": ["test"]}, {"parts": {"test": {"images": 3}, "val": 2}}])
def test_a_split_without_hashes_says_nothing(files, split):
    assert split_table(files, **split)["annotations"] is None


def test_the_split_file_of_phantoms_is_known(files):
    hashes = {"train": "ab", "test": sha256_of_file(files["annotations"])}
    table = split_table(files, unit="case", seed=3, annotations_sha256=hashes)
    assert table == {
        "split_kind": "by case",
        "split_seed": 3,
        "split_sha256": sha256_of_file(files["predictions"].parent / "split.json"),
        "annotations": "matches the part test",
    }


def test_no_split(files):
    assert set(study_provenance(**files)["Split"].values()) == {None}


def test_what_the_temperature_was_fitted_on_is_recorded(files):
    assert "Temperature" not in study_provenance(**files)
    table = study_provenance(**files, calibrated_on=list(files.values()))["Temperature"]
    assert table["fitted on annotations"] == str(files["annotations"])
    assert table["fitted on predictions, sha256"] == sha256_of_file(files["predictions"])
