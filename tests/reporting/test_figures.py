import io

import numpy as np
import pytest
from PIL import Image

from segtumor.evaluation.measures.resampled_ap import PrecisionRecall
from segtumor.evaluation.study.values import Confusion
from segtumor.reporting.figures.canvas import png_bytes
from segtumor.reporting.figures.confusion import lesion_confusion_figure
from segtumor.reporting.figures.curves import precision_recall_figure
from segtumor.reporting.figures.histograms import dice_histogram_figure, lesion_size_figure
from segtumor.reporting.figures.training_curves import training_curves_figure

NAMES = ("benign", "malignant")
RECALL = np.linspace(0, 1, 101)
NOTHING = Confusion(np.zeros((3, 3), dtype=int), NAMES)
THRESHOLDS = {"score_threshold": 0.5, "iou_threshold": 0.25}


def texts(figure):
    """Every piece of text drawn."""
    found = [figure.get_suptitle()]
    for axes in figure.axes:
        found += [text.get_text() for text in axes.texts]
        legend = axes.get_legend()
        found += [text.get_text() for text in legend.get_texts()] if legend else []
    return "\n".join(found)


def curves(*n_lesions):
    return {
        name: PrecisionRecall(RECALL, np.full(101, 0.5 if n else np.nan), n)
        for name, n in zip(NAMES, n_lesions, strict=True)
    }


def test_precision_recall_names_classes_and_counts():
    figure = precision_recall_figure(curves(3, 4), iou_type="segm")
    assert "n = 7 lesions" in texts(figure)
    assert "benign: AP50 50.0, n = 3" in texts(figure)
    colors = [line.get_color() for line in figure.axes[0].lines]
    assert len(set(colors)) == 2


def test_a_class_without_lesions_has_no_line():
    figure = precision_recall_figure(curves(3, 0), iou_type="bbox")
    assert len(figure.axes[0].lines) == 1


def test_confusion_matrix_shows_counts_and_parts():
    figure = lesion_confusion_figure(Confusion(np.array([[3, 1, 0], [0, 2, 2], [5, 0, 0]]), NAMES), **THRESHOLDS)
    shown = texts(figure)
    assert "n = 8, 5 false positives" in shown
    assert "score ≥ 0.50, IoU ≥ 0.25" in shown
    assert "3\n75%" in shown
    assert "–" in shown  # background that was not found cannot be counted
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == [*NAMES, "missed"]


def test_dice_histogram_keeps_the_missed_apart():
    rows = [{"dice": 0.9, "matched": True}, {"dice": 0.7, "matched": True}, {"dice": 0.0, "matched": False}]
    shown = texts(dice_histogram_figure(rows, score_threshold=0.5))
    assert "n = 3, 1 paired with no finding" in shown
    assert "mean of all: 0.533" in shown
    assert "mean of matched: 0.800" in shown


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda: precision_recall_figure(curves(0, 0), iou_type="segm"), "no lesions"),
        (lambda: lesion_confusion_figure(NOTHING, **THRESHOLDS), "no lesions and no findings"),
        (lambda: dice_histogram_figure([], score_threshold=0.5), "no lesions"),
        (lambda: training_curves_figure({}), "no lr in metrics.json"),
    ],
)
def test_empty_plots_say_so(draw, sentence):
    assert sentence in texts(draw())


def test_all_missed_has_no_mean_of_matched():
    figure = dice_histogram_figure([{"dice": 0.0, "matched": False}], score_threshold=0.5)
    assert "mean of matched" not in texts(figure)


def test_training_curves():
    history = {
        "total_loss": ([0, 20, 40], [2.0, 1.0, 0.5]),
        "val/segm_AP50": ([20, 40], [10.0, 30.0]),
        "lr": ([0, 20, 40], [0.1, 0.1, 0.01]),
    }
    figure = training_curves_figure(history)
    assert "Training up to iteration 40" in texts(figure)
    assert figure.axes[1].lines[0].get_ydata().tolist() == [0.1, 0.3]  # beside Dice, in 0 to 1
    assert figure.axes[2].get_ylabel() == "Learning rate"


def test_training_panels_share_their_axis():
    history = {"total_loss": ([0, 20, 40], [2.0, 1.0, 0.5]), "val/dice": ([30], [0.5]), "lr": ([10, 20], [0.1, 0.1])}
    figure = training_curves_figure(history)
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    assert figure.axes[0].get_xlim()[1] > 40


def test_lesions_that_are_paired_but_missed_are_told_apart():
    rows = [{"dice": dice, "matched": dice > 0, "hit": dice > 0.6} for dice in (0.9, 0.2, 0.3, 0.0)]
    assert "matched, n = 3\n(2 of them overlap too little to hit)" in texts(
        dice_histogram_figure(rows, score_threshold=0.5)
    )


ODD_NAMES = (r"$\frac", "_hidden", "a\nb\x1b", "", "{0} %s", "x" * 255, "<b>&", "ورم", "$a$ \\$b")


def test_names_that_others_chose_can_be_drawn():
    odd = {name: PrecisionRecall(RECALL, np.full(101, 0.5), 1) for name in ODD_NAMES}
    table = Confusion(np.ones((len(ODD_NAMES) + 1,) * 2, dtype=int), ODD_NAMES)
    figure = precision_recall_figure(odd, iou_type="segm")
    assert len(figure.axes[0].get_legend().get_texts()) == len(ODD_NAMES)
    shown = texts(figure)
    assert r"\$\frac: AP50" in shown and " _hidden: AP50" in shown and r"a\nb\x1b: AP50" in shown
    assert "(no name): AP50" in shown and "x" * 29 not in shown
    for draw in (lambda: figure, lambda: lesion_confusion_figure(table, **THRESHOLDS),
                 lambda: lesion_size_figure({name: [10.0, 20.0] for name in ODD_NAMES})):  # fmt: skip
        assert png_bytes(draw, dpi=30).startswith(b"\x89PNG")


def test_no_legend_lies_on_the_bars():
    figure = lesion_size_figure({str(i): [10.0 + i] for i in range(12)})
    assert figure.axes[0].get_legend() is None
    assert len(figure.legends[0].get_texts()) == 12


def test_png_is_large_enough_to_read():
    png = png_bytes(lambda: precision_recall_figure(curves(3, 4), iou_type="segm"))
    assert min(Image.open(io.BytesIO(png)).size) >= 600
