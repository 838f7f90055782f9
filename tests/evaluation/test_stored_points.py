"""The file of operating points: written, read back, refused where it does not belong; chosen and used by commands."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
from dummy_models import NAMES, write_export
from PIL import Image

from segtumor import api
from segtumor.commands import evaluate, infer
from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.facts.operating_points import Goals
from segtumor.evaluation.operating_points import choose_points, read_points, refuse_chosen_on
from segtumor.files import sha256_of_file
from segtumor.inference.points import points_of
from segtumor.shipped.entry import read_entry
from segtumor.shipped.registry import model_folder
from segtumor.structures.lesions import AnnotatedImage, ImageResult

pytestmark = pytest.mark.command

SCORES = (0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85)


def result(number, score, label):
    truth = AnnotatedImage(number, f"{number}.png", (8, 8), (), {"image_label": label, "case_id": f"c{number}"})
    return ImageResult(truth, (), (1 - score, score / 4, 3 * score / 4), marks_lesions=False)


def points(**changed):
    normal = [result(n, score, "normal") for n, score in enumerate(SCORES)]
    tumors = [result(10 + n, score + 0.1, "malignant") for n, score in enumerate(SCORES)]
    hashes = {"annotations_sha256": "a1", "weights_sha256": "ab"}
    chosen = choose_points([*normal, *tumors], NAMES, Goals(risk=0.3), **hashes)
    return dataclasses.replace(chosen, **changed)


def write(path, stored):
    path.write_text(json.dumps(stored.as_dict()))
    return path


def test_what_is_written_is_read_back(tmp_path):
    stored = points()
    assert read_points(write(tmp_path / "points.json", stored), class_names=NAMES, weights_sha256="ab") == stored
    write(tmp_path / "operating_points.json", points(weights_sha256=""))  # of an ensemble
    assert read_points(tmp_path, weights_sha256="any").point("youden") == stored.point("youden")
    assert stored.point("sensitivity").sensitivity >= 0.9 and (stored.n_images, stored.n_cases) == (16, 16)


def test_thresholds_of_sets_are_those_of_the_true_class():
    """Of 16 cases 0.3 * 17 - 1 = 4 may be lost, of 8 of a class 0.3 * 9 - 1 = 1; benign is in every set."""
    stored = points()
    own = sorted([*(1 - s for s in SCORES), *(0.75 * (s + 0.1) for s in SCORES)])
    assert stored.marginal_sets == pytest.approx((own[4],) * 3)
    assert stored.by_class_sets == pytest.approx((1 - SCORES[-2], 0.0, 0.75 * (SCORES[1] + 0.1)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"risk": "much"}, "risk is not right"),
        ({"marginal_sets": [0.5]}, "marginal_sets is not right"),
        ({"more": 1}, "more is unknown"),
    ],
)
def test_a_damaged_file_is_refused_by_its_field(tmp_path, change, message):
    path = tmp_path / "points.json"
    path.write_text(json.dumps({**points().as_dict(), **change}))
    with pytest.raises(DataError, match=message):
        read_points(path)
    path.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        read_points(path)


def test_points_of_others_are_refused(tmp_path):
    path = write(tmp_path / "points.json", points())
    for asked, message in (({"class_names": ("a",)}, "other classes"), ({"weights_sha256": "cd"}, "other weights")):
        with pytest.raises(ConfigError, match=message):
            read_points(path, **asked)
    with pytest.raises(ConfigError, match="no operating points"):
        read_points(tmp_path)
    with pytest.raises(ConfigError, match=r"no such operating point.*dice.*sensitivity, specificity, youden, risk"):
        points().point("dice")
    with pytest.raises(ConfigError, match="chosen on these annotations"):
        refuse_chosen_on(points(), "a1", where="here")


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(path)
    return path


def test_infer_and_the_interface_use_them(tmp_path, scan):
    run, stored = write_export(tmp_path / "export", "brightness"), points()
    write(run / "operating_points.json", stored)
    argv = ["--run", str(run), "--input", str(scan), "--output", str(tmp_path / "found"), "--no-overlays"]
    argv += ["--operating-point", "specificity", "--review-threshold", "sensitivity", "--prediction-sets", "by-class"]
    assert infer.main(argv) == 0
    summary = json.loads((tmp_path / "found" / "summary.json").read_text())
    settings, score = summary["settings"], stored.point("specificity").score_threshold
    assert (settings["operating_point"], settings["confidence_threshold"]) == ("specificity", score)
    assert settings["review_threshold"] == stored.point("sensitivity").score_threshold
    (image,) = json.loads((tmp_path / "found" / "predictions.json").read_text())["images"]
    probabilities = list(image["image_probabilities"].values())
    expected = [n for n, p, t in zip(("normal", *NAMES), probabilities, stored.by_class_sets, strict=True) if p >= t]
    assert image["prediction_set"] == expected and image["notes"][0]["code"] == "look_again"
    assert ("; ".join(expected)) in (tmp_path / "found" / "findings.csv").read_text()
    assert infer.main([*argv, "--continue"]) == 0  # the journal keeps the sets
    assert json.loads((tmp_path / "found" / "predictions.json").read_text())["images"] == [image]
    model = api.load(run, operating_point="specificity", prediction_sets="by-class")
    assert model.score_threshold == score and model.read(scan).prediction_set == tuple(expected)
    with pytest.raises(ConfigError, match="two thresholds"):
        api.load(run, operating_point="youden", confidence_threshold=0.5)


def test_several_looks_need_a_file_of_their_own(tmp_path, scan):
    run = write_export(tmp_path / "export", "brightness")
    write(run / "operating_points.json", points())
    with pytest.raises(ConfigError, match="several looks as one"):
        api.load(run, tta=True, operating_point="youden")
    own = write(tmp_path / "own.json", points(weights_sha256=""))
    model = api.load(run, tta=True, operating_point="youden", points=own)
    assert model.score_threshold == points().point("youden").score_threshold
    assert model.read(scan).prediction_set is None


def test_the_shipped_model_has_those_of_its_card():
    model = SimpleNamespace(predictor=SimpleNamespace(class_names=NAMES), entry={}, settings={})
    found = points_of(model, [model_folder("btxrd-lite")])
    assert [p.key for p in found.points] == ["sensitivity", "specificity", "youden", "risk", "false-positives", "dice"]
    card = read_entry(model_folder("btxrd-lite").parent).operating_points
    assert [p.score_threshold for p in found.points] == [p.score_threshold for p in card]
    assert found.point("risk").score_threshold < found.point("youden").score_threshold
    with pytest.raises(ConfigError, match="no thresholds of prediction sets"):
        found.sets("marginal")


def coco(path, results):
    images = [
        {"id": r.truth.image_id, "file_name": r.truth.file_name, "height": 8, "width": 8, **r.truth.attributes}
        for r in results
    ]
    lesion = {"category_id": 2, "bbox": [1, 1, 4, 4], "area": 16, "iscrowd": 0}
    lesion["segmentation"] = [[1, 1, 5, 1, 5, 5, 1, 5]]
    lesions = [{**lesion, "id": i["id"], "image_id": i["id"]} for i in images if i["image_label"] == "malignant"]
    categories = [{"id": 1, "name": "benign"}, {"id": 2, "name": "malignant"}]
    path.write_text(json.dumps({"images": images, "annotations": lesions, "categories": categories}))
    return path


def predictions(path, results):
    images = [
        {
            **{"image_id": r.truth.image_id, "file_name": r.truth.file_name, "status": "ok", "marks_lesions": False},
            "image_probabilities": dict(zip(("normal", *NAMES), r.image_probabilities, strict=True)),
        }
        for r in results
    ]
    categories = [{"id": 1, "name": "benign"}, {"id": 2, "name": "malignant"}]
    path.write_text(json.dumps({"schema_version": 2, "images": images, "annotations": [], "categories": categories}))
    return path


def test_evaluate_chooses_them_and_judges_no_point_by_what_chose_it(tmp_path, monkeypatch, capsys):
    for module in ("figures.canvas", "pages.study_figures"):
        monkeypatch.setattr(f"segtumor.reporting.{module}.png_bytes", lambda *_, **__: b"")
    parts = {
        part: [
            *(result(n, score, "normal") for n, score in enumerate(SCORES)),
            *(result(10 + n, min(1.0, score + shift), "malignant") for n, score in enumerate(SCORES)),
        ]
        for part, shift in (("val", 0.1), ("test", 0.15))
    }
    options = {
        part: [
            *("--annotations", str(coco(tmp_path / f"{part}.json", results))),
            *("--predictions", str(predictions(tmp_path / f"{part}_found.json", results))),
            *("--output", str(tmp_path / f"{part}_measured"), "--resamples", "20", "--no-examples"),
        ]
        for part, results in parts.items()
    }
    truth = json.loads((tmp_path / "test.json").read_text())  # another file than val.json
    (tmp_path / "test.json").write_text(json.dumps({**truth, "info": {"part": "test"}}))
    file = str(tmp_path / "points.json")
    assert evaluate.main([*options["val"], "--choose-operating-points", file, "--risk", "0.3"]) == 0
    assert "risk 0.30 of a missed tumour image" in capsys.readouterr().out
    measured = [*options["test"], "--operating-point", "youden", "--points", file]
    assert evaluate.main(measured) == 0
    settings = json.loads((tmp_path / "test_measured" / "metrics.json").read_text())["settings"]
    assert settings["score_threshold"] == read_points(file).point("youden").score_threshold
    again = [*options["val"], "--overwrite"]
    assert evaluate.main([*again, "--operating-point", "youden", "--points", file]) == 2
    assert "chosen on these annotations" in capsys.readouterr().err
    assert evaluate.main([*again, "--operating-point", "youden"]) == 2
    assert evaluate.main([*again, "--risk", "0.3"]) == 2
    assert "belong together" in (said := capsys.readouterr().err) and "none are chosen" in said


def test_what_a_run_is_tested_on_chooses_nothing(tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("VERSION: 2\n")
    (run / "model_best.pth").write_bytes(b"weights")
    results = [result(n, score, "normal") for n, score in enumerate(SCORES)] + [result(9, 0.5, "malignant")]
    truth, found = coco(tmp_path / "t.json", results), predictions(tmp_path / "p.json", results)
    record = {"datasets": {"test": [{"annotations_sha256": sha256_of_file(truth)}]}}
    (run / "run.json").write_text(json.dumps(record))
    argv = ["--annotations", str(truth), "--predictions", str(found), "--output", str(tmp_path / "out")]
    assert evaluate.main([*argv, "--choose-operating-points", str(run)]) == 2
    assert "what the run is tested on" in capsys.readouterr().err
    assert not (run / "operating_points.json").exists()
