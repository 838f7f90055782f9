"""The files of a study: ``report.html`` and the tables behind it as CSV.

Not here: ``metrics.json`` and the rows of lesions and images (``evaluation_files``).
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segtumor.evaluation.study.class_table import class_rows
from segtumor.evaluation.study.values import Study
from segtumor.files import remove_files
from segtumor.reporting.files.evaluation_files import refuse_run_folder, write_evaluation
from segtumor.reporting.files.outputs import Content, Table, write_files
from segtumor.reporting.pages.study_page import ExtraTable, study_page
from segtumor.retrieval.index import Index
from segtumor.runs import REPORT

_ESTIMATE_COLUMNS = (
    *("name", "label", "group", "unit", "value", "low", "high", "method", "n", "successes", "n_cases", "n_defined"),
    *("wilson_low", "wilson_high", "higher_is_better", "in_percent"),
)
_SUBGROUP_COLUMNS = ("field", "level", *_ESTIMATE_COLUMNS)
_TEST_COLUMNS = ("field", "measure", "test", "statistic", "p_value", "p_holm", "n_groups", "note")
_CURVES = (
    *("roc_image", "roc_patient", "pr_image", "pr_patient", "froc", "reliability", "reliability_patient"),
    *("referral", "referral_by_uncertainty", "decision"),
)
_CONFUSIONS = ("image_class", "patient_class")
#: What a study writes, the page first, which must not outlive the rest.
_NAMES = (
    *(REPORT, "estimates.csv", "subgroups.csv", "tests.csv", "per_case.csv"),
    *(f"curve_{name}.csv" for name in _CURVES),
    *(f"confusion_{name}.csv" for name in _CONFUSIONS),
    *(f"{name}_table.csv" for name in _CONFUSIONS),
    "stages.csv",
)
_STAGES = ("stage", "n", "accuracy", "precision", "recall", "f1")
_RELIABILITY_COLUMNS = ("bin_low", "bin_high", "mean_probability", "observed", "count")


def write_study(
    study: Study,
    folder: str | Path,
    *,
    provenance: Mapping[str, Mapping[str, Any]],
    examples: Sequence[Mapping[str, Any]] = (),
    extra_tables: Sequence[ExtraTable] = (),
    embedding: Index | None = None,
    title: str = "Evaluation",
    evaluation: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write the page and tables of a study into ``folder``.

    ``estimates.csv``, ``subgroups.csv``, ``tests.csv`` and ``per_case.csv``; each curve as ``curve_<name>.csv`` and
    each confusion matrix as ``confusion_<name>.csv``, with precision, recall and F1 of its classes as
    ``<name>_table.csv``; ``stages.csv`` of models that judge whole images; ``report.html``, which comes last and stands
    for the others.
    Those that an earlier study left in the folder are deleted when all is drawn and nothing written.

    Args:
        provenance, examples, extra_tables, embedding, title: as for ``study_page``.
        evaluation: arguments of ``write_evaluation`` beside the study's own, to write its files as well; None: not.

    Returns:
        the paths written, the page last.

    Raises:
        ConfigError, DataError: as ``write_evaluation``.
        OutputError: a file cannot be written.
    """
    shown: dict[str, Any] = {"examples": examples, "extra_tables": extra_tables, "embedding": embedding}
    page = study_page(study, title=title, provenance=provenance, **shown)
    contents: dict[str, Content] = {
        **_main_tables(study),
        **{f"curve_{name}.csv": _curve_table(curve) for name, curve in study.curves.items()},
        **{f"confusion_{name}.csv": _confusion_table(*confusion) for name, confusion in study.confusions.items()},
        **{f"{name}_table.csv": _class_table(*confusion) for name, confusion in study.confusions.items()},
        **({"stages.csv": Table([dataclasses.asdict(row) for row in study.stages], _STAGES)} if study.stages else {}),
        REPORT: page,
    }
    if evaluation is None:
        return write_files(folder, contents, earlier=_NAMES)
    refuse_run_folder(folder)
    remove_files([Path(folder) / name for name in _NAMES])
    paths = write_evaluation(study.evaluation, folder, study=study, **evaluation)
    return [*paths, *write_files(folder, contents)]


def _main_tables(study: Study) -> dict[str, Table]:
    case_columns = list(dict.fromkeys(key for row in study.per_case for key in row)) or ["case_id"]
    subgroups = [{"field": s.field, "level": s.level, **dataclasses.asdict(s.estimate)} for s in study.subgroups]
    return {
        "estimates.csv": Table(list(map(dataclasses.asdict, study.estimates)), _ESTIMATE_COLUMNS),
        "subgroups.csv": Table(subgroups, _SUBGROUP_COLUMNS),
        "tests.csv": Table(list(map(dataclasses.asdict, study.tests)), _TEST_COLUMNS),
        "per_case.csv": Table(study.per_case, case_columns),
    }


def _curve_table(curve: Any) -> Table:
    """A curve: its arrays side by side, or a reliability diagram's bins."""
    if hasattr(curve, "observed"):
        edges = np.asarray(curve.edges)
        columns = (edges[:-1], edges[1:], curve.mean_probability, curve.observed, curve.counts)
        return _side_by_side(dict(zip(_RELIABILITY_COLUMNS, columns, strict=True)))
    if hasattr(curve, "columns"):
        return _side_by_side(curve.columns)
    names = ("false_positives_per_image", "false_positive_rate", "recall", "sensitivity", "precision", "thresholds")
    return _side_by_side({name: getattr(curve, name) for name in names if hasattr(curve, name)})


def _side_by_side(columns: Mapping[str, ArrayLike]) -> Table:
    """Arrays as rows; one that is shorter, as a curve's thresholds may be, ends in empty cells."""
    rows = itertools.zip_longest(*(np.asarray(values).tolist() for values in columns.values()))
    return Table([dict(zip(columns, row, strict=True)) for row in rows], list(columns))


def _class_table(names: Sequence[str], counts: NDArray[np.int64]) -> Table:
    rows = [dataclasses.asdict(row) for row in class_rows(names, counts)]
    return Table(rows, ["name", "precision", "recall", "f1", "n_true", "n_called"])


def _confusion_table(names: Sequence[str], counts: NDArray[np.int64]) -> Table:
    """A class that is called normal, as the first row is, has its number behind its name."""
    names = [f"{name} (class {i})" if name in names[:i] else name for i, name in enumerate(names)]
    columns = [f"predicted {name}" for name in names]
    rows = [
        {"true": true, **dict(zip(columns, map(int, row), strict=True))}
        for true, row in zip(names, counts, strict=True)
    ]
    return Table(rows, ["true", *columns])
