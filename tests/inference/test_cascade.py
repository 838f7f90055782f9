"""Two models one after the other: products by hand, findings only where a tumour is called, windows of two sizes."""

import json
import pickle

import numpy as np
import pytest
from dummy_models import NAMES, Brightness, predictor_of, write_export
from PIL import Image

from segtumor import api
from segtumor.commands import infer
from segtumor.errors import ConfigError
from segtumor.inference.cascade import CascadePredictor, check_stages, joined
from segtumor.runtime.breakdown import broken_output, is_broken
from segtumor.runtime.predictor import Predictor, Windowing
from segtumor.structures.lesions import Finding
from segtumor.structures.postprocessing import Postprocessing
from segtumor.structures.readings import CLASS_UNKNOWN, Note, Reading

pytestmark = pytest.mark.command

FOUND = Finding(1, 0.9, (1.0, 1.0, 5.0, 5.0), probabilities=(0.3, 0.9))


def first(tumor, **fields):
    return Reading(class_names=("tumour",), size_hw=(8, 8), image_probabilities=(1 - tumor, tumor), **fields)


def second(**fields):
    return Reading(class_names=NAMES, size_hw=(8, 8), **fields)


@pytest.mark.parametrize(
    ("tumor", "stage_two", "expected", "n_findings", "marks"),
    [
        # A classifier that knows normal, too: what it says of normal has no say.
        (0.8, {"image_probabilities": (0.5, 0.1, 0.4), "marks_lesions": False}, (0.2, 0.16, 0.64), 0, False),
        (0.2, {"image_probabilities": (0.0, 0.25, 0.75), "marks_lesions": False}, (0.8, 0.05, 0.15), 0, False),
        # A detector: scores of the classes by its findings, 0.3 and 0.9.
        (0.8, {"findings": (FOUND,)}, (0.2, 0.2, 0.6), 1, True),
        (0.4, {"findings": (FOUND,)}, (0.6, 0.1, 0.3), 0, True),
        (0.5, {"findings": (FOUND,)}, (0.5, 0.125, 0.375), 1, True),  # at the threshold
        (0.8, {}, (0.2, 0.4, 0.4), 0, True),
        (0.0, {"image_probabilities": (1.0, 0.0, 0.0)}, (1.0, 0.0, 0.0), 0, True),
    ],
)
def test_probabilities_are_products(tumor, stage_two, expected, n_findings, marks):
    reading = joined(first(tumor), second(**stage_two), 0.5)
    assert reading.image_probabilities == pytest.approx(expected)
    assert len(reading.findings) == n_findings and reading.marks_lesions is marks
    assert (reading.image_class(0.5) > 0) is (tumor >= 0.5)


def test_a_class_that_nobody_knows_is_noted_where_it_matters():
    assert joined(first(0.8), second(), 0.5).has_note(CLASS_UNKNOWN)
    assert not joined(first(0.4), second(), 0.5).has_note(CLASS_UNKNOWN)
    assert not joined(first(0.8), second(findings=(FOUND,)), 0.5).has_note(CLASS_UNKNOWN)


def test_notes_and_uncertainty_of_both():
    note, other = Note("other", "a"), Note("other", "b")
    two = second(uncertainty=0.5, notes=(note, other), findings=(FOUND,))
    reading = joined(first(0.8, uncertainty=0.25, notes=(note,)), two, 0.5)
    assert reading.uncertainty == 0.5 and reading.notes == (note, other)
    assert joined(first(0.8), second(findings=(FOUND,)), 0.5).uncertainty is None


def test_a_detector_may_come_first():
    detector = Reading(class_names=NAMES, size_hw=(8, 8), findings=(Finding(0, 0.3, (0.0, 0.0, 2.0, 2.0)),))
    reading = joined(detector, second(image_probabilities=(0.2, 0.2, 0.6)), 0.3)
    assert reading.image_probabilities == pytest.approx((0.7, 0.075, 0.225)) and reading.image_class(0.3) == 2


@pytest.mark.parametrize("names", [(("tumour",), NAMES), (NAMES, NAMES), (("tumour",), ("tumour",))])
def test_classes_that_fit(names):
    check_stages(*names)


