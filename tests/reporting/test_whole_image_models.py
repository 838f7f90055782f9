"""Reports of a model that judges whole images and marks no lesions: they claim nothing about lesions."""

import csv
import dataclasses
import re

import numpy as np
import pytest
from fake_study import CLASSES, as_classifier, some_results

from segtumor.evaluation.comparison.comparison import compare
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.study.study import study
from segtumor.reporting.files.comparison_files import write_comparisons
from segtumor.reporting.files.study_files import write_study
from segtumor.reporting.pages.study_examples import choose_examples, draw_examples
from segtumor.reporting.pages.study_figures import study_figures
from segtumor.reporting.pages.study_page import headline, study_page
from segtumor.reporting.words.estimates import LESION_GROUPS
from segtumor.reporting.words.summary import summary_sentences

SETTINGS = StudySettings(n_resamples=20, temperature=1.5)
NOT_DEFINED = "are not defined for"


@pytest.fixture(scope="module")
def results():
    return as_classifier(some_results(24, case_id="c{}"))


@pytest.fixture(scope="module")
def classified(results):
    return study(results, CLASSES, SETTINGS)


@pytest.fixture(scope="module")
def prose(classified):
    page = study_page(classified, title="t", provenance={})
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.S).split())


def test_the_page_says_what_is_not_defined_and_leaves_it_out(classified, prose):
    assert prose.count(NOT_DEFINED) == 2  # in the summary, and above all measures
    assert "the sensitivity for lesions" not in prose and "Dice of lesions" not in prose
    assert "16 of them show a tumour" in prose and "have no lesion" not in prose
    anchors = {figure.name for figure in study_figures(classified)}
    assert {"fig-roc", "fig-calibration", "fig-confusion-images"} <= anchors
    assert not {"fig-froc", "fig-dice", "fig-confusion-lesions", "fig-forest-dice"} & anchors
    for gone in ("IoU threshold of a hit", "Paired, hit, missed", "lesion_recall", "Detection"):
        assert gone not in prose.partition("Remarks Predictions")[0].partition("Remarks The predictions")[0]


def test_score_and_call_are_those_of_the_whole_image(prose):
    assert "The score is the probability of a tumour that the model gives the whole image" in prose
    assert "then has the class of its image of highest score" in prose
    assert "highest finding" not in prose


def test_what_is_looked_at_first_is_defined(classified):
    shown = headline(classified, also=("dice", "image_kappa"))
    assert shown and not any(estimate.group in LESION_GROUPS for estimate in shown)
    assert shown[-1].name == "image_kappa"
    assert not any("Dice" in sentence for sentence in summary_sentences(classified))


def test_files_have_no_empty_plots(classified, tmp_path):
    (tmp_path / "metrics.json").write_text('{"definitions": {}}')
    (tmp_path / "dice_histogram.png").write_text("of an earlier evaluation of a detector")
    paths = write_study(classified, tmp_path, provenance={}, evaluation={})
    assert not [path for path in paths if path.suffix == ".png"] and not list(tmp_path.glob("*.png"))
    assert {"curve_roc_image.csv", "confusion_image_class.csv", "report.html"} <= {path.name for path in paths}
    with open(tmp_path / "estimates.csv", newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert rows["dice"]["value"] == "" and rows["dice"]["method"].startswith("undefined")
    assert float(rows["image_accuracy"]["value"]) > 0.5


def test_calibration_before_the_temperature_is_of_the_models_scores(classified):
    figure = next(figure for figure in study_figures(classified) if figure.section == "calibration").draw()
    before = next(line for line in figure.axes[0].lines if line.get_label() == "images, before")
    assert before.get_xdata().max() > 0.5  # it was 0 for every image while findings were asked


def test_examples_are_wrong_calls_and_then_right_ones(results):
    normal, tumor = (0.9, 0.05, 0.05), (0.2, 0.7, 0.1)
    said = [normal if i % 4 else tumor for i in range(len(results))]
    mixed = [dataclasses.replace(r, image_probabilities=p) for r, p in zip(results, said, strict=True)]
    found = study(mixed, CLASSES, SETTINGS)
    chosen = choose_examples(found, n_worst=3, n_best=1)
    assert [example.title for example in chosen][:2] == ["Missed tumour", "Confident false alarm"]
    assert chosen[-1].title == "Correct call" and "score of a tumour 0.80" in chosen[-1].caption
    drawn = draw_examples(found, chosen, lambda image_id: np.full((40, 40), 0.4, dtype=np.float32))
    assert all(example["png"] for example in drawn)


def test_two_classifiers_are_compared(results, tmp_path):
    other = as_classifier(some_results(24, case_id="c{}"), seed=1)
    compared = compare(results, other, CLASSES, SETTINGS, names=("a", "b"), n_permutations=50)
    write_comparisons([compared], tmp_path, level=0.95, provenance={})
    text = (tmp_path / "comparison.md").read_text()
    assert "image_accuracy" in text and "nan" not in text.lower()
