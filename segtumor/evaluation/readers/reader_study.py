"""A model and readers together: who agrees with whom, who calls what, who misses what, and how long it takes.

Of patients, by the call that sensitivity and specificity go by (``Calls.judged``): where a tumour must be located, a
patient whose tumour was marked elsewhere counts as not found. Each pair is compared on the images that both read. Not
here: the metrics of each (``comparison``) and tests for all readers at once (``crossed``).
Letters: C patients, K classes.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segtumor.annotations.reader_marks import CASE_LABELS, ReaderMarks
from segtumor.arrays import Bools, Ints
from segtumor.evaluation.readers.raters import Panel, RatedPatients, Rater, read_by_all
from segtumor.statistics.agreement import kappa, kappa_interval
from segtumor.statistics.hypothesis import mcnemar
from segtumor.statistics.interval import Interval, TestResult
from segtumor.taxonomy import NORMAL

TUMOR, CLASS = "tumour", "class"
MISSED, FALSE_ALARMS = "missed tumours", "false alarms"
ALL_READERS, ANY_READER = "all readers", "at least one reader"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Two raters on the same patients.

    Attributes:
        of: TUMOR, plain kappa of tumour or not; CLASS, kappa with linear weights in the order of the classes.
        n: patients.
        observed: proportion of equal calls.
        kappa: NaN where both know one answer only.
    """

    of: str
    first: str
    second: str
    n: int
    observed: float
    kappa: float
    interval: Interval


@dataclass(frozen=True)
class RaterConfusion:
    """Patients by truth (rows) and call (columns) of one rater: TUMOR or CLASS; ``counts`` (len(names),) * 2."""

    rater: str
    of: str
    names: tuple[str, ...]
    counts: Ints


@dataclass(frozen=True, kw_only=True)
class ErrorOverlap:
    """Errors of two on the same patients.

    Attributes:
        what: MISSED, of patients with a tumour; FALSE_ALARMS, of normal ones.
        n: patients of that kind; the four counts part them.
        test: McNemar, that both err equally often.
    """

    what: str
    first: str
    second: str
    n: int
    both: int
    first_only: int
    second_only: int
    neither: int
    test: TestResult


@dataclass(frozen=True, kw_only=True)
class ReadingTime:
    """Seconds for an image, or for a case where the reader labelled cases; quartiles interpolated linearly."""

    rater: str
    unit: str
    n: int
    median: float
    lower_quartile: float
    upper_quartile: float
    total: float


@dataclass(frozen=True, kw_only=True)
class ReaderStudy:
    """What several raters come to.

    Attributes:
        raters: their names, the model's first.
        cases: a row for each patient that anybody judged: case_id, tumor (the truth), called {name: positive},
            missed_by and false_alarm_by (names).
    """

    raters: tuple[str, ...]
    n_common_images: int
    agreement: tuple[Agreement, ...]
    confusions: tuple[RaterConfusion, ...]
    errors: tuple[ErrorOverlap, ...]
    cases: tuple[Mapping[str, Any], ...]
    times: tuple[ReadingTime, ...]


def reader_study(
    panel: Panel, marks: Iterable[ReaderMarks], model_seconds: Mapping[int, float], *, level: float = 0.95
) -> ReaderStudy:
    """Everything about the raters of a Panel.

    Args:
        marks: of the readers, for their reading times.
        model_seconds: {image id: seconds}, as far as the predictions say.
    """
    pairs = list(itertools.combinations(panel.raters, 2))
    return ReaderStudy(
        raters=tuple(rater.name for rater in panel.raters),
        n_common_images=len(panel.common_ids),
        agreement=tuple(row for pair in pairs for row in _agreement(panel, *pair, level)),
        confusions=tuple(table for rater in panel.raters for table in _confusions(panel, rater)),
        errors=(*(row for pair in pairs for row in _overlap_of(panel, *pair)), *_overlap_with_readers(panel)),
        cases=tuple(_case_rows(panel)),
        times=tuple(_times(panel, list(marks), model_seconds)),
    )


def _agreement(panel: Panel, first: Rater, second: Rater, level: float) -> Iterator[Agreement]:
    sides = _on_common_images(panel, first, second)
    if sides is None:
        return
    one, other = (side.calls for side in sides)
    given = {TUMOR: (one.judged.astype(np.int64), other.judged.astype(np.int64), 2, "none")}
    if first.with_classes and second.with_classes:
        given[CLASS] = (one.predicted_class, other.predicted_class, len(one.names), "linear")
    for of, (rows, columns, size, weights) in given.items():
        table = np.zeros((size, size), dtype=np.int64)
        np.add.at(table, (rows, columns), 1)
        yield Agreement(
            of=of,
            first=first.name,
            second=second.name,
            n=len(rows),
            observed=float(np.mean(rows == columns)),
            kappa=float(kappa(table, weights=weights)),
            interval=kappa_interval(table, weights=weights, level=level),
        )


