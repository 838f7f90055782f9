"""What the tests of several rooms share: a handful of phantoms, and a model small enough to train within a second."""

import gc
import importlib
import importlib.util
import os
import re
from pathlib import Path

import hypothesis
import pytest

from segtumor.synthesis.phantoms import write_phantom_dataset

#: As wide as where there is no terminal: pytest's worker processes set another width.
os.environ["COLUMNS"] = "150"

#: The same examples every time: a test that fails on one machine fails on all.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")

CONFIGS = Path(__file__).parent.parent / "configs"
LONG_FIRST = ("end_to_end", "browser", "command", "model")
_WHOLE_MODULE = re.compile(r"^pytestmark = pytest\.mark\.(model|command)$", re.MULTILINE)

#: On top of configs/tiny_phantoms.yaml: narrower, 64 px, no worker processes, four steps.
TINY_SETTINGS = {
    "MODEL.RESNETS.STEM_OUT_CHANNELS": 8,
    "MODEL.FPN.OUT_CHANNELS": 16,
    "MODEL.ROI_BOX_HEAD.FC_DIM": 16,
    "MODEL.ROI_MASK_HEAD.CONV_DIM": 8,
    "INPUT.MIN_SIZE_TRAIN": [64],
    "INPUT.MIN_SIZE_TEST": 64,
    "DATALOADER.NUM_WORKERS": 0,
    "SOLVER.OPTIMIZER": "SGD",
    "SOLVER.IMS_PER_BATCH": 2,
    "SOLVER.MAX_ITER": 4,
    "SOLVER.WARMUP_ITERS": 1,
    "SOLVER.BASE_LR": 0.001,
    "TEST.EVAL_PERIOD": 4,
}


def _runs(mark, config):
    if mark == "model" and not all(importlib.util.find_spec(package) for package in ("torch", "detectron2")):
        return False
    return not re.search(rf"\bnot {mark}\b", config.option.markexpr)


def pytest_collection_modifyitems(items):
    """Files with long tests first, so that no core waits at the end for a file that another has just begun."""
    rank = {}
    for item in items:
        marks = [place for place, mark in enumerate(LONG_FIRST) if item.get_closest_marker(mark)]
        rank[item.path] = min([rank.get(item.path, len(LONG_FIRST)), *marks])
    items.sort(key=lambda item: rank[item.path])


def pytest_ignore_collect(collection_path, config):
    """Leave out modules that are marked as a whole where they would not run: importing them takes torch, or seconds."""
    is_test = collection_path.suffix == ".py" and collection_path.name.startswith("test_")
    marked = _WHOLE_MODULE.search(collection_path.read_text(encoding="utf-8")) if is_test else None
    if marked is None:
        return None
    if not _runs(marked[1], config):
        return True
    if marked[1] == "command":
        return None
    importlib.import_module("segtumor.compat")  # before any test module imports Detectron2
    importlib.import_module("torch").set_num_threads(1)  # models this small only lose by more
    return None


def pytest_report_header(config):
    return None if _runs("model", config) else "left out: tests marked model (torch and Detectron2)"


def pytest_collection_finish():
    """Thousands of tests, and the modules behind them, are there to the end: the collector need not go through them
    again and again, which took a fifth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def datasets_root(tmp_path_factory):
    """Folder that holds the data set ``phantoms``: 6 training, 4 validation and 2 test images of 96 px."""
    root = tmp_path_factory.mktemp("datasets")
    write_phantom_dataset(root / "phantoms", cases=6, seed=1, size_px=96, fractions=(0.5, 0.25, 0.25))
    return root


@pytest.fixture
def phantoms(datasets_root, monkeypatch):
    """The folder of the phantoms, found by their names phantoms_train, phantoms_val and phantoms_test."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(datasets_root))
    return datasets_root / "phantoms"


@pytest.fixture(scope="session")
def tiny_options():
    """Function of further settings (a dict) -> the tiny model's settings as KEY VALUE texts, for a command line."""

    def options(settings=()):
        return [str(text) for pair in {**TINY_SETTINGS, **dict(settings)}.items() for text in pair]

    return options


@pytest.fixture(scope="session")
def tiny_config_file():
    return CONFIGS / "tiny_phantoms.yaml"


@pytest.fixture(scope="session")
def tiny_config(tiny_options, tiny_config_file):
    """Function of further settings (a dict) -> configuration of the tiny model, not frozen."""
    from segtumor.config import load_config

    return lambda settings=(): load_config(tiny_config_file, tiny_options(settings))


@pytest.fixture(scope="session")
def tiny_run(datasets_root, tmp_path_factory, tiny_options, tiny_config_file):
    """Folder of a finished training of four steps, made by the command; look, but do not write into it."""
    from segtumor.commands import train

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DETECTRON2_DATASETS", str(datasets_root))
        options = tiny_options({"OUTPUT_DIR": folder})
        assert train.main(["--config-file", str(tiny_config_file), *options]) == 0
    return folder
