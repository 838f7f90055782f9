"""A model that breaks down on an image: that input fails, everywhere, and none of its neighbours does."""

import csv

import numpy as np
import pytest
from fake_detector import FakeDetector, predictor_of

from segtumor.errors import BadImageError, NonFiniteOutputError
from segtumor.imaging import Radiograph
from segtumor.runtime.breakdown import broken_output

pytestmark = pytest.mark.command

BROKEN_HEIGHT = 46  # of the fourth picture


class Breaking(FakeDetector):
    """Breaks down on the fourth picture, which it knows by its height."""

    def detect(self, windows, sizes_hw):
        found = super().detect(windows, sizes_hw)
        return [
            broken_output() if height == BROKEN_HEIGHT else findings
            for findings, (height, _) in zip(found, sizes_hw, strict=True)
        ]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_input_fails_in_every_table_and_no_other_does(pictures, work, tables, batch_size):
    _, whole = work(pictures, "whole", with_overlays=True)
    result, folder = work(pictures, detector=Breaking(), with_overlays=True, batch_size=batch_size)
    assert (result.counts["ok"], result.counts["failed"]) == (6, 2)
    summary, predictions, _ = tables(folder)
    entry = summary["inputs"][3]
    assert entry["status"] == "failed" and entry["n_findings"] is None and entry["overlay"] is None
    assert entry["reason"].startswith(f"{pictures[3]}: the model's output is NaN or infinite.")
    assert predictions["images"][3]["status"] == "failed"
    assert 4 not in {annotation["image_id"] for annotation in predictions["annotations"]}
    with (folder / "findings.csv").open() as file:
        (row,) = [row for row in csv.DictReader(file) if row["file"] == str(pictures[3])]
    assert row["status"] == "failed" and row["finding"] == "" and row["reason"] == entry["reason"]
    assert not (folder / "overlays" / "3.png").exists()
    others = [number for number in range(8) if number != 3]
    assert [summary["inputs"][n] for n in others] == [tables(whole)[0]["inputs"][n] for n in others]
    # Another model, or the same one repaired, does it again.
    assert work(pictures, continued=True, with_overlays=True)[0].counts["failed"] == 1


def test_it_is_not_tried_at_a_smaller_size_as_if_memory_had_run_out(pictures, work):
    def raising(call, windows):
        if len(windows) > 1:
            raise MemoryError

    # Pictures of one shape for the model, so that they are one batch; the second breaks down when it is tried alone.
    result, _ = work([pictures[1], pictures[3]], detector=Breaking(raising), batch_size=2, short_edge_px=8)
    assert (result.counts["ok"], result.counts["failed"], result.notes) == (1, 1, 0)
    assert "NaN or infinite" in result.first_failure


def test_from_python_it_is_an_error_that_names_the_radiographs():
    predictor = predictor_of(Breaking())
    images = [
        Radiograph(np.zeros((height, 48), np.float32), None, None, f"{height}.png", "uint8")
        for height in (40, BROKEN_HEIGHT)
    ]
    with pytest.raises(NonFiniteOutputError, match=r"46\.png: the model's output is NaN or infinite"):
        predictor.read_batch(images)
    assert predictor.read(images[0]).findings == () and NonFiniteOutputError.exit_code == 5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_are_not_given_to_a_model(value):
    pixels = np.zeros((4, 4), dtype=np.float32)
    pixels[1, 2] = value
    with pytest.raises(BadImageError, match="NaN or infinite"):
        predictor_of(FakeDetector()).window(pixels)
