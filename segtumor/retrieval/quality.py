"""Whether near means alike: how often the nearest images have the query's class, beside chance.

For each query the k nearest images of other cases, one of a case, are looked up (``neighbours``), as a reader would
see them. Queries and neighbours of unknown class are left out.

* Precision at k: proportion of the neighbours that have the query's class. Chance is the proportion of that class
  among the images that could have been found.
* Accuracy: how often the commonest class among the neighbours, of several the nearest one's, is the query's (k nearest
  neighbours as a classifier). Chance is to call every image the commonest class of the index.

Means are over images; intervals resample cases (``statistics.bootstrap``).
Letters: M queries, N images of the index, C cases of queries.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segtumor.arrays import Bools, Floats
from segtumor.errors import DataError
from segtumor.retrieval.index import UNKNOWN, Index, subset
from segtumor.retrieval.neighbours import Neighbours
from segtumor.statistics.bootstrap import case_weights, percentile_interval
from segtumor.statistics.interval import Interval

_RESAMPLES = 2000


@dataclass(frozen=True)
class Retrieval:
    """How good an embedding is for one class of queries, or for all.

    Attributes:
        label: the class; None for all.
        n_images, n_cases: of the queries.
        precision, precision_interval, precision_chance: of the neighbours, [0, 1].
        accuracy, accuracy_interval, accuracy_chance: of the vote, [0, 1].
    """

    label: str | None
    n_images: int
    n_cases: int
    precision: float
    precision_interval: Interval
    precision_chance: float
    accuracy: float
    accuracy_interval: Interval
    accuracy_chance: float


def retrieval(queries: Index, index: Index, *, k: int = 5, seed: int = 0) -> list[Retrieval]:
    """The measures above of all queries, then of those of each class that has any.

    Args:
        queries: of the same model as ``index``; may be the index itself, whose images then look among other cases.
        k: neighbours of each, from 1.

    Raises:
        DataError: a query finds no image of another case.
    """
    queries, index = _known(queries), _known(index)
    neighbours, totals = Neighbours(index), Counter(index.labels)
    by_case: dict[str, Counter[str]] = {}
    for case, label in zip(index.cases, index.labels, strict=True):
        by_case.setdefault(case, Counter())[label] += 1
    commonest = totals.most_common(1)[0][0]
    rows = []
    directions = neighbours.directions_of(queries.embeddings)
    for direction, label, case, name in zip(directions, queries.labels, queries.cases, queries.file_names, strict=True):
        found = [index.labels[row] for row, _ in neighbours.nearest(direction, k, own_cases={case})]
        if not found:
            raise DataError("the index holds no image of another case", where=name, remedy="Add images to the index")
        others = totals - by_case.get(case, Counter())
        precision, chance = found.count(label) / len(found), others[label] / others.total()
        rows.append((precision, chance, vote(found) == label, commonest == label))
    values = np.array(rows, dtype=np.float64)
    labels = np.array(queries.labels)
    chosen = [(None, np.ones(len(labels), dtype=np.bool_)), *((text, labels == text) for text in sorted(set(labels)))]
    return [_measured(label, which, values, np.array(queries.cases), seed) for label, which in chosen]


def vote(labels: Sequence[str]) -> str:
    """The commonest of labels; of several, the one that comes first."""
    return Counter(labels).most_common(1)[0][0]


def _measured(label: str | None, which: Bools, values: Floats, cases: np.ndarray, seed: int) -> Retrieval:
    values, (names, case_of) = values[which], np.unique(cases[which], return_inverse=True)
    weights = case_weights(len(names), _RESAMPLES, rng=np.random.default_rng(seed))
    sizes = weights @ np.bincount(case_of)
    means = values.mean(axis=0)
    intervals = [
        percentile_interval(weights @ np.bincount(case_of, weights=values[:, column]) / sizes) for column in (0, 2)
    ]
    text = None if label is None else str(label)
    return Retrieval(
        *(text, len(values), len(names)),
        *(float(means[0]), intervals[0], float(means[1])),
        *(float(means[2]), intervals[1], float(means[3])),
    )


def _known(index: Index) -> Index:
    rows = [row for row, label in enumerate(index.labels) if label != UNKNOWN]
    if not rows:
        raise DataError("no image of known class", expected="images that are normal or of a class")
    return index if len(rows) == len(index) else subset(index, rows)
