"""Measures of whole images or patients: ROC, sensitivity and their kin, classes, calibration.

All from Calls (``image_level``, ``patient_level``); the names begin with ``image_`` or ``patient_``. Where a tumour
must be located, sensitivity, specificity, accuracy, balanced accuracy and kappa go by that rule (``Calls.judged``), and
their labels say so; all others go by the plain call (``Calls.positive``), for PPV and NPV are of those called positive
and negative, whom the rule would mix up. Class measures leave out units of unknown class. Macro AUC is the mean of one
class against the rest over the classes that both occur and are not the only one.
Letters: B resamples, C cases, N units, K classes (and normal, so K + 1).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from segtumor.arrays import Bools, Floats
from segtumor.evaluation.facts.image_level import Calls
from segtumor.evaluation.measures import measure as m
from segtumor.evaluation.measures.measure import LastTwoCache, Measure, n_holding, per_case, ratio_measure
from segtumor.statistics import agreement, calibration, rates, roc

N_BINS = 10
_GROUP = {"image": m.IMAGES, "patient": m.PATIENTS}
#: (scores (N,), positive (N,), weights (B, N)) -> (B,).
_OverScores = Callable[[Floats, Bools, Floats], Floats]


class _Builder:
    """Makes the measures of one kind of unit."""

    def __init__(self, calls: Calls) -> None:
        self.calls, self._kind = calls, calls.kind
        self.unit_weights = LastTwoCache(lambda weights: weights[:, calls.case_of])
        self.n_rarer = min(n_holding(kind, calls.case_of) for kind in (calls.tumor, ~calls.tumor))

    def measure(
        self,
        name: str,
        label: str,
        resample: Callable[[Floats], Floats],
        n_contributing: int,
        *,
        n: int | None = None,
        group: str | None = None,
        note: str = "",
        **options: Any,
    ) -> Measure:
        """A Measure of these units, of all of them unless ``n`` says of how many."""
        return Measure(
            name=f"{self._kind}_{name}",
            label=f"{label} ({self._kind}s{note})",
            group=group or _GROUP[self._kind],
            unit=f"{self._kind}s",
            n=len(self.calls) if n is None else n,
            n_cases=self.calls.n_cases,
            resample=resample,
            n_contributing=n_contributing,
            **options,
        )

    def over_scores(
        self, name: str, label: str, function: _OverScores, scores: Floats, n_contributing: int, **options: Any
    ) -> Measure:
        """A function of scores (N,), the truth and how often each unit was drawn."""

        def resample(weights: Floats) -> Floats:
            return function(scores, self.calls.tumor, self.unit_weights(weights))

        return self.measure(name, label, resample, n_contributing, **options)

    def proportion(self, name: str, label: str, right: Bools, counted: Bools) -> Measure:
        """The proportion of the units ``counted`` (N,) that are ``right`` (N,)."""
        name, label, unit = f"{self._kind}_{name}", f"{label} ({self._kind}s)", f"{self._kind}s"
        where = self.calls.case_of, self.calls.n_cases
        return ratio_measure(name, label, _GROUP[self._kind], unit, right & counted, counted, *where, proportion=True)


def call_measures(calls: Calls, *, temperature: float | None = None) -> tuple[list[Measure], list[Measure]]:
    """The measures of Calls, in order, and apart those of calibration; ``temperature`` as in StudySettings."""
    builder = _Builder(calls)
    calibrations = _calibration_measures(builder, calls.score)
    if temperature is not None:
        after = {"ending": "_calibrated", "note": ", after temperature"}
        calibrations += _calibration_measures(builder, calibrated(calls.score, temperature), **after)
    return [*_score_measures(builder), *_binary_measures(builder), *_class_measures(builder)], calibrations


def image_sensitivity(calls: Calls, chosen: Bools) -> Measure:
    """Sensitivity of the images ``chosen`` (N,), all of them with a tumour."""
    return _Builder(calls).proportion("sensitivity", "sensitivity", calls.positive, chosen)


def _score_measures(builder: _Builder) -> list[Measure]:
    common = builder.calls.score, builder.n_rarer
    return [
        builder.over_scores("auc", "area under the ROC curve", roc.aucs, *common),
        builder.over_scores("auc_pr", "area under the precision-recall curve", roc.average_precisions, *common),
    ]


def _binary_measures(builder: _Builder) -> list[Measure]:
    calls, tumor, called, judged = builder.calls, builder.calls.tumor, builder.calls.positive, builder.calls.judged
    note = "" if calls.found is None else ", a tumour must be located"
    of_called, of_judged = _cell_counts(calls, called), _cell_counts(calls, judged)
    n_involved = n_holding(tumor | called, calls.case_of)

    def score(
        name: str, label: str, function: Callable[..., Floats], counts: LastTwoCache[dict[str, Floats]], n: int
    ) -> Measure:
        return builder.measure(name, label, lambda weights: function(**counts(weights)), n)

    return [
        builder.proportion("sensitivity", f"sensitivity{note}", judged, tumor),
        builder.proportion("specificity", "specificity", ~called, ~tumor),
        builder.proportion("ppv", "positive predictive value", tumor, called),
        builder.proportion("npv", "negative predictive value", ~tumor, ~called),
        builder.proportion("accuracy", f"accuracy{note}", judged == tumor, np.ones_like(tumor)),
        score("balanced_accuracy", f"balanced accuracy{note}", rates.balanced_accuracy, of_judged, builder.n_rarer),
        score("f1", "F1", rates.f1, of_called, n_involved),
        score("mcc", "Matthews correlation coefficient", rates.mcc, of_called, builder.n_rarer),
        score("kappa", f"Cohen's kappa{note}", _binary_kappa, of_judged, builder.n_rarer),
    ]


def _cell_counts(calls: Calls, called: Bools) -> LastTwoCache[dict[str, Floats]]:
    """Function of weights: how many units are in each of the four cells of truth and call."""
    truth = calls.tumor
    cells = {"tp": truth & called, "fp": ~truth & called, "fn": truth & ~called, "tn": ~truth & ~called}
    sums = per_case(np.column_stack(list(cells.values())), calls.case_of, calls.n_cases)
    return LastTwoCache(lambda weights: dict(zip(cells, (weights @ sums).T, strict=True)))


def _binary_kappa(*, tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
    counts = np.stack([np.stack([tn, fp], axis=-1), np.stack([fn, tp], axis=-1)], axis=-2)
    return np.asarray(agreement.kappa(counts))


def _class_measures(builder: _Builder) -> list[Measure]:
    calls, size = builder.calls, len(builder.calls.names)
    known = calls.true_class >= 0
    cells = np.zeros((len(calls), size * size))
    cells[known, calls.true_class[known] * size + calls.predicted_class[known]] = 1
    sums = per_case(cells, calls.case_of, calls.n_cases)
    counts = LastTwoCache(lambda weights: (weights @ sums).reshape(-1, size, size))
    n, n_rarest = int(known.sum()), _n_cases_of_rarest(calls)

    def measure(name: str, label: str, function: Callable[[Floats], Floats]) -> Measure:
        return builder.measure(f"class_{name}", f"class {label}", lambda w: function(counts(w)), n_rarest, n=n)

    def macro_auc(weights: Floats) -> Floats:
        return _macro_auc(builder, known, weights)

    return [
        builder.proportion("class_accuracy", "class accuracy", calls.true_class == calls.predicted_class, known),
        measure("balanced_accuracy", "balanced accuracy", rates.macro_recall),
        measure("macro_f1", "macro F1", rates.macro_f1),
        measure("mcc", "Matthews correlation coefficient", rates.multiclass_mcc),
        measure("kappa", "kappa", agreement.kappa),
        measure("kappa_linear", "kappa, linear weights", partial(agreement.kappa, weights="linear")),
        measure("kappa_quadratic", "kappa, quadratic weights", partial(agreement.kappa, weights="quadratic")),
        builder.measure("class_macro_auc", "class macro AUC", macro_auc, n_rarest, n=n),
    ]


def _n_cases_of_rarest(calls: Calls) -> int:
    """Number of cases that hold the rarest of the classes that occur."""
    occurring = np.unique(calls.true_class[calls.true_class >= 0])
    return min((n_holding(calls.true_class == k, calls.case_of) for k in occurring), default=0)


def _macro_auc(builder: _Builder, known: Bools, weights: Floats) -> Floats:
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
    builder: _Builder, probabilities: Floats, *, ending: str = "", note: str = ""
) -> list[Measure]:
    """Of scores (N,) as probabilities; what ends the names and labels."""
    common = probabilities, builder.calls.n_cases
    lower: dict[str, Any] = {"group": m.CALIBRATION, "higher_is_better": False, "note": note}
    eces = partial(calibration.eces, n_bins=N_BINS)
    return [
        builder.over_scores(f"brier{ending}", "Brier score", calibration.briers, *common, **lower),
        builder.over_scores(f"ece{ending}", "expected calibration error", eces, *common, **lower),
    ]


def calibrated(scores: Floats, temperature: float | None) -> Floats:
    """Scores as probabilities: as they are, or with the logit divided by the temperature."""
    return scores if temperature is None else np.asarray(calibration.apply_temperature(scores, temperature))
