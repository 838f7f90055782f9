"""Ensembles and looking twice, over models of any kind, from Python and by the command."""

import dataclasses
import json

import numpy as np
import pytest
from dummy_models import NAMES, Brightness, Threshold, predictor_of, write_export
from PIL import Image

from segtumor import api
from segtumor.commands import infer
from segtumor.errors import ConfigError
from segtumor.inference.combined import Ensemble, Mirrored, looks_of
from segtumor.inference.load import folds_in
from segtumor.inference.several import load_models
from segtumor.runtime.breakdown import broken_output, is_broken
from segtumor.runtime.reading_models import reading_model
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_mask
from segtumor.structures.postprocessing import Postprocessing
from segtumor.structures.readings import LOOK_AGAIN, Note, Reading, with_second_look

pytestmark = pytest.mark.command


class Left:
    """A detector that finds what is bright in the left half of a picture, and only there."""

    def detect(self, windows, sizes_hw):
        return [self._of(window, size_hw) for window, size_hw in zip(windows, sizes_hw, strict=True)]

    def _of(self, window, size_hw):
        mask = np.zeros(size_hw, dtype=bool)
        half = size_hw[1] // 2
        mask[:, :half] = window[:, :half] > 0.5
        return [Finding(0, 0.8, rle=rle_from_mask(mask), probabilities=(0.8, 0.1))] if mask.any() else []


class Saying:
    """A model that says one reading of every picture."""

    def __init__(self, **fields):
        self.fields = fields

    def read(self, windows, sizes_hw):
        return [Reading(class_names=NAMES, size_hw=size_hw, **self.fields) for size_hw in sizes_hw]


def window():
    pixels = np.zeros((10, 20), dtype=np.float32)
    pixels[2:6, 1:5], pixels[3:7, 14:19] = 1, 1
    return pixels


def read(model, pixels=None):
    pixels = window() if pixels is None else pixels
    return reading_model(model, NAMES)([pixels], [pixels.shape])[0]


def test_the_second_look_sees_what_the_first_does_not():
    model = Left()
    left, right = read(model).findings, read(Mirrored(model, NAMES)).findings
    assert [f.box_xyxy for f in left] == [(1, 2, 5, 6)] and [f.box_xyxy for f in right] == [(14, 3, 19, 7)]
    both = read(Ensemble([model, Mirrored(model, NAMES)], NAMES))
    assert {f.box_xyxy for f in both.findings} == {(1, 2, 5, 6), (14, 3, 19, 7)}
    assert [f.score for f in both.findings] == pytest.approx([0.4, 0.4])  # each look saw one of them
    assert both.uncertainty == 0  # both looks are equally sure of a tumour
    assert [f.agreement for f in both.findings] == [0.5, 0.5]
    assert [f.agreement for f in left] == [None]
    strongest = read(Ensemble([model, Mirrored(model, NAMES)], NAMES, fusion="nms"))
    assert [f.score for f in strongest.findings] == [0.8, 0.8]


def test_other_sizes_answer_at_that_of_the_radiograph():
    class Sizes:
        """Finds the whole picture, and says how high it was by its score."""

        def detect(self, windows, sizes_hw):
            return [[Finding(0, w.shape[0] / 100, (0.0, 0.0, float(s[1]), float(s[0])))] for w, s in
                    zip(windows, sizes_hw, strict=True)]  # fmt: skip

    looks = looks_of(Sizes(), NAMES, ["flip", "scale"])
    assert [read(look).findings[0].score for look in looks] == [0.1, 0.08, 0.12]  # of 10 px: as it is, 0.8, 1.25
    (fused,) = read(Ensemble([Sizes(), *looks], NAMES)).findings
    assert fused.box_xyxy == (0, 0, 20, 10) and fused.score == pytest.approx(0.1)
    np.testing.assert_allclose(read(looks_of(Threshold(), NAMES, ["scale"])[1]).maps["malignant"].shape, (10, 20))
    with pytest.raises(ConfigError, match="unknown look"):
        looks_of(Sizes(), NAMES, ["rotate"])


def test_maps_are_averaged_before_they_become_findings():
    pixels = window()
    one, two = read(Threshold(), pixels), read(Ensemble([Threshold(), Mirrored(Threshold(), NAMES)], NAMES), pixels)
    assert [f.box_xyxy for f in one.findings] == [f.box_xyxy for f in two.findings]
    np.testing.assert_allclose(one.maps["malignant"], two.maps["malignant"])
    dark = Saying(maps={name: np.zeros((10, 20), dtype=np.float32) for name in NAMES})
    assert read(Ensemble([Threshold(), dark], NAMES), pixels).findings == ()  # 0.45 is no finding


def test_classifiers_give_the_mean_and_say_how_far_they_disagree():
    sure, unsure = Saying(image_probabilities=(0.1, 0.2, 0.7)), Saying(image_probabilities=(0.5, 0.3, 0.2))
    reading = read(Ensemble([sure, unsure], NAMES))
    assert reading.image_probabilities == pytest.approx((0.3, 0.25, 0.45))
    assert reading.uncertainty == pytest.approx(2 * np.std([0.9, 0.5]))


def test_a_classifier_beside_a_detector_has_no_say_in_where():
    reading = read(Ensemble([Left(), Brightness()], NAMES))
    assert [f.score for f in reading.findings] == [0.8]
    assert reading.image_probabilities is not None and reading.marks_lesions is True


def test_notes_of_all_are_kept_once():
    first, second = Note("other", "a"), Note("other", "b")
    reading = read(Ensemble([Saying(notes=(first,)), Saying(notes=(first, second))], NAMES))
    assert reading.notes == (first, second)


