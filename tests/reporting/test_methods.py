"""Several methods side by side: the numbers are those of a study of each, in tables and bars."""

import csv

import numpy as np
import pytest

from segtumor.evaluation.comparison.methods import SHOWN, defined_estimates, methods_of
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.study.study import measures_of
from segtumor.reporting.figures.methods import methods_figure
from segtumor.reporting.files.methods_files import METHODS_FILES, write_methods
from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult, Lesion
from segtumor.structures.masks import rle_from_mask

NAMES = ("benign", "malignant")
SETTINGS = StudySettings(n_resamples=20)
TRUTH = [0, 0, 1, 1, 2, 2, 2, 1]
ANSWERS = {"network": [0, 1, 1, 1, 2, 2, 2, 1], "forest": [1, 1, 1, 0, 2, 1, 1, 2], "svm": [0, 0, 0, 0, 0, 0, 0, 0]}


def results(answers):
    found = []
    for number, (true, said) in enumerate(zip(TRUTH, answers, strict=True), start=1):
        truth = AnnotatedImage(number, f"{number}.png", (8, 8), (), {"image_label": ("normal", *NAMES)[true]})
        probabilities = tuple(0.8 if k == said else 0.1 for k in range(3))
        found.append(ImageResult(truth, (), image_probabilities=probabilities))
    return found


@pytest.fixture
def methods():
    return methods_of({name: results(answers) for name, answers in ANSWERS.items()}, NAMES, SETTINGS)


def test_each_has_the_values_of_its_own_study(methods):
    for method in methods:
        own = measures_of(results(ANSWERS[method.name]), NAMES, SETTINGS).measures
        assert [e.name for e in method.estimates] == list(SHOWN)
        for estimate in method.estimates:
            np.testing.assert_equal(estimate.value, own[estimate.name].value)
        assert all(not e.low > e.value and not e.value > e.high for e in method.estimates)
    assert methods[0].confusion.tolist() == [[1, 1, 0], [0, 3, 0], [0, 0, 3]]


def test_tables_and_pictures(methods, tmp_path):
    paths = write_methods(methods, tmp_path, level=0.95)
    assert [path.name for path in paths] == list(METHODS_FILES)
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in paths if path.suffix == ".png")
    with (tmp_path / "methods.csv").open() as file:
        rows = {(row["model"], row["name"]): row for row in csv.DictReader(file)}
    assert float(rows["network", "image_class_accuracy"]["value"]) == 7 / 8
    assert rows["svm", "dice"]["value"] == ""
    with (tmp_path / "classes.csv").open() as file:
        classes = {(row["model"], row["name"]): row for row in csv.DictReader(file)}
    assert float(classes["network", "benign"]["precision"]) == 3 / 4
    assert float(classes["svm", "macro mean"]["recall"]) == pytest.approx(1 / 3)
    text = (tmp_path / "methods.md").read_text()
    assert "| metric | network | forest | svm |" in text and "0.750 / 1.000 / 0.857" in text
    assert "dice" not in text  # of classifiers nothing but images is defined


def test_bars_are_the_values_and_lines_the_intervals(methods):
    (axes,) = methods_figure(methods, level="95%").axes
    rows = defined_estimates(methods)
    assert [text.get_text() for text in axes.get_xticklabels()] == [row[0].name for row in rows]
    heights = np.array([[bar.get_height() for bar in bars] for bars in axes.containers])
    np.testing.assert_array_equal(heights, [[row[i].value for row in rows] for i in range(3)])
    lows = [line.get_ydata()[0] for line in axes.lines[: len(rows)]]
    np.testing.assert_array_equal(lows, [row[0].low for row in rows])


def test_percent_is_drawn_as_a_proportion_and_nothing_says_so():
    mask = np.zeros((8, 8), dtype=bool)
    mask[2:6, 2:6] = True
    lesion = Lesion(1, 0, (2.0, 2.0, 6.0, 6.0), rle_from_mask(mask), 16.0)
    truth = AnnotatedImage(1, "a.png", (8, 8), (lesion,), {})
    perfect = [ImageResult(truth, (Finding(0, 0.9, lesion.box_xyxy, lesion.rle),))]
    found = methods_of({"one": perfect, "two": perfect}, NAMES, SETTINGS, measures=["mask_ap50"])
    (axes,) = methods_figure(found, level="95%").axes
    assert [bar.get_height() for bars in axes.containers for bar in bars] == pytest.approx([1, 1])
    nothing = methods_of({"one": perfect}, NAMES, SETTINGS, measures=["image_specificity"])
    (axes,) = methods_figure(nothing, level="95%").axes
    assert any("nothing is defined" in text.get_text() for text in axes.texts)
