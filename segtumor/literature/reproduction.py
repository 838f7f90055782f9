"""A classifier study beside runs of ours that repeat it: its table of classes, each model a column.

What is printed comes from the confusion matrices of the source (``Entry.confusions``), what is ours from a Study. Not
here: training (``commands.benchmark.reproduce``), several models compared with tests (``evaluation.comparison``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtumor.arrays import Ints
from segtumor.evaluation.study.class_table import ACCURACY, ClassRow, class_rows
from segtumor.evaluation.study.values import Study
from segtumor.files import prepare_output_folder, write_bytes, write_csv, write_text
from segtumor.literature.entry import Entry
from segtumor.reporting.figures.canvas import png_bytes
from segtumor.reporting.figures.confusion import class_confusion_figure
from segtumor.reporting.figures.curves import roc_figure
from segtumor.reporting.words.estimates import interval_text, number_text
from segtumor.statistics.proportions import wilson
from segtumor.texts import UNDEFINED, is_undefined, markdown_table

_NOT_DEFINED = "–"
_COLUMNS = ("model", "name", "precision", "recall", "f1", "n_true", "n_called")


@dataclass(frozen=True)
class Column:
    """One model, printed or ours.

    Attributes:
        title: of its column.
        names: K + 1 classes, normal first.
        counts: (K + 1, K + 1) images, rows true, columns called.
        auc: area under the ROC curve, tumour or not, as text with its interval, or a dash.
        accuracy: of the classes, likewise.
        study: behind a model of ours; None of a printed one.
    """

    title: str
    names: tuple[str, ...]
    counts: Ints
    accuracy: str
    auc: str = _NOT_DEFINED
    study: Study | None = None

    @property
    def rows(self) -> list[ClassRow]:
        """Of its table of classes."""
        return class_rows(self.names, self.counts)


def printed_columns(entry: Entry) -> list[Column]:
    """The models whose confusion matrix a source prints; the intervals are Wilson's, from the counts."""
    columns = []
    for confusion in entry.confusions:
        counts = np.array(confusion.counts, dtype=np.int64)
        right, n = int(np.trace(counts)), int(counts.sum())
        low, high = wilson(right, n).low, wilson(right, n).high
        auc = (r.value for r in entry.results if r.metric == "image_auc" and r.model == confusion.model)
        accuracy = f"{right / n:.3f} ({low:.3f} to {high:.3f})"
        title = f"{entry.short}, {confusion.model}"
        columns.append(Column(title, confusion.classes, counts, accuracy, next(auc, _NOT_DEFINED)))
    return columns


def own_column(title: str, study: Study) -> Column:
    """A model of ours by its Study."""
    names, counts = study.confusions["image_class"]
    known = {estimate.name: estimate for estimate in study.estimates}

    def cell(name: str) -> str:
        estimate = known.get(name)
        if estimate is None or is_undefined(estimate.value):
            return _NOT_DEFINED
        return f"{number_text(estimate)} ({interval_text(estimate)})"

    return Column(title, names, counts, cell("image_class_accuracy"), cell("image_auc"), study)


def comparison_rows(columns: Sequence[Column]) -> tuple[list[str], list[list[str]]]:
    """(header, rows of text): three rows for each class and mean, then accuracy, AUC and number of images.

    Args:
        columns: of the same classes.
    """
    tables = [column.rows for column in columns]
    rows = []
    for of_class in zip(*tables, strict=True):
        name = of_class[0].name
        for field in () if name == ACCURACY else ("precision", "recall", "f1"):
            label = f"{name}, {'F1' if field == 'f1' else field}"
            rows.append([label, *(_share(getattr(row, field)) for row in of_class)])
    rows.append(["accuracy of the classes", *(column.accuracy for column in columns)])
    rows.append(["AUC, tumour or not", *(column.auc for column in columns)])
    rows.append(["images", *(str(int(column.counts.sum())) for column in columns)])
    return ["", *(column.title for column in columns)], rows


def beside(printed: Sequence[Column], ours: Sequence[Column]) -> tuple[list[Column], str | None]:
    """The columns of one table, and a sentence where what is printed is of other classes and therefore left out."""
    fitting = [column for column in printed if column.names == ours[0].names]
    if len(fitting) == len(printed):
        return [*fitting, *ours], None
    theirs, own = ", ".join(printed[0].names), ", ".join(ours[0].names)
    return [*fitting, *ours], f"The printed tables are of other classes ({theirs}) than these ({own}): not beside them."


def write_reproduction(
    entry: Entry, ours: Sequence[Column], folder: str | Path, *, sentences: Sequence[str]
) -> tuple[list[Path], list[str]]:
    """Write ``reproduction.md`` and ``.csv``, ``roc.png`` of ours and a confusion matrix of every model.

    Args:
        ours: at least one, all of the same classes.
        sentences: what a reader must know.

    Returns:
        (paths, lines of the Markdown page).

    Raises:
        OutputError: a file cannot be written.
    """
    folder, printed = prepare_output_folder(folder), printed_columns(entry)
    shown, left_out = beside(printed, ours)
    title = f"# {entry.short}: {entry.citation.get('title', entry.id)}"
    said = [*([left_out] if left_out else []), *sentences]
    lines = [title, "", *markdown_table(*comparison_rows(shown)), "", *(f"- {sentence}" for sentence in said)]
    write_text(folder / "reproduction.md", "\n".join(lines) + "\n")
    write_csv(folder / "reproduction.csv", _csv_rows([*printed, *ours]), _COLUMNS)
    written = [folder / "reproduction.md", folder / "reproduction.csv"]
    for number, column in enumerate([*printed, *ours], start=1):
        written.append(folder / f"confusion_{number}.png")
        write_bytes(written[-1], png_bytes(lambda column=column: _confusion_figure(column)))  # type: ignore[misc]
    written.append(folder / "roc.png")
    write_bytes(written[-1], png_bytes(lambda: roc_figure([_curve_of(c.title, c.study) for c in ours if c.study])))
    return written, lines


def _confusion_figure(column: Column) -> Any:
    figure = class_confusion_figure(column.names, column.counts, unit="images")
    figure.suptitle(f"{column.title}\n{int(np.trace(column.counts))} of {int(column.counts.sum())} right", fontsize=11)
    return figure


def _curve_of(title: str, study: Study) -> tuple[str, Any, tuple[float, float]]:
    known = {estimate.name: estimate.value for estimate in study.estimates}
    at = (1 - known["image_specificity"], known["image_sensitivity"])
    return f"{title}, AUC {known['image_auc']:.3f}", study.curves.get("roc_image"), at


def _csv_rows(columns: Sequence[Column]) -> Iterator[Mapping[str, Any]]:
    for column in columns:
        for row in column.rows:
            yield {"model": column.title, **{name: getattr(row, name) for name in _COLUMNS[1:]}}


def _share(value: float) -> str:
    return UNDEFINED if is_undefined(value) else f"{value:.3f}"
