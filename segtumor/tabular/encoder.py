"""Several columns of a table as one vector: planned, fitted on training rows, applied, kept as plain values.

Letters: D features, those of each column, in the order of the columns.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from segtumor.errors import ConfigError
from segtumor.tabular.categories import CATEGORY_ENCODINGS, CategoryColumn, fit_categories
from segtumor.tabular.numbers import (
    IMPUTATIONS,
    MEDIAN,
    MISSING,
    MODE,
    OUTSIDE,
    SCALINGS,
    UNKNOWN,
    NumberColumn,
    fit_numbers,
)
from segtumor.tabular.values import value_in

#: What is known of one image or patient, by the names of columns: fields of a COCO image entry, a row of a table.
Context: TypeAlias = Mapping[str, Any]
Column: TypeAlias = NumberColumn | CategoryColumn
#: Fields that say what an image is, or which one.
_NO_COLUMNS = ("image_label", "annotations", "case_id", "file_name", "id", "image_id")
_PLAN = "a name, an encoding and, for numbers, an imputation: [age, zscore, median]"


@dataclass(frozen=True)
class ColumnPlan:
    """How a column is to be encoded.

    Attributes:
        name: of the column: a field of COCO image entries, or ``age_group``.
        encoding: "minmax" or "zscore" of numbers; "onehot", "label" or "target" of categories.
        imputation: "mean", "median" or "mode" of numbers; of categories the mode.
    """

    name: str
    encoding: str
    imputation: str

    @property
    def is_number(self) -> bool:
        """Whether the column holds numbers."""
        return self.encoding in SCALINGS


def plans_of(columns: Sequence[Any], *, where: str) -> list[ColumnPlan]:
    """The plans in lists such as [age, zscore, median] or [sex, onehot].

    Args:
        where: the key that they are from, for messages.

    Raises:
        ConfigError: another form, an encoding or imputation that there is not, a column that is named twice or that
            is the answer itself.
    """
    plans = [_plan(column, where) for column in columns]
    names = [plan.name for plan in plans]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError("columns are named twice", where=where, got=", ".join(twice))
    return plans


def _plan(column: Any, where: str) -> ColumnPlan:
    if (
        not isinstance(column, (list, tuple))
        or len(column) not in (2, 3)
        or not all(isinstance(x, str) for x in column)
    ):
        raise ConfigError("not a column", where=where, got=column, expected=_PLAN)
    name, encoding, *further = column
    known = (*SCALINGS, *CATEGORY_ENCODINGS)
    if name in _NO_COLUMNS:
        raise ConfigError("this field says what or whose an image is, and is not an input", where=where, got=name)
    if encoding not in known:
        raise ConfigError("unknown encoding", where=f"{where}, {name}", got=encoding, expected=", ".join(known))
    imputations = tuple(IMPUTATIONS) if encoding in SCALINGS else (MODE,)
    imputation = further[0] if further else MEDIAN if encoding in SCALINGS else MODE
    if imputation not in imputations:
        expected = ", ".join(imputations)
        raise ConfigError("unknown imputation", where=f"{where}, {name}", got=imputation, expected=expected)
    return ColumnPlan(name, encoding, imputation)


@dataclass(frozen=True)
class TableEncoder:
    """Fitted columns."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def width(self) -> int:
        """D."""
        return sum(column.width for column in self.columns)

    def features(self, row: Context, fold: int | None = None) -> list[float]:
        """Row -> D numbers; an empty row is that of somebody of whom nothing is known.

        Args:
            fold: ``values.fold_of`` the case of a row that was fitted on, so that its own label is not in the features;
                None for all others.
        """
        encoded = (column.encode(value_in(row, column.name), fold) for column in self.columns)
        return [number for one in encoded for number in one.features]

    def remarks(self, row: Context) -> list[str]:
        """Sentences on what stands in for values that are missing or that the training rows lack, without values."""
        states = {column.name: column.encode(value_in(row, column.name)).state for column in self.columns}
        return [
            sentence.format(", ".join(names))
            for state, sentence in _SENTENCES.items()
            if (names := [name for name, found in states.items() if found == state])
        ]

    def as_dicts(self) -> list[dict[str, Any]]:
        """Plain values for JSON and YAML, a dict for each column."""
        return [_plain(dataclasses.asdict(column)) for column in self.columns]

    @classmethod
    def from_dicts(cls, columns: Any, *, where: str) -> "TableEncoder":
        """What ``as_dicts`` gave; ConfigError, naming ``where``, for anything else."""
        try:
            read = tuple(_column(dict(column)) for column in columns)
            encoder = cls(read)
            encoder.features({}, fold=0)
        except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError) as error:
            remedy = "It is filled in by training: use the config.yaml of the run"
            raise ConfigError("not what training wrote", where=where, got=f"{error!s:.100}", remedy=remedy) from error
        return encoder


_SENTENCES = {
    MISSING: "Not given, the usual value of the training set stands in: {}.",
    OUTSIDE: "Beyond the range of the training set, cut to it: {}.",
    UNKNOWN: "Not among the categories of the training set: {}.",
}


def fit_table(
    plans: Sequence[ColumnPlan], rows: Sequence[Context], positive: Sequence[bool | None], folds: Sequence[int]
) -> TableEncoder:
    """Fit every column on the training rows.

    Args:
        positive: whether each row is of a tumour; None where its class is unknown. For target encoding.
        folds: ``values.fold_of`` the case of each row.

    Raises:
        DataError: a column that is empty, or does not hold what its encoding is for.
    """

    def fitted(plan: ColumnPlan) -> Column:
        values = [value_in(row, plan.name) for row in rows]
        if plan.is_number:
            return fit_numbers(plan.name, values, encoding=plan.encoding, imputation=plan.imputation)
        return fit_categories(plan.name, values, encoding=plan.encoding, positive=positive, folds=folds)

    return TableEncoder(tuple(map(fitted, plans)))


def _column(values: dict[str, Any]) -> Column:
    if values["encoding"] in SCALINGS:
        numbers: dict[str, Any] = {key: v if key in ("name", "encoding") else float(v) for key, v in values.items()}
        return NumberColumn(**numbers)
    if values["encoding"] not in CATEGORY_ENCODINGS:
        raise ValueError(f"encoding {values['encoding']}")
    return CategoryColumn(**{key: _tuples(value) for key, value in values.items()})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
