"""A study of two files, and its table."""

import json
import math

import numpy as np
import pandas
import pytest

from segtumor.errors import DataError
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.pairing import evaluate_files, pair
from segtumor.evaluation.study.study import study
from segtumor.evaluation.study.values import Estimate

SETTINGS = StudySettings(n_resamples=30)


@pytest.fixture
def paths(tmp_path, random_coco):
    truth, results = random_coco(np.random.default_rng(0), 8)
    for name, content in (("gt", truth), ("dt", results)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path / "gt.json", tmp_path / "dt.json"


def test_it_is_the_study_of_the_pairing(paths):
    found, pairing = evaluate_files(*paths, SETTINGS), pair(*map(str, paths))
    expected = study(pairing.results, ("benign", "malignant"), SETTINGS, **pairing.unseen)
    assert [e.value for e in found.estimates] == pytest.approx([e.value for e in expected.estimates], nan_ok=True)
    assert found.remarks == (*pairing.sentences, *expected.remarks)
    assert any("a list cannot say" in remark for remark in found.remarks)


def test_the_table_has_a_row_for_each_measure(paths):
    found = evaluate_files(*paths, SETTINGS)
    frame = found.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.index) == [e.name for e in found.estimates]
    assert ["name", *frame.columns] == list(Estimate.__dataclass_fields__)
    dice = next(e for e in found.estimates if e.name == "dice")
    assert tuple(frame.loc["dice", ["value", "low", "high", "n"]]) == (dice.value, dice.low, dice.high, dice.n)
    assert frame.loc["image_sensitivity", "successes"] <= frame.loc["image_sensitivity", "n"]
    assert frame.loc["dice", "successes"] is pandas.NA
    assert math.isnan(frame.loc["image_auc", "value"]) or 0 <= frame.loc["image_auc", "value"] <= 1
    assert all(name in type(found).to_frame.__doc__ for name in frame.columns)


def test_errors_are_those_of_the_pairing(paths, tmp_path):
    truth = json.loads(paths[0].read_text())
    images = [{**image, "image_id": image["id"], "status": "failed"} for image in truth["images"]]
    own = {"images": images[:3], "annotations": [], "categories": truth["categories"], "schema_version": 1}
    (tmp_path / "own.json").write_text(json.dumps(own))
    with pytest.raises(DataError, match="5 of 8 annotated images are absent"):
        evaluate_files(paths[0], tmp_path / "own.json")
