"""Columns of categories: one-hot, label and target encoding; missing values take the commonest of the training rows.

A column becomes the features of its encoding and, last, 1 where the value was missing (else 0). A value may hold
several categories (two sites): one-hot marks each of them, the others take such a combination as a category of its own.
A category that the training rows lack is marked by no one-hot feature, is -1 as a label, and has the mean of all
training rows as target.

Target encoding (Micci-Barreca, SIGKDD Explorations 3 (2001) 27-32; here with the weight n / (n + m) of the
m-probability estimate): a category becomes the proportion of tumours among its n training rows, drawn to that of all
rows, as if there were m more rows of average. A row's own label must not be in what it is encoded as: rows of fold f
take the proportions of all other folds. Letters: K categories.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segtumor.arrays import Floats
from segtumor.errors import DataError
from segtumor.tabular.numbers import KNOWN, MISSING, UNKNOWN, Encoded
from segtumor.tabular.values import FOLDS, joined, parts_of

ONEHOT, LABEL, TARGET = "onehot", "label", "target"
#: Rows of average that each category is drawn towards the mean by.
SMOOTHING = 10.0
#: A column with more is one of names or numbers of people, not of categories.
MOST_CATEGORIES = 100


def target_rates(
    values: Sequence[Hashable], positive: Sequence[bool], categories: Sequence[Hashable], smoothing: float = SMOOTHING
) -> Floats:
    """(K + 1,) smoothed proportion of positive rows of each category and, last, of all rows; 0.5 without rows.

    Args:
        values: category of each row.
        positive: of each row.
        categories: K of them.
        smoothing: m, 0 or more.
    """
    prior = float(np.mean(positive)) if len(positive) else 0.5
    counts, hits = Counter(values), Counter(v for v, is_hit in zip(values, positive, strict=True) if is_hit)
    weighted = ((hits[c] + smoothing * prior, counts[c] + smoothing) for c in categories)
    return np.array([*(above / below if below else prior for above, below in weighted), prior], dtype=np.float64)


def out_of_fold_rates(
    values: Sequence[Hashable],
    positive: Sequence[bool],
    folds: Sequence[int],
    categories: Sequence[Hashable],
    smoothing: float = SMOOTHING,
) -> Floats:
    """(``FOLDS``, K + 1): line f has the ``target_rates`` of the rows that are not in fold f."""
    rows = list(zip(values, positive, folds, strict=True))
    return np.stack(
        [
            target_rates(*_columns([(v, p) for v, p, fold in rows if fold != left_out]), categories, smoothing)
            for left_out in range(FOLDS)
        ]
    )


def _columns(rows: Sequence[tuple[Hashable, bool]]) -> tuple[list[Hashable], list[bool]]:
    return [value for value, _ in rows], [is_positive for _, is_positive in rows]


@dataclass(frozen=True, kw_only=True)
class CategoryColumn:
    """What the three encodings share.

    Attributes:
        name: of the column.
        encoding: ONEHOT, LABEL or TARGET.
        categories: K of them, sorted.
        fill: the categories that stand in for a missing value.
        rates: (K + 1) as ``target_rates``; of TARGET alone.
        fold_rates: ``FOLDS`` times the same, as ``out_of_fold_rates``.
    """

    name: str
    encoding: str
    categories: tuple[str, ...]
    fill: tuple[str, ...]
    rates: tuple[float, ...] = ()
    fold_rates: tuple[tuple[float, ...], ...] = ()

    @property
    def width(self) -> int:
        """Number of features."""
        return (len(self.categories) if self.encoding == ONEHOT else 1) + 1

    def encode(self, value: object, fold: int | None = None) -> Encoded:
        """Any value -> features and missingness; ``fold``: of a row that was fitted on, for its target encoding."""
        given = parts_of(value)
        parts = given or self.fill
        single = self.encoding != ONEHOT
        names = (joined(parts),) if single else parts
        state = MISSING if not given else KNOWN if set(names) <= set(self.categories) else UNKNOWN
        return Encoded((*_ENCODINGS[self.encoding](self, names, fold), float(not given)), state)


def _one_hot(column: CategoryColumn, names: Sequence[str], _: int | None) -> tuple[float, ...]:
    return tuple(float(category in names) for category in column.categories)


def _label(column: CategoryColumn, names: Sequence[str], _: int | None) -> tuple[float, ...]:
    """Place in alphabetical order, divided so that the last is 1."""
    steps = max(1, len(column.categories) - 1)
    return (column.categories.index(names[0]) / steps if names[0] in column.categories else -1.0,)


def _target(column: CategoryColumn, names: Sequence[str], fold: int | None) -> tuple[float, ...]:
    rates = column.rates if fold is None else column.fold_rates[fold]
    return (rates[column.categories.index(names[0]) if names[0] in column.categories else -1],)


_ENCODINGS: Mapping[str, Callable[[CategoryColumn, Sequence[str], int | None], tuple[float, ...]]] = {
    ONEHOT: _one_hot,
    LABEL: _label,
    TARGET: _target,
}
CATEGORY_ENCODINGS = tuple(_ENCODINGS)


def fit_categories(
    name: str,
    values: Sequence[object],
    *,
    encoding: str,
    positive: Sequence[bool | None] = (),
    folds: Sequence[int] = (),
    smoothing: float = SMOOTHING,
) -> CategoryColumn:
    """Fit a column on the values of the training rows.

    Args:
        encoding: ONEHOT, LABEL or TARGET.
        positive, folds: of each row, for TARGET; rows of unknown class (None) are left out of its proportions.
        smoothing: see ``target_rates``.

    Raises:
        DataError: no row has a value, or more than ``MOST_CATEGORIES`` different ones.
    """
    rows = [parts_of(value) for value in values]
    filled = [parts for parts in rows if parts]
    if not filled:
        raise DataError("no row has a value in this column", where=f"column {name}", remedy="Leave the column out")
    found = {part for parts in filled for part in parts} if encoding == ONEHOT else set(map(joined, filled))
    if len(found) > MOST_CATEGORIES:
        expected = f"at most {MOST_CATEGORIES}"
        remedy = "Leave out columns of names or numbers of people; give numbers to minmax or zscore"
        raise DataError(
            "too many different categories", where=f"column {name}", got=len(found), expected=expected, remedy=remedy
        )
    categories, counts = tuple(sorted(found)), Counter(filled)
    fill = min(counts, key=lambda parts: (-counts[parts], parts))
    column = CategoryColumn(name=name, encoding=encoding, categories=categories, fill=fill)
    if encoding != TARGET:
        return column
    known = [
        (p, bool(is_hit), fold) for p, is_hit, fold in zip(rows, positive, folds, strict=True) if is_hit is not None
    ]
    names, hits, parts_of_rows = (
        [joined(p or fill) for p, _, _ in known],
        [h for _, h, _ in known],
        [f for *_, f in known],
    )
    return CategoryColumn(
        name=name,
        encoding=encoding,
        categories=categories,
        fill=fill,
        rates=tuple(target_rates(names, hits, categories, smoothing).tolist()),
        fold_rates=tuple(
            tuple(line) for line in out_of_fold_rates(names, hits, parts_of_rows, categories, smoothing).tolist()
        ),
    )
