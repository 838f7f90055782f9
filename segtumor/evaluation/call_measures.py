"""Measures of whole images or patients: ROC, sensitivity and their kin, classes, calibration.

All from Calls (``image_level``, ``patient_level``); the names begin with ``image_`` or ``patient_``. Class measures
leave out units of unknown class. Macro AUC is the mean of one class against the rest over the classes that both occur
and are not the only one. Letters: B resamples, C cases, N units, K classes (and normal, so K + 1).
"""

import numpy as np

from segtumor.evaluation.image_level import Calls
from segtumor.evaluation.measures import CALIBRATION, IMAGES, PATIENTS, Measure, Remembered, per_case
from segtumor.statistics import agreement, calibration, rates, roc

N_BINS = 10
_GROUP = {"image": IMAGES, "patient": PATIENTS}


class _Maker:
    """Makes the measures of one kind of unit."""

    def __init__(self, calls: Calls):
        self.calls, self.kind = calls, calls.kind
        self.unit_weights = Remembered(lambda weights: weights[:, calls.case_of])

    def measure(self, name, label, n, resample, group=None, **options):
        return Measure(
            name=f"{self.kind}_{name}",
            label=f"{label} ({self.kind}s)",
            group=group or _GROUP[self.kind],
            unit=f"{self.kind}s",
            n=int(n),
            n_cases=self.calls.n_cases,
            resample=resample,
            **options,
        )


def call_measures(calls, *, temperature=None):
    """All measures of Calls, in order; ``temperature`` as in StudySettings."""
    maker = _Maker(calls)
    return [*_score_measures(maker), *_binary_measures(maker), *_class_measures(maker)], _calibration_measures(
        maker, temperature
    )


def image_sensitivity(calls, chosen):
    """Sensitivity of the images ``chosen`` (N,) bool, all of them with tumor."""
    maker = _Maker(calls)
    sums = per_case(np.column_stack([chosen & calls.positive, chosen]), calls.case_of, calls.n_cases)
    hits, n = (round(s) for s in sums.sum(axis=0))
    counts = Remembered(lambda weights: weights @ sums)

    def resample(weights):
        found, everyone = counts(weights).T
        return rates.sensitivity(found, everyone - found)

    return maker.measure("sensitivity", "sensitivity", n, resample, successes=hits)


def _score_measures(maker):
    calls = maker.calls
    return [
        maker.measure("auc", "area under the ROC curve", len(calls), _over_scores(maker, roc.aucs)),
        maker.measure(
            "auc_pr", "area under the precision-recall curve", len(calls), _over_scores(maker, roc.average_precisions)
        ),
    ]


def _over_scores(maker, function):
    return lambda weights: function(maker.calls.score, maker.calls.tumor, maker.unit_weights(weights))


def _binary_measures(maker):
    calls = maker.calls
    cells = _cells(calls.tumor, calls.positive)
    total = {name: int(cell.sum()) for name, cell in cells.items()}
    sums = per_case(np.column_stack(list(cells.values())), calls.case_of, calls.n_cases)
    counts = Remembered(lambda weights: dict(zip(cells, (weights @ sums).T, strict=True)))

    def proportion(name, label, function, right, wrong):
        successes = sum(total[cell] for cell in right)
        return maker.measure(
            name,
            label,
            successes + sum(total[cell] for cell in wrong),
            lambda weights: function(**{cell: counts(weights)[cell] for cell in (*right, *wrong)}),
            successes=successes,
        )

    def score(name, label, function):
        return maker.measure(name, label, len(calls), lambda weights: function(**counts(weights)))

    return [
        proportion("sensitivity", "sensitivity", rates.sensitivity, ("tp",), ("fn",)),
        proportion("specificity", "specificity", rates.specificity, ("tn",), ("fp",)),
        proportion("ppv", "positive predictive value", rates.ppv, ("tp",), ("fp",)),
        proportion("npv", "negative predictive value", rates.npv, ("tn",), ("fn",)),
        proportion("accuracy", "accuracy", rates.accuracy, ("tp", "tn"), ("fp", "fn")),
        score("balanced_accuracy", "balanced accuracy", rates.balanced_accuracy),
        score("f1", "F1", rates.f1),
        score("mcc", "Matthews correlation coefficient", rates.mcc),
        score("kappa", "Cohen's kappa", _binary_kappa),
    ]


def _cells(truth, called):
    return {"tp": truth & called, "fp": ~truth & called, "fn": truth & ~called, "tn": ~truth & ~called}


def _binary_kappa(*, tp, fp, fn, tn):
    return agreement.kappa(np.stack([np.stack([tn, fp], axis=-1), np.stack([fn, tp], axis=-1)], axis=-2))


def _class_measures(maker):
    calls, size = maker.calls, len(maker.calls.names)
    known = calls.true_class >= 0
    cells = np.zeros((len(calls), size * size))
    cells[known, calls.true_class[known] * size + calls.predicted_class[known]] = 1
    sums = per_case(cells, calls.case_of, calls.n_cases)
    counts = Remembered(lambda weights: (weights @ sums).reshape(-1, size, size))
    n = int(known.sum())

    def measure(name, label, function, **options):
        return maker.measure(f"class_{name}", label, n, lambda weights: function(counts(weights)), **options)

    def kappa(weighting):
        return lambda confusions: agreement.kappa(confusions, weights=weighting)

    return [
        measure("accuracy", "class accuracy", rates.overall_accuracy, successes=int(np.trace(calls.confusion))),
        measure("balanced_accuracy", "class balanced accuracy", rates.macro_recall),
        measure("macro_f1", "class macro F1", rates.macro_f1),
        measure("mcc", "class Matthews correlation coefficient", rates.multiclass_mcc),
        measure("kappa", "class kappa", kappa("none")),
        measure("kappa_linear", "class kappa, linear weights", kappa("linear")),
        measure("kappa_quadratic", "class kappa, quadratic weights", kappa("quadratic")),
        maker.measure("class_macro_auc", "class macro AUC", n, lambda weights: _macro_auc(maker, known, weights)),
    ]


def _macro_auc(maker, known, weights):
    """Mean over the classes of one against the rest, (B,)."""
    calls, unit_weights = maker.calls, maker.unit_weights(weights)[:, known]
    one_each = [
        roc.aucs(calls.class_scores[known, k], calls.true_class[known] == k, unit_weights)
        for k in range(len(calls.names))
        if (calls.true_class[known] == k).any()
    ]
    aucs = np.array(one_each).reshape(-1, len(weights))
    defined = ~np.isnan(aucs)
    n_defined = defined.sum(axis=0)
    return np.where(n_defined > 0, np.where(defined, aucs, 0).sum(axis=0) / np.maximum(n_defined, 1), np.nan)


def _calibration_measures(maker, temperature):
    calls = maker.calls
    probabilities = calibrated(calls.score, temperature)
    lower = {"group": CALIBRATION, "higher_is_better": False}

    def measure(name, label, function):
        def resample(weights):
            return function(probabilities, calls.tumor, maker.unit_weights(weights))

        return maker.measure(name, label, len(calls), resample, **lower)

    def eces(*arguments):
        return calibration.eces(*arguments, n_bins=N_BINS)

    return [
        measure("brier", "Brier score", calibration.briers),
        measure("ece", "expected calibration error", eces),
    ]


def calibrated(scores, temperature):
    """Scores as probabilities: as they are, or with the logit divided by the temperature."""
    return scores if temperature is None else calibration.apply_temperature(scores, temperature)
