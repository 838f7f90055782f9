"""Checks of rates: what follows from a printed confusion matrix, or from the other printed rates."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from segtumor.errors import DataError
from segtumor.literature.claims.outcome import FAILS, HOLDS, NOT_PRINTED, UNKNOWN, Outcome, compare
from segtumor.literature.printed_numbers import ROUNDED, Printed
from segtumor.statistics import agreement, rates

_Rates = Mapping[str, Callable[..., Any]]

#: Rates of a binary table: name -> function of its counts.
_BINARY: _Rates = {
    "accuracy": lambda tp, fp, fn, tn: rates.accuracy(tp=tp, fp=fp, fn=fn, tn=tn),
    "sensitivity": lambda tp, fp, fn, tn: rates.sensitivity(tp=tp, fn=fn),
    "specificity": lambda tp, fp, fn, tn: rates.specificity(tn=tn, fp=fp),
    "ppv": lambda tp, fp, fn, tn: rates.ppv(tp=tp, fp=fp),
    "npv": lambda tp, fp, fn, tn: rates.npv(tn=tn, fn=fn),
    "f1": lambda tp, fp, fn, tn: rates.f1(tp=tp, fp=fp, fn=fn),
    "f1_negative": lambda tp, fp, fn, tn: rates.f1(tp=tn, fp=fn, fn=fp),
    "mcc": lambda tp, fp, fn, tn: rates.mcc(tp=tp, fp=fp, fn=fn, tn=tn),
    "balanced_accuracy": lambda tp, fp, fn, tn: rates.balanced_accuracy(tp=tp, fp=fp, fn=fn, tn=tn),
    "kappa": lambda tp, fp, fn, tn: agreement.kappa([[tp, fn], [fp, tn]]),
}
_WHOLE_TABLE: _Rates = {
    "accuracy": rates.overall_accuracy,
    "macro_recall": rates.macro_recall,
    "macro_precision": rates.macro_precision,
    "macro_f1": rates.macro_f1,
    "mcc": rates.multiclass_mcc,
    "kappa": agreement.kappa,
    "kappa_linear": lambda table: agreement.kappa(table, weights="linear"),
    "kappa_quadratic": lambda table: agreement.kappa(table, weights="quadratic"),
    "weighted_f1": lambda table: _weighted_f1(table),
}
_OF_A_CLASS: _Rates = {
    "recall": lambda hit, row, column: hit / row if row else math.nan,
    "precision": lambda hit, row, column: hit / column if column else math.nan,
    "f1": lambda hit, row, column: 2 * hit / (row + column) if row + column else math.nan,
}


def binary_rate(*, rate: str, tp: int, fp: int, fn: int, tn: int, printed: Printed | None = None) -> Outcome:
    """A rate of a binary table of counts."""
    value = float(_known(_BINARY, rate)(tp, fp, fn, tn))
    return compare(printed, value, source=f"TP {tp}, FP {fp}, FN {fn}, TN {tn}")


def table_rate(
    *, rate: str, table: Sequence[Sequence[int]], printed: Printed | None = None, of_class: int | None = None
) -> Outcome:
    """A rate of a confusion matrix (rows true), of all classes or of the class at position ``of_class``."""
    n = sum(map(sum, table))
    if of_class is None:
        return compare(printed, float(_known(_WHOLE_TABLE, rate)(table)), source=f"the table of {n}")
    if of_class >= len(table):
        raise DataError("of_class is no row of the table", got=of_class, expected=f"0 to {len(table) - 1}")
    value = _known(_OF_A_CLASS, rate)(*_of_class(table, of_class))
    return compare(printed, value, source=f"the table of {n}")


def swapped_rate(*, printed: Printed, table: Sequence[Sequence[int]], of_class: int) -> Outcome:
    """A printed recall of a class is its recall, not its precision."""
    if of_class >= len(table) or 0 in _of_class(table, of_class)[1:]:
        raise DataError("the class is not in the table, or was never predicted", got=of_class)
    hit, row, column = _of_class(table, of_class)
    recall, precision = hit / row, hit / column
    swapped = f"it is the precision, {hit}/{column}" if printed.agreement(precision) == ROUNDED else ""
    return compare(printed, recall, source=f"recall {hit}/{row}", why_not=swapped)


def f1_of_rates(*, printed: Printed, precision: Printed, recall: Printed) -> Outcome:
    """F1 of printed precision and recall, over all values that round to these."""
    low, high = (_harmonic(precision.low, recall.low), _harmonic(precision.high, recall.high))
    source = f"2PR/(P+R) of {precision.text} and {recall.text}"
    return compare(
        printed,
        low,
        high,
        source=source,
        shown=_harmonic(precision.value, recall.value),
        why_not="only F1 averaged over classes could differ",
    )


def class_mean(*, printed: Printed, values: Sequence[Printed]) -> Outcome:
    """A printed mean over classes, over all values that round to the printed ones."""
    low, high = (sum(getattr(v, side) for v in values) / len(values) for side in ("low", "high"))
    shown = sum(v.value for v in values) / len(values)
    return compare(printed, low, high, source=f"the mean of {', '.join(v.text for v in values)}", shown=shown)


def difference(*, printed: Printed, first: Printed, second: Printed) -> Outcome:
    """A printed difference of two printed numbers, over all values that round to these."""
    low, high = first.low - second.high, first.high - second.low
    source = f"{first.text} less {second.text}"
    return compare(printed, low, high, source=source, shown=first.value - second.value)


def one_prevalence(*, models: Mapping[str, Sequence[Printed]], reference: str) -> Outcome:
    """All models were tested on one set: the share of positives that accuracy, precision and recall imply is the same.

    Args:
        models: {name: [accuracy, precision, recall]}.

    Binary and not averaged over classes is assumed; the sentence says so.
    """
    if reference not in models:
        raise DataError("the reference is none of the models", got=reference, expected=", ".join(models))
    centre = {name: implied_prevalence(*(p.value for p in row)) for name, row in models.items()}
    spans = {name: _prevalence_range(*row) for name, row in models.items()}
    others = [value for name, value in centre.items() if name != reference]
    text = f"{centre[reference]:.3f} for {reference}, {min(others):.3f} to {max(others):.3f} for the others"
    one = max(low for low, _ in spans.values()) <= min(high for _, high in spans.values())
    why = "accuracy, precision and recall, if of two classes, imply "
    why += "one share of positives" if one else "different shares of positives: not one test set"
    return Outcome("one test set", text, HOLDS if one else FAILS, why)


def prevalence(*, accuracy: Printed, precision: Printed, recall: Printed) -> Outcome:
    """The share of positives that three printed rates imply, if of two classes; impossible outside 0 to 1."""
    share = implied_prevalence(accuracy.value, precision.value, recall.value)
    text = f"{accuracy.text}, {precision.text}, {recall.text}"
    if math.isnan(share) or not 0 <= share <= 1:
        return Outcome(text, f"{share:.3f}", FAILS, "no two-class test set has this accuracy, precision and recall")
    return Outcome(
        NOT_PRINTED,
        f"{share:.3f}",
        UNKNOWN,
        f"share of positives implied by {text}, if of two classes and not averaged",
    )


def implied_prevalence(accuracy: float, precision: float, recall: float) -> float:
    """Share of positives: (1 - accuracy) / ((1 - recall) + recall (1 - precision) / precision); NaN if undefined."""
    if precision <= 0:
        return math.nan
    errors_per_positive = (1 - recall) + recall * (1 - precision) / precision
    return (1 - accuracy) / errors_per_positive if errors_per_positive > 0 else math.nan


def _prevalence_range(accuracy: Printed, precision: Printed, recall: Printed) -> tuple[float, float]:
    corners = itertools.product(*((p.low, p.high) for p in (accuracy, precision, recall)))
    shares = [implied_prevalence(*corner) for corner in corners]
    return min(shares), max(shares)


def _known(functions: _Rates, rate: str) -> Callable[..., Any]:
    if rate not in functions:
        raise DataError("no such rate here", got=rate, expected=", ".join(functions))
    return functions[rate]


def _of_class(table: Sequence[Sequence[int]], position: int) -> tuple[int, int, int]:
    """Hits, true members and predicted members of one class."""
    return table[position][position], sum(table[position]), sum(row[position] for row in table)


def _weighted_f1(table: Sequence[Sequence[int]]) -> float:
    members = [sum(row) for row in table]
    scores = [_OF_A_CLASS["f1"](*_of_class(table, i)) for i in range(len(table))]
    return float(sum(m * f for m, f in zip(members, scores, strict=True)) / sum(members))


def _harmonic(first: float, second: float) -> float:
    return 2 * first * second / (first + second) if first + second else math.nan
