"""The figures of a study say what they show, draw each curve, and say why they are empty."""

import dataclasses
import io

import numpy as np
import pytest
from fake_study import CLASSES, estimate, fake_study, finding, lesion, some_results
from PIL import Image

from segtumor.errors import BadImageError, InstallationError
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.study.study import study as measure
from segtumor.evaluation.study.values import SubgroupEstimate
from segtumor.reporting.figures.canvas import png_bytes
from segtumor.reporting.figures.confusion import class_confusion_figure
from segtumor.reporting.figures.curves import froc_figure, pr_figure, reliability_figure, roc_figure
from segtumor.reporting.figures.forest import MAX_ROWS, forest_figure
from segtumor.reporting.pages.study_examples import MAX_WIDTH_PX, choose_examples, draw_examples
from segtumor.reporting.pages.study_figures import study_figures
from segtumor.statistics.calibration import reliability
from segtumor.structures.lesions import AnnotatedImage, ImageResult

NAN = float("nan")


def texts(figure):
    """Every piece of text drawn."""
    found = [figure.get_suptitle()]
    for axes in figure.axes:
        found += [t.get_text() for t in (*axes.texts, *axes.get_yticklabels(), axes.xaxis.label, axes.yaxis.label)]
        legend = axes.get_legend()
        found += [text.get_text() for text in legend.get_texts()] if legend else []
    return "\n".join(found)


def drawn(figure):
    """Lines of the first panel by label."""
    return {line.get_label(): line for line in figure.axes[0].lines}


def figure_of(study, name):
    (found,) = [figure for figure in study_figures(study) if figure.name == name]
    return found.draw()


def test_roc_draws_each_curve_and_its_operating_point():
    study = fake_study()
    known = {e.name: e for e in study.estimates}
    figure = figure_of(study, "fig-roc")
    assert f"images: AUC {known['image_auc'].value:.3f}" in texts(figure)
    assert "patients: AUC" in texts(figure)
    points = [line.get_xydata()[0] for line in figure.axes[0].lines if line.get_marker() == "s"]
    expected = [(1 - known[f"{u}_specificity"].value, known[f"{u}_sensitivity"].value) for u in ("image", "patient")]
    np.testing.assert_allclose(points, expected)


@pytest.mark.parametrize("draw", [roc_figure, pr_figure])
def test_no_curve_is_said(draw):
    assert "not defined" in texts(draw([("images", None, (NAN, NAN))]))


def test_froc_marks_the_seven_rates():
    study = fake_study()
    figure = figure_of(study, "fig-froc")
    seven = next(line for label, line in drawn(figure).items() if label.startswith("the seven"))
    np.testing.assert_allclose(seven.get_xdata(), [0.125, 0.25, 0.5, 1, 2, 4, 8])
    np.testing.assert_allclose(seven.get_ydata(), list(study.curves["froc"].at.values()))
    assert "at the score threshold" in texts(figure)
    assert "not defined" in texts(froc_figure(None))


@pytest.mark.parametrize("criterion", ["iou", "centre"])
def test_the_square_of_the_froc_curve_lies_on_it(criterion):
    twice = [finding(SIZE, 5, 5, 10, 0.9), finding(SIZE, 6, 5, 10, 0.8)]  # both hit the lesion
    results = [
        result(1, [lesion(1, SIZE, 5, 5, 10)], twice),
        result(2, [lesion(2, SIZE, 5, 5, 10)], [finding(SIZE, 25, 25, 10, 0.7)]),
        result(3, [], [finding(SIZE, 5, 5, 10, 0.4)]),
    ]
    settings = StudySettings(score_threshold=0.5, froc_criterion=criterion)
    study = measure(results, CLASSES, dataclasses.replace(settings, n_resamples=2), subgroups=False)
    (figure,) = [f for f in study_figures(study) if f.name == "fig-froc"]
    (square,) = [line for line in figure.draw().axes[0].lines if line.get_marker() == "s"]
    np.testing.assert_allclose(square.get_xydata(), [[1 / 3, 1 / 2]])
    assert "further finding on a lesion already found" in figure.caption
    assert ("centre of a finding" in figure.caption) == (criterion == "centre")


def test_no_square_is_cut_off_at_the_edge():
    results = [result(i, [lesion(i, SIZE, 5, 5, 10)], [finding(SIZE, 5, 5, 10, 0.9)]) for i in (1, 2)]
    study = measure(results, CLASSES, StudySettings(n_resamples=2), subgroups=False)
    (square,) = [line for line in figure_of(study, "fig-froc").axes[0].lines if line.get_marker() == "s"]
    assert square.get_xydata().tolist() == [[0.1, 1.0]] and not square.get_clip_on()


