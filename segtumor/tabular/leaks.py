"""Columns of a table that give the answer away: whether a value is there, or what it is, tells tumour from normal.

Of BTXRD's normal radiographs the site is never filled in: a model that is given the site has nothing left to look at.
Measured is how well a column alone separates the training rows, as area under the ROC curve: of missing or not; and of
the proportion of tumours that ``categories.out_of_fold_rates`` foretells from its value, numbers in tenths; the areas
within the folds are averaged, since proportions of different folds cannot be ranked together. Columns are judged one by
one; what several of them give away together is not seen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segtumor.arrays import Bools, Floats, Ints
from segtumor.errors import ConfigError
from segtumor.statistics.roc import aucs
from segtumor.tabular.categories import out_of_fold_rates
from segtumor.tabular.encoder import ColumnPlan, Context
from segtumor.tabular.values import FOLDS, joined, number_of, parts_of, value_in

#: From this area under the curve on, a column is refused.
LARGEST_AUC = 0.95
_TENTHS = np.arange(1, 10) / 10


@dataclass(frozen=True)
class ColumnReport:
    """How well one column tells tumour from normal.

    Attributes:
        name: of the column.
        n_normal, n_tumor: training rows.
        missing_normal, missing_tumor: of them without a value.
        auc_missing: of "missing" as an answer, whichever way round, [0.5, 1]; NaN where all rows are of one kind.
        auc_value: of what the value foretells, missing being a value, [0, 1]; likewise.
    """

    name: str
    n_normal: int
    n_tumor: int
    missing_normal: int
    missing_tumor: int
    auc_missing: float
    auc_value: float

    @property
    def leaks(self) -> bool:
        """Whether the column (nearly) determines the answer."""
        return max(self.auc_missing, self.auc_value) >= LARGEST_AUC

    def __str__(self) -> str:
        missing = f"missing in {self.missing_normal} of {self.n_normal} normal images"
        missing += f" and {self.missing_tumor} of {self.n_tumor} with a tumour"
        return f"{self.name}: {missing}, AUC {self.auc_missing:.2f}; AUC of its values {self.auc_value:.2f}"


def report_column(
    plan: ColumnPlan, rows: Sequence[Context], positive: Sequence[bool | None], folds: Sequence[int]
) -> ColumnReport:
    """How well a column tells tumour from normal among training rows; arguments as ``encoder.fit_table``."""
    known = [(row, p, fold) for row, p, fold in zip(rows, positive, folds, strict=True) if p is not None]
    truth = np.array([p for _, p, _ in known], dtype=bool)
    values = _as_categories(plan, [value_in(row, plan.name) for row, _, _ in known])
    missing = np.array([not value for value in values], dtype=bool)
    categories = sorted(set(values))
    by_fold = out_of_fold_rates(values, truth.tolist(), [fold for *_, fold in known], categories, smoothing=1.0)
    place = {category: index for index, category in enumerate(categories)}
    foretold = [by_fold[fold, place[value]] for value, (*_, fold) in zip(values, known, strict=True)]
    auc_missing = _auc(missing.astype(float), truth)
    return ColumnReport(
        name=plan.name,
        n_normal=int((~truth).sum()),
        n_tumor=int(truth.sum()),
        missing_normal=int((missing & ~truth).sum()),
        missing_tumor=int((missing & truth).sum()),
        auc_missing=max(auc_missing, 1 - auc_missing),
        auc_value=_mean_auc(np.array(foretold), truth, np.array([fold for *_, fold in known])),
    )


def refuse_leaks(reports: Sequence[ColumnReport], *, allowed: Sequence[str], where: str, override: str) -> None:
    """Refuse columns that give the answer away.

    Args:
        allowed: names of columns that are taken all the same.
        where: the key that names the columns.
        override: the key that holds ``allowed``.

    Raises:
        ConfigError: names the columns, with the numbers.
    """
    leaking = [report for report in reports if report.leaks and report.name not in allowed]
    if leaking:
        names = ", ".join(report.name for report in leaking)
        raise ConfigError(
            f"a column gives the answer away on the training part: {'; '.join(map(str, leaking))}",
            where=where,
            expected=f"areas under the ROC curve below {LARGEST_AUC}",
            remedy="Leave the column out, fill it in for normal images too, or, to take it all the same, set"
            f' {override} "[{names}]"',
        )


def _as_categories(plan: ColumnPlan, values: Sequence[object]) -> list[str]:
    """Categories as text, "" for missing; numbers as the tenth of the training rows that they lie in."""
    if not plan.is_number:
        return [joined(parts_of(value)) for value in values]
    numbers = [number_of(value) for value in values]
    known = [number for number in numbers if number is not None]
    limits = np.quantile(known, _TENTHS) if known else _TENTHS
    return ["" if number is None else str(np.searchsorted(limits, number)) for number in numbers]


def _mean_auc(scores: Floats, truth: Bools, folds: Ints) -> float:
    """The mean of the areas within the folds, each weighted by its pairs of a normal image and one with a tumour."""
    parts = [folds == fold for fold in range(FOLDS)]
    found = [(_auc(scores[part], truth[part]), int(truth[part].sum()) * int((~truth[part]).sum())) for part in parts]
    pairs = sum(count for _, count in found)
    return sum(auc * count for auc, count in found if count) / pairs if pairs else math.nan


def _auc(scores: Floats, truth: Bools) -> float:
    if truth.all() or not truth.any():
        return math.nan
    return float(aucs(scores, truth, np.ones((1, len(truth))))[0])