def test_where_one_breaks_down_all_do():
    class Broken:
        def detect(self, windows, sizes_hw):
            return [broken_output() for _ in windows]

    assert is_broken(read(Ensemble([Left(), Broken()], NAMES)))


def test_members_are_cleaned_before_they_are_fused():
    benign, malignant = Finding(0, 0.3, (0.0, 0.0, 9.0, 9.0)), Finding(1, 0.7, (0.0, 0.0, 9.0, 9.0))
    model = Saying(findings=(malignant, benign))
    (plain,) = read(Ensemble([model, model], NAMES)).findings
    (cleaned,) = read(Ensemble([model, model], NAMES, settings=Postprocessing())).findings
    assert plain.score == pytest.approx(0.5) and cleaned.score == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("models", "options", "message"), [([], {}, "without a model"), ([Left()], {"fusion": "mean"}, "unknown fusion")]
)
def test_what_is_no_ensemble(models, options, message):
    with pytest.raises(ConfigError, match=message):
        Ensemble(models, NAMES, **options)


def test_a_predictor_takes_an_ensemble():
    predictor = predictor_of(Brightness())
    both = predictor.with_model(Ensemble([predictor.model, Mirrored(predictor.model, NAMES)], NAMES))
    (alone,), (twice,) = predictor.read_windows([window()], [(10, 20)]), both.read_windows([window()], [(10, 20)])
    assert twice.image_probabilities == pytest.approx(alone.image_probabilities)


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(path)
    return path


def test_the_command_reads_with_several_and_twice(tmp_path, scan):
    runs = [write_export(tmp_path / name, name) for name in ("brightness", "threshold")]
    argv = ["--run", *map(str, runs), "--tta", "--input", str(scan), "--output", str(tmp_path / "found")]
    assert infer.main(argv) == 0
    summary = json.loads((tmp_path / "found" / "summary.json").read_text())
    assert summary["settings"]["tta"] is True and len(summary["model"]["others"]) == 1
    (image,) = json.loads((tmp_path / "found" / "predictions.json").read_text())["images"]
    reading = api.load(runs, tta=True).read(scan)
    assert reading.image_probabilities is not None and reading.uncertainty == pytest.approx(image["uncertainty"])


def test_looks_are_named_and_passes_of_an_export_refused(tmp_path, scan, capsys):
    run = write_export(tmp_path / "export", "brightness")
    argv = ["--run", str(run), "--input", str(scan), "--no-overlays", "--output"]
    assert infer.main([*argv, str(tmp_path / "found"), "--tta", "flip", "scale"]) == 0
    summary = json.loads((tmp_path / "found" / "summary.json").read_text())
    assert summary["settings"]["tta"] == ["flip", "scale"]
    assert infer.main([*argv, str(tmp_path / "more"), "--mc-dropout", "5"]) == 2
    assert "--mc-dropout" in capsys.readouterr().err


def test_members_that_differ_are_refused(tmp_path, monkeypatch):
    import dummy_models

    first = write_export(tmp_path / "first", "brightness")
    other = dataclasses.replace(dummy_models.CONTRACT, class_names=("benign", "other"))
    monkeypatch.setattr(dummy_models, "CONTRACT", other)
    second = write_export(tmp_path / "second", "brightness")
    with pytest.raises(ConfigError, match=r"differ in their class names.*benign.*other"):
        load_models([first, second])
    with pytest.raises(ConfigError, match="an empty list"):
        api.load([])


def test_the_folder_of_a_cross_validation_means_its_folds(tmp_path):
    for number in (2, 10, 1):
        (tmp_path / "cv" / f"fold_{number}").mkdir(parents=True)
        (tmp_path / "cv" / f"fold_{number}" / "config.yaml").write_text("")
    (tmp_path / "cv" / "fold_x").mkdir()
    assert [path.name for path in folds_in(tmp_path / "cv")] == ["fold_1", "fold_2", "fold_10"]
    assert folds_in(tmp_path / "cv" / "fold_1") == [tmp_path / "cv" / "fold_1"]
    assert folds_in(tmp_path) == [tmp_path]


@pytest.mark.parametrize(("score", "asks"), [(0.1, False), (0.25, True), (0.34, True), (0.375, False), (0.9, False)])
def test_a_borderline_image_is_to_be_looked_at_again(score, asks):
    reading = Reading(class_names=NAMES, size_hw=(4, 4), image_probabilities=(1 - score, score, 0.0))
    noted = with_second_look(reading, 0.35, 0.2)
    assert noted.has_note(LOOK_AGAIN) is asks and with_second_look(reading, 0.35, None) == reading
    assert ("look again" in (noted.note or "")) is asks


def test_the_command_says_so_and_refuses_a_threshold_above_the_other(tmp_path, scan, capsys):
    run = write_export(tmp_path / "export", "brightness")  # its threshold is 0.35, the picture's score about 0.5
    argv = ["--run", str(run), "--input", str(scan), "--confidence-threshold", "0.9", "--output"]
    assert infer.main([*argv, str(tmp_path / "found"), "--review-threshold", "0.2"]) == 0
    summary = json.loads((tmp_path / "found" / "summary.json").read_text())
    assert summary["settings"]["review_threshold"] == 0.2 and "look again" in json.dumps(summary["inputs"])
    assert infer.main([*argv, str(tmp_path / "x"), "--review-threshold", "0.95"]) == 2
    assert "--review-threshold" in capsys.readouterr().err