def test_no_line_runs_through_bins_of_a_few():
    curve = reliability(np.repeat([0.05, 0.35, 0.95], [6, 1, 7]), np.repeat([0, 1, 1], [6, 1, 7]).astype(bool))
    lines = reliability_figure([("images", curve)]).axes[0].lines
    points = next(line for line in lines if line.get_label() == "images")
    (joined,) = [line for line in lines if line.get_linestyle() == "-"]
    np.testing.assert_allclose(points.get_xdata(), [0.05, 0.35, 0.95])
    np.testing.assert_allclose(joined.get_xdata(), [0.05, 0.95])


def squares(figure):
    return [line.get_xydata()[0].tolist() for line in figure.axes[0].lines if line.get_marker() == "s"]


def test_patients_who_must_be_located_have_no_square():
    study = fake_study(settings=StudySettings(require_located=True))
    for name in ("fig-roc", "fig-pr"):
        (figure,) = [f for f in study_figures(study) if f.name == name]
        assert len(squares(figure.draw())) == 1 and "patients has no square" in figure.caption


def test_both_kinds_are_drawn_before_and_after_the_temperature():
    study = fake_study(settings=StudySettings(temperature=2.0))
    curves = {**study.curves, "reliability_patient": study.curves["reliability"]}
    (figure,) = [f for f in study_figures(dataclasses.replace(study, curves=curves)) if f.name == "fig-calibration"]
    lines = drawn(figure.draw())
    assert {"images, before", "patients, before", "patients, after temperature 2"} <= set(lines)
    rows = study.per_case
    expected = reliability([row["score"] for row in rows], [row["tumor_true"] for row in rows])
    filled = np.asarray(expected.counts) > 0
    np.testing.assert_allclose(lines["patients, before"].get_xdata(), np.asarray(expected.mean_probability)[filled])
    assert "or patients" in figure.caption


def test_names_in_another_script_raise_no_warning(recwarn):
    figure = forest_figure(estimate("dice", 0.6, 10), [subgroup("site", "大腿骨", 0.5)])
    assert png_bytes(lambda: figure).startswith(b"\x89PNG")
    assert [str(warning.message) for warning in recwarn] == []


def test_an_interval_of_few_cases_is_dotted():
    few = SubgroupEstimate("sex", "F", estimate("dice", 0.5, 5, method="percentile (few cases: likely too narrow)"))
    figure = forest_figure(estimate("dice", 0.6, 10), [few, subgroup("sex", "M", 0.5)])
    styles = [line.get_linestyle() for line in figure.axes[0].lines if len(set(line.get_xdata())) == 2]
    assert styles == ["-", ":", "-"]


def test_reliability_leaves_out_empty_bins_and_writes_the_counts():
    study = fake_study(some_results(30))
    curve = study.curves["reliability"]
    figure = reliability_figure([("images", curve)])
    assert len(drawn(figure)["images"].get_xdata()) == np.count_nonzero(curve.counts)
    for count in curve.counts[curve.counts > 0]:
        assert str(int(count)) in texts(figure)
    assert "no images" in texts(reliability_figure([]))


def test_confusion_shows_counts_and_parts_of_the_row():
    figure = class_confusion_figure(("normal", *CLASSES), [[3, 1, 0], [0, 0, 0], [1, 0, 1]], unit="images")
    assert "4 of 6 right" in texts(figure)
    assert "3\n75%" in texts(figure)
    assert "no patients" in texts(class_confusion_figure(CLASSES, np.zeros((2, 2), int), unit="patients"))


def subgroup(field, level, value):
    return SubgroupEstimate(field, level, estimate("dice", value, 5))


