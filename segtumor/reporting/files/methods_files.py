"""The files of several methods on the same images: ``methods.csv`` and ``.md``, ``classes.csv``, two pictures.

Not here: measuring (``segtumor.evaluation.comparison.methods``).
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from segtumor import NOTICE
from segtumor.evaluation.comparison.methods import MethodResult, defined_estimates
from segtumor.evaluation.study.class_table import ACCURACY, ClassRow
from segtumor.evaluation.study.values import Estimate
from segtumor.reporting.figures.canvas import png_bytes
from segtumor.reporting.figures.confusion import confusions_figure
from segtumor.reporting.figures.methods import methods_figure
from segtumor.reporting.files.outputs import Content, Table, write_files
from segtumor.reporting.words.estimates import number_text, spread_text
from segtumor.texts import UNDEFINED, is_undefined, markdown_table, markdown_text, percent_text

#: What ``write_methods`` writes.
METHODS_FILES = ("methods.csv", "classes.csv", "methods.png", "confusions.png", "methods.md")
_OF_ESTIMATES = ("name", "label", "unit", "value", "low", "high", "method", "n", "n_cases", "in_percent")
_CLASS_COLUMNS = ("model", "name", "precision", "recall", "f1", "n_true", "n_called")


def write_methods(methods: Sequence[MethodResult], folder: str | Path, *, level: float) -> list[Path]:
    """Write tables and pictures of methods; returns the paths.

    Args:
        level: of the intervals, for the headings.

    Raises:
        OutputError: a file cannot be written.
    """
    estimates = [
        {"model": m.name, **{name: getattr(e, name) for name in _OF_ESTIMATES}} for m in methods for e in m.estimates
    ]
    classes = [{"model": m.name, **dataclasses.asdict(row)} for m in methods for row in m.class_rows]
    matrices = [(m.name, m.class_names, m.confusion) for m in methods]
    contents: dict[str, Content] = {
        "methods.csv": Table(estimates, ("model", *_OF_ESTIMATES)),
        "classes.csv": Table(classes, _CLASS_COLUMNS),
        "methods.png": png_bytes(lambda: methods_figure(methods, level=percent_text(level))),
        "confusions.png": png_bytes(lambda: confusions_figure(matrices, unit="images", side_by_side=True)),
        "methods.md": "\n".join(_lines(methods, percent_text(level))),
    }
    return write_files(folder, contents)


def _lines(methods: Sequence[MethodResult], level: str) -> Iterator[str]:
    names = [markdown_text(method.name) for method in methods]
    yield from ("# Methods compared", "")
    yield f"Value ({level} interval, cases resampled) of each alone; differences are to be read in comparison.md."
    yield ""
    rows = [(f"{row[0].label}, `{row[0].name}`", *map(_cell, row)) for row in defined_estimates(methods)]
    yield from (*markdown_table(("metric", *names), rows), "")
    yield from ("## Images by class", "")
    yield "Precision / recall / F1 of each class, normal included."
    yield ""
    of_classes = zip(*(method.class_rows for method in methods), strict=True)
    cells = [(markdown_text(row[0].name), *map(_class_cell, row), row[0].n_true) for row in of_classes]
    yield from (*markdown_table(("class", *names, "n"), cells), "", NOTICE, "")


def _cell(estimate: Estimate) -> str:
    return UNDEFINED if is_undefined(estimate.value) else f"{number_text(estimate)} ({spread_text(estimate)})"


def _class_cell(row: ClassRow) -> str:
    values = (row.f1,) if row.name == ACCURACY else (row.precision, row.recall, row.f1)
    return " / ".join(map(_text, values))


def _text(value: float) -> str:
    return "–" if is_undefined(value) else f"{value:.3f}"
