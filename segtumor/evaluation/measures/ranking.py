"""Measures over all scores: average precision and recall as COCO has them, and the free-response curve.

What they share is computed once.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from segtumor.arrays import Bools, Floats
from segtumor.evaluation.facts.coco import ALL_SIZES, BBOX, MAX_FINDINGS, SEGM, SIZE_RANGES_PX
from segtumor.evaluation.facts.facts import Facts, StudyFacts
from segtumor.evaluation.measures.froc import FROC_RATES, resample_events
from segtumor.evaluation.measures.measure import DETECTION, LESIONS, LastTwoCache, Measure, n_holding
from segtumor.evaluation.measures.resampled_ap import PrecisionRecall, ResampledAP

MASK, BOX = AP_KINDS = ("mask", "box")
IOU_TYPES = {MASK: SEGM, BOX: BBOX}
_LABELS = {"AP": "AP (IoU 0.50 to 0.95)", "AP50": "AP50", "AP75": "AP75"}


class DetectionMeasures:
    """COCO's measures of one kind, masks or boxes, in percent; all share one matching."""

    def __init__(self, facts: Facts, kind: str) -> None:
        self._facts, self._kind = facts, kind
        self._machine = ResampledAP(facts.coco[IOU_TYPES[kind]], facts.class_names)
        self._resampled: dict[str, LastTwoCache[dict[str, Floats]]] = {}

    def curves(self) -> dict[str, PrecisionRecall]:
        """The precision-recall curve of each class."""
        n_lesions = [int((self._facts.lesions.class_id == k).sum()) for k in range(len(self._facts.class_names))]
        curves = self._machine.curves().items()
        return {name: replace(curve, n_lesions=n) for (name, curve), n in zip(curves, n_lesions, strict=True)}

    def average_precision(self, stat: str = "AP", *, size: str = ALL_SIZES, of_class: str = "") -> Measure:
        """``stat`` is "AP", "AP50" or "AP75", of the lesions of a size, of one class or the mean over all."""
        if size not in self._resampled:
            cases = self._facts.cases.case_of_image
            self._resampled[size] = LastTwoCache(lambda weights: self._machine.resample(weights, cases, size))
        resampled, key = self._resampled[size], f"{stat}:{of_class}" if of_class else stat
        name = stat.lower() + ("" if size == ALL_SIZES else f"_{size}")
        chosen = self._of_size(size)
        if of_class:
            chosen &= self._facts.lesions.class_id == self._facts.class_names.index(of_class)
        return self._measure(name, _LABELS[stat], chosen, lambda weights: resampled(weights)[key])

    def average_recall(self, *, size: str = ALL_SIZES, at_most: int = MAX_FINDINGS) -> Measure:
        """Recall with at most so many findings of an image and class, of the lesions of a size."""
        cases = self._facts.cases.case_of_image
        resample = partial(self._machine.recall, case_of_image=cases, size=size, at_most=at_most)
        return self._measure(f"ar{at_most}_{size}", f"AR, {at_most} findings, {size}", self._of_size(size), resample)

    def _of_size(self, size: str) -> Bools:
        area_px = self._facts.lesions.area_px
        low, high = SIZE_RANGES_PX.get(size, (-np.inf, np.inf))
        return (area_px >= low) & (area_px <= high)

    def _measure(self, name: str, label: str, lesions: Bools, resample: Callable[[Floats], Floats]) -> Measure:
        return Measure(
            name=f"{self._kind}_{name}",
            label=f"{self._kind} {label}",
            group=DETECTION,
            unit="lesions",
            n=int(lesions.sum()),
            n_contributing=n_holding(lesions, self._facts.lesion_case),
            n_cases=len(self._facts.cases),
            resample=resample,
            in_percent=True,
        )


def ap_measures(facts: Facts, kinds: Sequence[str] = AP_KINDS) -> list[Measure]:
    """Average precision of masks and boxes, in percent."""
    return [
        found.average_precision(s) for found in (DetectionMeasures(facts, k) for k in kinds) for s in ("AP", "AP50")
    ]


def class_ap_measures(facts: Facts, kinds: Sequence[str] = AP_KINDS) -> dict[str, list[Measure]]:
    """{class name: its average precision of masks and boxes}, in percent; classes without lesions are left out."""
    present = [name for k, name in enumerate(facts.class_names) if (facts.lesions.class_id == k).any()]
    found = [DetectionMeasures(facts, kind) for kind in kinds]
    return {
        name: [one.average_precision(stat, of_class=name) for one in found for stat in ("AP", "AP50")]
        for name in present
    }


def froc_measures(facts: StudyFacts) -> list[Measure]:
    """Sensitivity at each of FROC_RATES false positives per image, and their mean."""
    values = LastTwoCache(lambda weights: resample_events(facts.events, facts.cases.case_of_image, weights))

    def measure(name: str, label: str, column: int) -> Measure:
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