def test_forest_has_a_row_for_each_level_and_a_heading_for_each_field():
    rows = [subgroup("sex", "F", 0.5), subgroup("sex", "M", NAN), subgroup("site", "a $x_1$ b", 0.7)]
    figure = forest_figure(estimate("dice", 0.6, 10), rows)
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert labels == ["all (n = 10)", "sex", "F (n = 5)", "M (n = 5)", "site", r"a \$x_1\$ b (n = 5)"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["undefined"]
    points = [line for line in figure.axes[0].lines if line.get_marker() in ("o", "D")]
    np.testing.assert_allclose([float(p.get_xdata()[0]) for p in points], [0.6, 0.5, 0.7])


def test_a_forest_of_too_many_rows_says_so():
    rows = [subgroup("center", str(i), 0.5) for i in range(MAX_ROWS)]
    figure = forest_figure(estimate("dice", 0.6, 10), rows)
    assert "2 more rows in subgroups.csv" in texts(figure)
    assert len(figure.axes[0].get_yticklabels()) == MAX_ROWS


def test_a_measure_above_one_gets_room():
    rows = [SubgroupEstimate("sex", "F", estimate("hausdorff_px", 7.0, 3, low=5.0, high=9.0))]
    figure = forest_figure(estimate("hausdorff_px", 6.0, 9, low=NAN, high=NAN), rows, higher_is_better=False)
    assert figure.axes[0].get_xlim()[1] > 9
    assert "left is better" in texts(figure)


def test_names_are_unique_and_pictures_are_the_same_twice():
    figures = study_figures(fake_study())
    assert len({figure.name for figure in figures}) == len(figures)
    picture = figures[0].png()
    assert picture.startswith(b"\x89PNG")
    assert picture == study_figures(fake_study())[0].png()


# The cases to look at.

SIZE = (40, 40)


def result(number, lesions=(), findings=()):
    return ImageResult(AnnotatedImage(number, f"{number}.png", SIZE, tuple(lesions)), tuple(findings))


@pytest.fixture
def failures():
    return fake_study(
        [
            result(1, [lesion(1, SIZE, 5, 5, 5)]),  # missed, small
            result(2, [lesion(2, SIZE, 5, 5, 20)]),  # missed, large
            result(3, [lesion(3, SIZE, 5, 5, 10)], [finding(SIZE, 5, 5, 10, 0.9)]),  # perfect
            result(4, [lesion(4, SIZE, 5, 5, 10)], [finding(SIZE, 14, 14, 10, 0.8)]),  # one pixel shared
            result(5, [], [finding(SIZE, 5, 5, 9, 0.6)]),  # false positives
            result(6, [], [finding(SIZE, 5, 5, 9, 0.95)]),
        ]
    )


def test_the_worst_come_in_turn_and_no_image_twice(failures):
    chosen = choose_examples(failures, n_worst=6, n_best=1)
    # 4 is also the false positive of second highest score, and already shown; 3 is the lesion of second lowest Dice.
    assert [(e.image.truth.image_id, e.title) for e in chosen[:3]] == [
        (2, "Missed lesion"),
        (4, "Lowest Dice"),
        (6, "Confident false positive"),
    ]
    assert sorted(e.image.truth.image_id for e in chosen) == [1, 2, 3, 4, 5, 6]
    assert "no finding is paired with" in chosen[0].caption
    assert "400 px²" in chosen[0].caption and "score 0.95" in chosen[2].caption


def test_the_best_are_not_among_the_worst(failures):
    chosen = choose_examples(failures, n_worst=2, n_best=4)
    assert [(e.image.truth.image_id, e.title) for e in chosen[2:]] == [(3, "Highest Dice")]
    assert choose_examples(failures, n_worst=0, n_best=0) == []
    assert choose_examples(fake_study([])) == []


@pytest.mark.parametrize("failure", [InstallationError("no decoder"), MemoryError(), OSError("gone")])
def test_a_picture_that_cannot_be_had_costs_no_report(failures, failure, caplog):
    def read_pixels(image_id):
        raise failure

    pictures = draw_examples(failures, choose_examples(failures, 2, 0), read_pixels)
    assert [picture["png"] for picture in pictures] == [None, None]
    assert all("The image cannot be shown: " in picture["caption"] for picture in pictures)
    assert caplog.text.count("not shown in the report: ") == 2


def test_pictures_are_small_and_the_unreadable_is_kept(failures):
    def read_pixels(image_id):
        if image_id == 4:
            raise BadImageError("file is missing", where="4.png")
        return np.zeros((30, 30) if image_id == 6 else SIZE, dtype=np.float32)

    pictures = draw_examples(failures, choose_examples(failures, 3, 0), read_pixels)
    image = Image.open(io.BytesIO(pictures[0]["png"]))
    assert image.width <= MAX_WIDTH_PX and len(pictures[0]["png"]) < 100_000
    assert pictures[1]["png"] is None and "4.png: file is missing" in pictures[1]["caption"]
    assert pictures[2]["png"] is None and "annotated as (40, 40)" in pictures[2]["caption"]
