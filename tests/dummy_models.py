"""A classifier and a segmenter that know nothing but ``runtime.protocols``, and exports of them.

They stand for the kinds of model that segtumor does not have yet: what works for them, works for those.
"""

import dataclasses
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from segtumor.runtime import export_kinds
from segtumor.runtime.contract import Preprocessing
from segtumor.runtime.exported import file_names, write_manifest
from segtumor.runtime.predictor import Predictor, Windowing
from segtumor.structures.postprocessing import Postprocessing

NAMES = ("benign", "malignant")
#: A window whose mean is above is a tumour, the whiter the more.
BRIGHT = 0.35


class Brightness:
    """A classifier: the brighter the picture, the more malignant."""

    def classify(self, windows):
        means = [float(window.mean()) for window in windows]
        return [(1 - mean, mean / 4, 3 * mean / 4) for mean in means]


class Threshold:
    """A segmenter: what is nearly white is malignant, with 0.9, all else is 0.1 benign."""

    def segment(self, windows):
        return [np.stack([np.full_like(window, 0.1), np.where(window > 0.95, 0.9, 0.0)]) for window in windows]


MODELS = {"brightness": Brightness, "threshold": Threshold}


def predictor_of(model, short_edge_px=64):
    windowing = Windowing(short_edge_px=short_edge_px, max_long_edge_px=512, window_percentiles=(0.5, 99.5))
    return Predictor(model, class_names=NAMES, windowing=windowing, settings=Postprocessing())


@dataclass(frozen=True)
class DummyContract:
    """Only what every contract has."""

    class_names: tuple
    confidence_threshold: float
    preprocessing: Preprocessing
    postprocessing: dict

    def as_dict(self):
        return dataclasses.asdict(self)


CONTRACT = DummyContract(
    NAMES,
    BRIGHT,
    Preprocessing(64, 512, (0.5, 99.5), 10**7, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 0),
    dataclasses.asdict(Postprocessing()),
)


def _read_contract(values, where):
    preprocessing = Preprocessing(**values["preprocessing"])
    return DummyContract(
        tuple(values["class_names"]), values["confidence_threshold"], preprocessing, values["postprocessing"]
    )


def register(name):
    """Make a dummy known to exports, as a package with a model of its own would."""
    kind = export_kinds.ExportKind(
        graphs=("whole",),
        read_contract=_read_contract,
        load_graphs=lambda folder, format_name, contract, threads: SimpleNamespace(
            describe=lambda: {"runtime": "dummy", "version": "1", "threads": threads}
        ),
        as_model=lambda graphs, contract: MODELS[name](),
    )
    export_kinds.register(name, kind)
    return kind


def write_export(folder, name, *, synthetic=False):
    """An export of a dummy, whose kind is registered; its folder."""
    folder.mkdir()
    (graph,) = file_names("onnx", register(name))
    (folder / graph).write_bytes(b"nothing that could be loaded")
    write_manifest(
        folder,
        format_name="onnx",
        precision="float32",
        contract=CONTRACT,
        source={"weights_sha256": "ab", "training_data": {"synthetic": synthetic}},
        made_with={},
        parity={},
        model_kind=name,
    )
    return folder
