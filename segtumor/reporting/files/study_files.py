"""Writing a study: ``report.html`` and the tables behind it as CSV.

Each file is written atomically; undefined values are empty cells. Not here: ``metrics.json`` and the rows of lesions
and images (``evaluation_report``).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segtumor.files import prepare_output_folder, remove_files, write_csv, write_text
from segtumor.reporting.files.evaluation_report import refuse_run_folder, write_evaluation
from segtumor.runs import REPORT

_ESTIMATE_COLUMNS = (
    *("name", "label", "group", "unit", "value", "low", "high", "method", "n", "successes", "n_cases", "n_defined"),
    *("wilson_low", "wilson_high", "higher_is_better", "in_percent"),
)
_SUBGROUP_COLUMNS = ("field", "level", *_ESTIMATE_COLUMNS)
_TEST_COLUMNS = ("field", "measure", "test", "statistic", "p_value", "p_holm", "n_groups", "note")
_CURVES = ("roc_image", "roc_patient", "pr_image", "pr_patient", "froc", "reliability", "reliability_patient")
_CONFUSIONS = ("image_class", "patient_class")
#: What a study writes, the page first, which must not outlive the rest.
_NAMES = (
    *(REPORT, "estimates.csv", "subgroups.csv", "tests.csv", "per_case.csv"),
    *(f"curve_{name}.csv" for name in _CURVES),
    *(f"confusion_{name}.csv" for name in _CONFUSIONS),
)
_RELIABILITY_COLUMNS = ("bin_low", "bin_high", "mean_probability", "observed", "count")


def write_study(
    study,
    folder,
    *,
    provenance,
    examples: Sequence[Mapping[str, Any]] = (),
    extra_tables: Sequence[tuple] = (),
    title: str = "Evaluation",
    evaluation: Mapping[str, Any] | None = None,
):
    """Write the page and tables of a study into ``folder``.

    ``estimates.csv``, ``subgroups.csv``, ``tests.csv`` and ``per_case.csv``; each curve as ``curve_<name>.csv`` and
    each confusion matrix as ``confusion_<name>.csv``; ``report.html``, which comes last and stands for the others.
    Those that an earlier study left in the folder are deleted when all is drawn and nothing written.

    Args:
        study: a Study.
        folder: created if needed.
        provenance, examples, extra_tables, title: as for ``study_page``.
        evaluation: arguments of ``write_evaluation`` beside the study's own, to write its files as well; None: not.

    Returns:
        list of the paths written, the page last.

    Raises:
        ConfigError, DataError: as ``write_evaluation``.
        OutputError: a file cannot be written.
    """
    from segtumor.reporting.pages.study_page import study_page  # matplotlib takes half a second to import

    page = study_page(study, title=title, provenance=provenance, examples=examples, extra_tables=extra_tables)
    tables = {**_main_tables(study), **_curve_tables(study), **_confusion_tables(study)}
    folder = prepare_output_folder(folder)
    if evaluation is not None:
        refuse_run_folder(folder)
    remove_files([folder / name for name in _NAMES])
    paths = [] if evaluation is None else write_evaluation(study.evaluation, folder, study=study, **evaluation)
    for name, (rows, columns) in tables.items():
        write_csv(folder / name, [{key: _cell(value) for key, value in row.items()} for row in rows], columns)
    write_text(folder / REPORT, page)
    return [*paths, *(folder / name for name in (*tables, REPORT))]


def _main_tables(study):
    case_columns = list(dict.fromkeys(key for row in study.per_case for key in row)) or ["case_id"]
    subgroups = [{"field": s.field, "level": s.level, **dataclasses.asdict(s.estimate)} for s in study.subgroups]
    return {
        "estimates.csv": (list(map(dataclasses.asdict, study.estimates)), _ESTIMATE_COLUMNS),
        "subgroups.csv": (subgroups, _SUBGROUP_COLUMNS),
        "tests.csv": (list(map(dataclasses.asdict, study.tests)), _TEST_COLUMNS),
        "per_case.csv": (study.per_case, case_columns),
    }


def _curve_tables(study):
    return {f"curve_{name}.csv": _curve_table(curve) for name, curve in study.curves.items()}


def _curve_table(curve):
    """Rows and columns of a curve: its arrays side by side, or a reliability diagram's bins."""
    if hasattr(curve, "observed"):
        edges = np.asarray(curve.edges)
        columns = (edges[:-1], edges[1:], curve.mean_probability, curve.observed, curve.counts)
        return _side_by_side(dict(zip(_RELIABILITY_COLUMNS, columns, strict=True)))
    names = ("false_positives_per_image", "false_positive_rate", "recall", "sensitivity", "precision", "thresholds")
    return _side_by_side({name: getattr(curve, name) for name in names if hasattr(curve, name)})


def _side_by_side(columns):
    """Arrays as rows; one that is shorter, as a curve's thresholds may be, ends in empty cells."""
    length = max(len(values) for values in columns.values())
    padded = {
        name: [*np.asarray(values).tolist(), *[None] * (length - len(values))] for name, values in columns.items()
    }
    return [dict(zip(padded, row, strict=True)) for row in zip(*padded.values(), strict=True)], list(padded)


def _confusion_tables(study):
    return {f"confusion_{name}.csv": _confusion_table(*confusion) for name, confusion in study.confusions.items()}


def _confusion_table(names, counts):
    """Rows and columns; a class that is called normal, as the first row is, is told from it by its number."""
    names = [f"{name} (class {i})" if name in names[:i] else name for i, name in enumerate(names)]
    columns = [f"predicted {name}" for name in names]
    rows = [
        {"true": true, **dict(zip(columns, map(int, row), strict=True))}
        for true, row in zip(names, counts, strict=True)
    ]
    return rows, ["true", *columns]


def _cell(value):
    return "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