def _on_common_images(panel: Panel, *raters: Rater) -> list[RatedPatients] | None:
    """The patients of the images that all read; None if there are none."""
    ids = read_by_all(raters)
    return [panel.patients(rater, ids) for rater in raters] if ids else None


def _confusions(panel: Panel, rater: Rater) -> Iterator[RaterConfusion]:
    calls = panel.patients(rater).calls
    counts = np.zeros((2, 2), dtype=np.int64)
    np.add.at(counts, (calls.tumor.astype(np.int64), calls.judged.astype(np.int64)), 1)
    yield RaterConfusion(rater.name, TUMOR, (NORMAL, TUMOR), counts)
    if rater.with_classes:
        yield RaterConfusion(rater.name, CLASS, calls.names, calls.confusion)


def _overlap_of(panel: Panel, first: Rater, second: Rater) -> Iterator[ErrorOverlap]:
    sides = _on_common_images(panel, first, second)
    if sides is not None:
        one, other = (side.calls for side in sides)
        yield from _overlaps(first.name, second.name, one.tumor, one.judged != one.tumor, other.judged != one.tumor)


def _overlap_with_readers(panel: Panel) -> Iterator[ErrorOverlap]:
    """The model beside its readers taken together, on what everybody read."""
    if panel.model is None or len(panel.readers) < 2 or not panel.common_ids:
        return
    model = panel.patients(panel.model, panel.common_ids).calls
    wrong = np.array([panel.patients(reader, panel.common_ids).calls.judged != model.tumor for reader in panel.readers])
    together: Mapping[str, Callable[..., Any]] = {ALL_READERS: np.all, ANY_READER: np.any}
    for name, of in together.items():
        yield from _overlaps(panel.model.name, name, model.tumor, model.judged != model.tumor, of(wrong, axis=0))


def _overlaps(first: str, second: str, tumor: Bools, first_wrong: Bools, second_wrong: Bools) -> Iterator[ErrorOverlap]:
    for what, counted in ((MISSED, tumor), (FALSE_ALARMS, ~tumor)):
        one, other = first_wrong[counted], second_wrong[counted]
        first_only, second_only = int(np.sum(one & ~other)), int(np.sum(other & ~one))
        yield ErrorOverlap(
            what=what,
            first=first,
            second=second,
            n=int(np.sum(counted)),
            both=int(np.sum(one & other)),
            first_only=first_only,
            second_only=second_only,
            neither=int(np.sum(~one & ~other)),
            test=mcnemar(second_only, first_only),
        )


def _case_rows(panel: Panel) -> Iterator[dict[str, Any]]:
    by_case: dict[str, dict[str, Any]] = {}
    for rater in panel.raters:
        rated = panel.patients(rater)
        for name, tumor, positive in zip(rated.case_ids, rated.calls.tumor, rated.calls.judged, strict=True):
            row = by_case.setdefault(name, {"case_id": name, "tumor": False, "called": {}})
            row["tumor"] |= bool(tumor)  # of a patient of whom somebody read some views only
            row["called"][rater.name] = bool(positive)
    for row in by_case.values():
        wrong = [name for name, positive in row["called"].items() if positive != row["tumor"]]
        yield {**row, "missed_by": wrong if row["tumor"] else [], "false_alarm_by": [] if row["tumor"] else wrong}


def _times(panel: Panel, marks: Sequence[ReaderMarks], model_seconds: Mapping[int, float]) -> Iterator[ReadingTime]:
    if panel.model is not None:
        seconds = [model_seconds[image_id] for image_id in panel.model.results if image_id in model_seconds]
        if seconds:
            yield _time(panel.model.name, "images", seconds)
    for reader in marks:
        if reader.times:
            unit = "cases" if reader.kind == CASE_LABELS else "images"
            yield _time(reader.full_name, unit, [timed.seconds for timed in reader.times])


def _time(name: str, unit: str, seconds: Sequence[float]) -> ReadingTime:
    low, middle, high = np.quantile(seconds, [0.25, 0.5, 0.75]).tolist()
    total = float(np.sum(seconds))
    return ReadingTime(
        rater=name, unit=unit, n=len(seconds), median=middle, lower_quartile=low, upper_quartile=high, total=total
    )
