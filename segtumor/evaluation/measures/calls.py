"""Measures of whole images or patients: ROC, sensitivity and their kin, classes, calibration.

All from Calls (``image_level``, ``patient_level``); the names begin with ``image_`` or ``patient_``. Where a tumour
must be located, sensitivity, specificity, accuracy, balanced accuracy and kappa go by that rule (``Calls.judged``), and
their labels say so; all others go by the plain call (``Calls.positive``), for PPV and NPV are of those called positive
and negative, whom the rule would mix up. Class measures leave out units of unknown class. Macro AUC is the mean of one
class against the rest over the classes that both occur and are not the only one.
Letters: B resamples, C cases, N units, K classes (and normal, so K + 1).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from segtumor.arrays import Bools, Floats
from segtumor.evaluation.facts.image_level import Calls
from segtumor.evaluation.measures.measure import (
    CALIBRATION,
    IMAGES,
    PATIENTS,
    LastTwoCache,
    Measure,
    n_holding,
    per_case,
)
from segtumor.statistics import agreement, calibration, rates, roc

N_BINS = 10
_GROUP = {"image": IMAGES, "patient": PATIENTS}
#: (scores (N,), positive (N,), weights (B, N)) -> (B,).
_OverScores = Callable[[Floats, Bools, Floats], Floats]


class MeasureBuilder:
    """Makes the measures of one kind of unit."""

    def __init__(self, calls: Calls) -> None:
        self.calls, self.kind = calls, calls.kind
        self.unit_weights = LastTwoCache(lambda weights: weights[:, calls.case_of])
        self.n_rarer = min(n_holding(kind, calls.case_of) for kind in (calls.tumor, ~calls.tumor))

    def measure(
        self,
        name: str,
        label: str,
        n: int,
        resample: Callable[[Floats], Floats],
        group: str | None = None,
        note: str = "",
        **options: Any,
    ) -> Measure:
        """A Measure of these units."""
        return Measure(
            name=f"{self.kind}_{name}",
            label=f"{label} ({self.kind}s{note})",
            group=group or _GROUP[self.kind],
            unit=f"{self.kind}s",
            n=int(n),
            n_cases=self.calls.n_cases,
            resample=resample,
            **options,
        )


def call_measures(calls: Calls, *, temperature: float | None = None) -> tuple[list[Measure], list[Measure]]:
    """The measures of Calls, in order, and apart those of calibration; ``temperature`` as in StudySettings."""
    builder = MeasureBuilder(calls)
    calibrations = _calibration_measures(builder, calls.score)
    if temperature is not None:
        after = {"ending": "_calibrated", "note": ", after temperature"}
        calibrations += _calibration_measures(builder, calibrated(calls.score, temperature), **after)
    return [*_score_measures(builder), *_binary_measures(builder), *_class_measures(builder)], calibrations


def image_sensitivity(calls: Calls, chosen: Bools) -> Measure:
    """Sensitivity of the images ``chosen`` (N,), all of them with a tumour."""
    builder = MeasureBuilder(calls)
    sums = per_case(np.column_stack([chosen & calls.positive, chosen]), calls.case_of, calls.n_cases)
    hits, n = (round(s) for s in sums.sum(axis=0))
    counts = LastTwoCache(lambda weights: weights @ sums)

    def resample(weights: Floats) -> Floats:
        found, everyone = counts(weights).T
        return np.asarray(rates.sensitivity(found, everyone - found))

    return builder.measure(
        "sensitivity", "sensitivity", n, resample, successes=hits, n_contributing=n_holding(chosen, calls.case_of)
    )


def _score_measures(builder: MeasureBuilder) -> list[Measure]:
    def measure(name: str, label: str, function: _OverScores) -> Measure:
        resample = _over_scores(builder, function)
        return builder.measure(name, label, len(builder.calls), resample, n_contributing=builder.n_rarer)

    return [
        measure("auc", "area under the ROC curve", roc.aucs),
        measure("auc_pr", "area under the precision-recall curve", roc.average_precisions),
    ]


def _over_scores(builder: MeasureBuilder, function: _OverScores) -> Callable[[Floats], Floats]:
    return lambda weights: function(builder.calls.score, builder.calls.tumor, builder.unit_weights(weights))


def _binary_measures(builder: MeasureBuilder) -> list[Measure]:
    calls = builder.calls
    plain = _Cells(builder, calls.positive)
    judged = plain if calls.found is None else _Cells(builder, calls.found, ", a tumour must be located")
    return [
        judged.proportion("sensitivity", "sensitivity", rates.sensitivity, ("tp",), ("fn",)),
        plain.proportion("specificity", "specificity", rates.specificity, ("tn",), ("fp",)),
        plain.proportion("ppv", "positive predictive value", rates.ppv, ("tp",), ("fp",)),
        plain.proportion("npv", "negative predictive value", rates.npv, ("tn",), ("fn",)),
        judged.proportion("accuracy", "accuracy", rates.accuracy, ("tp", "tn"), ("fp", "fn")),
        judged.score("balanced_accuracy", "balanced accuracy", rates.balanced_accuracy, builder.n_rarer),
        plain.score("f1", "F1", rates.f1, plain.n_cases_of("tp", "fp", "fn")),
        plain.score("mcc", "Matthews correlation coefficient", rates.mcc, builder.n_rarer),
        judged.score("kappa", "Cohen's kappa", _binary_kappa, builder.n_rarer),
    ]


class _Cells:
    """Makes the measures of the four cells of truth and one kind of call, (N,); ``note`` ends their labels."""

    def __init__(self, builder: MeasureBuilder, called: Bools, note: str = "") -> None:
        calls = builder.calls
        self._builder, self._note = builder, note
        self._cells = _cells(calls.tumor, called)
        sums = per_case(np.column_stack(list(self._cells.values())), calls.case_of, calls.n_cases)
        self._counts = LastTwoCache(lambda weights: dict(zip(self._cells, (weights @ sums).T, strict=True)))

    def n_cases_of(self, *names: str) -> int:
        """Number of cases with a unit in one of the cells."""
        return n_holding(np.any([self._cells[name] for name in names], axis=0), self._builder.calls.case_of)

    def proportion(
        self, name: str, label: str, function: Callable[..., Floats], right: tuple[str, ...], wrong: tuple[str, ...]
    ) -> Measure:
        """The units of the cells ``right`` among those and the cells ``wrong``."""
        n_right, n_wrong = (sum(int(self._cells[name].sum()) for name in names) for names in (right, wrong))

        def resample(weights: Floats) -> Floats:
            return function(**{cell: self._counts(weights)[cell] for cell in (*right, *wrong)})

        contributing = self.n_cases_of(*right, *wrong)
        return self._builder.measure(
            name, label + self._note, n_right + n_wrong, resample, successes=n_right, n_contributing=contributing
        )

    def score(self, name: str, label: str, function: Callable[..., Floats], n_contributing: int) -> Measure:
        """A function of all four cells."""
        n, label = len(self._builder.calls), label + self._note
        return self._builder.measure(
            name, label, n, lambda weights: function(**self._counts(weights)), n_contributing=n_contributing
        )


def _cells(truth: Bools, called: Bools) -> dict[str, Bools]:
    return {"tp": truth & called, "fp": ~truth & called, "fn": truth & ~called, "tn": ~truth & ~called}


def _binary_kappa(*, tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
    counts = np.stack([np.stack([tn, fp], axis=-1), np.stack([fn, tp], axis=-1)], axis=-2)
    return np.asarray(agreement.kappa(counts))


def _class_measures(builder: MeasureBuilder) -> list[Measure]:
    calls, size = builder.calls, len(builder.calls.names)
    known = calls.true_class >= 0
    cells = np.zeros((len(calls), size * size))
    cells[known, calls.true_class[known] * size + calls.predicted_class[known]] = 1
    sums = per_case(cells, calls.case_of, calls.n_cases)
    counts = LastTwoCache(lambda weights: (weights @ sums).reshape(-1, size, size))
    n, n_rarest = int(known.sum()), _n_cases_of_rarest(calls)

    def measure(
        name: str,
        label: str,
        function: Callable[[Floats], Floats],
        *,
        n_contributing: int = n_rarest,
        **options: Any,
    ) -> Measure:
        options |= {"n_contributing": n_contributing}
        return builder.measure(f"class_{name}", label, n, lambda weights: function(counts(weights)), **options)

    def kappa(weighting: str) -> Callable[[Floats], Floats]:
        return lambda confusions: np.asarray(agreement.kappa(confusions, weights=weighting))

    return [
        measure(
            "accuracy",
            "class accuracy",
            rates.overall_accuracy,
            successes=int(np.trace(calls.confusion)),
            n_contributing=n_holding(known, calls.case_of),
        ),
        measure("balanced_accuracy", "class balanced accuracy", rates.macro_recall),
        measure("macro_f1", "class macro F1", rates.macro_f1),
        measure("mcc", "class Matthews correlation coefficient", rates.multiclass_mcc),
        measure("kappa", "class kappa", kappa("none")),
        measure("kappa_linear", "class kappa, linear weights", kappa("linear")),
        measure("kappa_quadratic", "class kappa, quadratic weights", kappa("quadratic")),
        builder.measure(
            "class_macro_auc",
            "class macro AUC",
            n,
            lambda weights: _macro_auc(builder, known, weights),
            n_contributing=n_rarest,
        ),
    ]


def _n_cases_of_rarest(calls: Calls) -> int:
    """Number of cases that hold the rarest of the classes that occur."""
    occurring = np.unique(calls.true_class[calls.true_class >= 0])
    return min((n_holding(calls.true_class == k, calls.case_of) for k in occurring), default=0)


def _macro_auc(builder: MeasureBuilder, known: Bools, weights: Floats) -> Floats:
    """Mean over the classes of one against the rest, (B,)."""
    calls, unit_weights = builder.calls, builder.unit_weights(weights)[:, known]
    one_each = [
        roc.aucs(calls.class_scores[known, k], calls.true_class[known] == k, unit_weights)
        for k in range(len(calls.names))
        if (calls.true_class[known] == k).any()
    ]
    aucs = np.array(one_each).reshape(-1, len(weights))
    defined = ~np.isnan(aucs)
    n_defined = defined.sum(axis=0)
    return np.where(n_defined > 0, np.where(defined, aucs, 0).sum(axis=0) / np.maximum(n_defined, 1), np.nan)


def _calibration_measures(
    builder: MeasureBuilder, probabilities: Floats, *, ending: str = "", note: str = ""
) -> list[Measure]:
    """Of scores (N,) as probabilities; what ends the names and labels."""
    calls = builder.calls
    lower: dict[str, Any] = {"group": CALIBRATION, "higher_is_better": False, "note": note}

    def measure(name: str, label: str, function: _OverScores) -> Measure:
        def resample(weights: Floats) -> Floats:
            return function(probabilities, calls.tumor, builder.unit_weights(weights))

        return builder.measure(name + ending, label, len(calls), resample, n_contributing=calls.n_cases, **lower)

    def eces(scores: Floats, positive: Bools, weights: Floats) -> Floats:
        return np.asarray(calibration.eces(scores, positive, weights, n_bins=N_BINS))

    return [
        measure("brier", "Brier score", calibration.briers),
        measure("ece", "expected calibration error", eces),
    ]


def calibrated(scores: Floats, temperature: float | None) -> Floats:
    """Scores as probabilities: as they are, or with the logit divided by the temperature."""
    return scores if temperature is None else np.asarray(calibration.apply_temperature(scores, temperature))
