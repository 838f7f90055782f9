"""A fixed pixel spacing: the size that a model sees, what is said of others, and findings in their own pixels."""

import numpy as np
import pytest

from segtumor.errors import BadImageError
from segtumor.imaging.radiograph import Radiograph
from segtumor.imaging.resizing import resized_hw, spacing_remark
from segtumor.runtime.predictor import Predictor, Windowing
from segtumor.structures.lesions import Finding
from segtumor.structures.postprocessing import Postprocessing


@pytest.mark.parametrize(
    ("size_hw", "spacing_mm", "target_mm", "expected"),
    [
        ((200, 100), (0.5, 0.5), 1.0, (100, 50)),
        ((200, 100), (0.5, 0.5), 0.5, (200, 100)),  # as it is
        ((200, 100), (0.5, 0.5), 0.25, (400, 200)),  # enlarged
        ((100, 100), (0.5, 0.2), 0.5, (100, 40)),  # pixels that are no squares become squares
        ((200, 100), (0.5, 0.5), 0.125, (500, 250)),  # the longer edge is the limit
        ((1, 100), (0.1, 1.0), 1.0, (1, 100)),  # never less than one pixel
        ((200, 100), None, 1.0, (128, 64)),  # unknown: the shorter edge
        ((200, 100), (0.5, 0.5), 0.0, (128, 64)),  # off
    ],
)
def test_size_at_a_fixed_spacing(size_hw, spacing_mm, target_mm, expected):
    assert resized_hw(size_hw, 64, 500, spacing_mm=spacing_mm, target_mm=target_mm) == expected


def radiograph(spacing_mm=None, size_hw=(80, 40)):
    pixels = np.random.default_rng(0).random(size_hw, dtype=np.float32)
    return Radiograph(pixels, spacing_mm, spacing_mm and "mm (calibrated)", "knee.dcm", "uint16")


def test_what_is_said_of_it():
    assert spacing_remark(radiograph(), 0, 500) is None
    assert spacing_remark(radiograph((0.5, 0.5)), 0.25, 160) is None
    unknown = "the file does not say its pixel spacing, and the model reads at 0.25 mm: it was scaled to the usual size"
    assert spacing_remark(radiograph(), 0.25, 500) == f"{unknown} instead"
    assert spacing_remark(radiograph((0.5, 0.5)), 0.25, 80) == (
        "too large for 0.25 mm a pixel, which the model reads at: it was seen at 0.5 mm"
    )
    with pytest.raises(BadImageError, match=r"knee\.dcm: the file does not say its pixel spacing"):
        spacing_remark(radiograph(), 0.25, 500, required=True)


class Whole:
    """A detector that finds the upper left quarter of every picture, and remembers what it has seen."""

    def __init__(self):
        self.shapes = []

    def detect(self, windows, sizes_hw):
        self.shapes += [window.shape for window in windows]
        return [[Finding(0, 0.9, (0, 0, w / 2, h / 2), None, ())] for h, w in sizes_hw]


def predictor(model, **settings):
    windowing = Windowing(
        short_edge_px=64, max_long_edge_px=200, window_percentiles=(0, 100), spacing_mm=0.25, **settings
    )
    return Predictor(model, class_names=["tumour"], windowing=windowing, settings=Postprocessing())


def test_a_model_sees_the_spacing_and_answers_in_pixels_of_the_radiograph():
    model = Whole()
    known, unknown = predictor(model).read_batch([radiograph((0.5, 0.25)), radiograph()])
    assert model.shapes == [(160, 40), (128, 64)]
    assert [reading.findings[0].box_xyxy for reading in (known, unknown)] == [(0, 0, 20, 40)] * 2
    assert known.note is None and unknown.note.startswith("the file does not say its pixel spacing")
    with pytest.raises(BadImageError, match="does not say"):
        predictor(model, spacing_required=True).read(radiograph())


def test_where_memory_runs_out_the_spacing_becomes_coarser_in_proportion():
    pixels, windowing = radiograph().pixels, predictor(Whole()).windowing
    assert windowing.window(pixels, spacing_mm=(0.5, 0.5), short_edge_px=32).shape == (80, 40)


def test_without_a_fixed_spacing_nothing_changes():
    plain = Windowing(short_edge_px=64, max_long_edge_px=200, window_percentiles=(0, 100))
    pixels = radiograph().pixels
    np.testing.assert_array_equal(plain.window(pixels), plain.window(pixels, spacing_mm=(0.1, 0.3)))