@pytest.mark.parametrize(
    "names",
    [(("malignant",), NAMES), (("malignant", "benign"), NAMES), (("cyst", "other"), NAMES), (NAMES, ("tumour",))],
)
def test_classes_that_do_not_fit(names):
    with pytest.raises(ConfigError, match=r"does not say whether.*DATASETS\.CLASSES"):
        check_stages(*names)


class Seen:
    """A classifier of one class or two that notes what it is shown."""

    def __init__(self, answer):
        self.answer, self.shapes = answer, []

    def classify(self, windows):
        self.shapes += [window.shape for window in windows]
        return [self.answer for _ in windows]


def predictor(model, names, size_px):
    windowing = Windowing(short_edge_px=size_px, max_long_edge_px=999, window_percentiles=(0, 100), square=size_px < 20)
    return Predictor(model, class_names=names, windowing=windowing, settings=Postprocessing())


def test_each_model_sees_what_it_was_trained_on():
    one, two = Seen((0.25, 0.75)), Seen((0.0, 0.5, 0.5))
    both = CascadePredictor(predictor(one, ("tumour",), 16), predictor(two, NAMES, 40), threshold=0.5)
    pixels = [np.random.default_rng(0).random(shape, dtype=np.float32) for shape in ((50, 100), (60, 60))]
    readings = both.read_windows([both.window(p) for p in pixels], [p.shape for p in pixels])
    assert one.shapes == [(16, 16), (16, 16)] and two.shapes == [(40, 80), (40, 40)]
    assert [reading.size_hw for reading in readings] == [(50, 100), (60, 60)]
    half = both.window(pixels[0], short_edge_px=20)  # where memory runs out
    assert half.shape == ((8, 8), (20, 40)) and both.short_edge_px == 40


def test_where_one_breaks_down_both_do():
    class Broken:
        def classify(self, windows):
            return [broken_output() for _ in windows]

    pixels = np.zeros((20, 20), dtype=np.float32)
    for models in ((Broken(), Seen((0.1, 0.4, 0.5))), (Seen((0.1, 0.4, 0.5)), Broken())):
        both = CascadePredictor(*(predictor(model, NAMES, 16) for model in models), threshold=0.5)
        assert is_broken(both.read_windows([both.window(pixels)], [(20, 20)])[0])


def test_the_same_model_twice_changes_no_call():
    alone = predictor_of(Brightness())
    both = CascadePredictor(alone, alone, threshold=0.5)
    pixels = np.random.default_rng(1).random((30, 30), dtype=np.float32)
    (once,) = alone.read_windows([alone.window(pixels)], [(30, 30)])
    (twice,) = both.read_windows([both.window(pixels)], [(30, 30)])
    assert twice.image_probabilities == pytest.approx(once.image_probabilities)


def test_by_the_command_and_from_python(tmp_path):
    scan = tmp_path / "scan.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(scan)
    one, two = (write_export(tmp_path / name, name) for name in ("brightness", "threshold"))
    argv = ["--cascade", str(one), "--run", str(two), "--input", str(scan), "--output", str(tmp_path / "found")]
    assert infer.main(argv) == 0
    summary = json.loads((tmp_path / "found" / "summary.json").read_text())
    assert summary["model"]["folder"] == str(two) and summary["model"]["cascade"]["folder"] == str(one)
    assert summary["settings"]["confidence_threshold"] == summary["settings"]["cascade"]["confidence_threshold"]
    (image,) = json.loads((tmp_path / "found" / "predictions.json").read_text())["images"]
    model = api.load(two, cascade=one)
    reading = model.read(scan)
    assert list(reading.image_probabilities) == pytest.approx(list(image["image_probabilities"].values()))
    assert pickle.loads(pickle.dumps(model)).read(scan) == reading


def test_explaining_is_of_one_model(tmp_path, capsys):
    one = write_export(tmp_path / "one", "brightness")
    argv = ["--cascade", str(one), "--run", str(one), "--explain", "gradcam", "--input", str(tmp_path), "--output", "x"]
    Image.new("L", (8, 8)).save(tmp_path / "scan.png")
    assert infer.main(argv) == 2 and "--cascade" in capsys.readouterr().err
