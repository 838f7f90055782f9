"""What is known beside pixels reaches a model through everything that wraps it."""

import numpy as np
import pytest

from segtumor.inference.cascade import CascadePredictor
from segtumor.inference.combined import Ensemble, Mirrored, Rescaled
from segtumor.runtime.predictor import Predictor, Windowing
from segtumor.structures.postprocessing import Postprocessing
from segtumor.structures.readings import Reading

NAMES = ("tumour",)


class ByAge:
    """Says of everyone that the probability of a tumour is the age in centuries, 0 where it is not known."""

    context_columns = ("age",)

    def read_with_contexts(self, windows, sizes_hw, contexts):
        likely = [context.get("age", 0) / 100 for context in contexts]
        return [Reading(class_names=NAMES, size_hw=(8, 8), image_probabilities=(1 - p, p)) for p in likely]


def predictor(model):
    windowing = Windowing(short_edge_px=8, max_long_edge_px=8, window_percentiles=(0, 100))
    return Predictor(model, class_names=NAMES, windowing=windowing, settings=Postprocessing())


WRAPPED = {
    "as it is": lambda: predictor(ByAge()),
    "mirrored": lambda: predictor(Mirrored(ByAge(), NAMES)),
    "rescaled": lambda: predictor(Rescaled(ByAge(), NAMES, factor=0.5)),
    "an ensemble": lambda: predictor(Ensemble([ByAge(), Rescaled(ByAge(), NAMES, factor=2)], NAMES)),
    "a cascade": lambda: CascadePredictor(predictor(ByAge()), predictor(ByAge()), threshold=0.5),
}


@pytest.mark.parametrize("how", WRAPPED)
def test_it_reaches_the_model(how):
    model = WRAPPED[how]()
    assert model.context_columns == ("age",)
    windows = [model.window(np.zeros((8, 8), np.float32))] * 3
    readings = model.read_windows(windows, [(8, 8)] * 3, [{"age": 30}, {}, {"age": 70, "sex": "F"}])
    assert [reading.image_probabilities[1] for reading in readings] == pytest.approx([0.3, 0, 0.7])
    assert [r.image_probabilities[1] for r in model.read_windows(windows, [(8, 8)] * 3)] == [0, 0, 0]
