"""segtumor: bone tumours on radiographs, found, outlined and measured; built on Detectron2.

    import segtumor

    model = segtumor.load("output/demo/run")
    reading = model.read("knee.dcm")
    reading.findings[0].mask                        # (H, W) bool
    reading.draw().save("knee.png")
    segtumor.evaluate("test.json", "predictions.json").to_frame()

Importing the package imports nothing else: what a name needs is imported when the name is used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segtumor.api import (
        Finding,
        Model,
        Note,
        Radiograph,
        Reading,
        SegtumorError,
        Study,
        StudySettings,
        evaluate,
        load,
        read_radiograph,
        to_coco,
    )

__all__ = [
    "NOTICE",
    "Finding",
    "Model",
    "Note",
    "Radiograph",
    "Reading",
    "SegtumorError",
    "Study",
    "StudySettings",
    "__version__",
    "evaluate",
    "load",
    "read_radiograph",
    "to_coco",
]

__version__ = "0.2.0"
#: On every help text, report, page and file that people may take for a diagnosis.
NOTICE = "Research use only. Not a medical device."


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'segtumor' has no attribute {name!r}")
    from segtumor import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
