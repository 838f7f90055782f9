"""Measures over all scores: average precision and the free-response curve. What they share is computed once."""

import numpy as np

from segtumor.evaluation.facts.coco_inputs import BBOX, SEGM
from segtumor.evaluation.measures.froc import FROC_RATES, resample_events
from segtumor.evaluation.measures.measure import DETECTION, LESIONS, Measure, Remembered, n_holding
from segtumor.evaluation.measures.resampled_ap import ApMachine

_KINDS = {"mask": SEGM, "box": BBOX}


def ap_measures(facts, kinds=("mask", "box")):
    """Average precision of masks and boxes, in percent."""
    return [measure for kind in kinds for measure in _ap_of(facts, kind)]


def class_ap_measures(facts, kinds=("mask", "box")):
    """{class name: its average precision of masks and boxes}, in percent; classes without lesions are left out."""
    lesions = {name: facts.lesions.class_id == k for k, name in enumerate(facts.class_names)}
    measures = {name: [] for name, of_class in lesions.items() if of_class.any()}
    for kind in kinds:
        resample = _resampling(facts, kind)
        for name, found in measures.items():
            found += _ap_pair(facts, kind, resample, lesions[name], f":{name}")
    return measures


def _ap_of(facts, kind):
    return _ap_pair(facts, kind, _resampling(facts, kind), np.ones(len(facts.lesions), dtype=bool))


def _resampling(facts, kind):
    machine = ApMachine(facts.results, facts.class_names, _KINDS[kind])
    return Remembered(lambda weights: machine.resample(weights, facts.cases.case_of_image))


def _ap_pair(facts, kind, resample, lesions, of_class: str = ""):
    """AP and AP50 of the chosen ``lesions`` (M,) bool."""

    def measure(name, stat, note):
        return Measure(
            name=f"{kind}_{name}",
            label=f"{kind} {stat}{note}",
            group=DETECTION,
            unit="lesions",
            n=int(lesions.sum()),
            n_contributing=n_holding(lesions, facts.lesion_case),
            n_cases=len(facts.cases),
            resample=lambda weights: resample(weights)[stat + of_class],
            in_percent=True,
        )

    return [measure("ap", "AP", " (IoU 0.50 to 0.95)"), measure("ap50", "AP50", "")]


def froc_measures(facts):
    """Sensitivity at each of FROC_RATES false positives per image, and their mean."""
    values = Remembered(lambda weights: resample_events(facts.events, facts.cases.case_of_image, weights))

    def measure(name, label, column):
        return Measure(
            name=name,
            label=label,
            group=LESIONS,
            unit="lesions",
            n=len(facts.lesions),
            n_contributing=len(np.unique(facts.lesion_case)),
            n_cases=len(facts.cases),
            resample=lambda weights: values(weights)[:, column],
        )

    at_rates = [
        measure(f"froc_at_{rate:g}", f"FROC: lesions found at {rate:g} false positives per image", column)
        for column, rate in enumerate(FROC_RATES)
    ]
    return [*at_rates, measure("froc_mean", "FROC: mean sensitivity", len(FROC_RATES))]
