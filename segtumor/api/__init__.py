"""The Python API: load a model, let it read radiographs, look at what it says, evaluate it.

What is here is what ``import segtumor`` offers by name; everything else may move. Not here: training, exporting and
data sets, which are commands and the rooms behind them.
"""

from segtumor.api.evaluating import evaluate
from segtumor.api.model import Model, load
from segtumor.api.reading import Reading, to_coco
from segtumor.errors import SegtumorError
from segtumor.imaging import Radiograph, read_radiograph
from segtumor.structures.lesions import Finding
from segtumor.structures.readings import Note

#: Slow to import.
_FROM_ELSEWHERE = {
    "Study": "segtumor.evaluation.study.values",
    "StudySettings": "segtumor.evaluation.facts.settings",
}


def __getattr__(name: str) -> object:
    if name not in _FROM_ELSEWHERE:
        raise AttributeError(f"module 'segtumor.api' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_FROM_ELSEWHERE[name]), name)


__all__ = [
    "Finding",
    "Model",
    "Note",
    "Radiograph",
    "Reading",
    "SegtumorError",
    "Study",
    "StudySettings",
    "evaluate",
    "load",
    "read_radiograph",
    "to_coco",
]
