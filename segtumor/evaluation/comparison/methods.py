"""Several methods on the same images, each with its own values and intervals: the table that papers print.

Intervals are of each method alone and share their draws of cases. They say nothing about differences, which are smaller
or larger than intervals beside each other suggest: these are ``comparison``'s, in pairs.
Letters: K classes, without normal.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from segtumor.arrays import Ints
from segtumor.evaluation.facts.facts import study_facts_of
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.measures.measure_set import all_measures
from segtumor.evaluation.study.class_table import ClassRow, class_rows
from segtumor.evaluation.study.estimates import delong_of, draw, estimates_of
from segtumor.evaluation.study.values import Estimate
from segtumor.progress import StepProgress, silent
from segtumor.structures.lesions import ImageResult

#: What is shown unless other measures are asked for: images called right, classes, and lesions found and outlined.
SHOWN = (
    *("image_accuracy", "image_ppv", "image_sensitivity", "image_specificity", "image_f1", "image_auc"),
    *("image_class_accuracy", "image_class_macro_f1"),
    *("lesion_precision", "lesion_recall", "lesion_f1", "mask_ap50", "box_ap50", "dice", "pixel_f1"),
)


@dataclass(frozen=True)
class MethodResult:
    """One method.

    Attributes:
        estimates: of the measures asked for, in order, undefined ones too.
        class_names: K + 1, normal first.
        confusion: images of known class, (K + 1, K + 1), rows true.
    """

    name: str
    estimates: tuple[Estimate, ...]
    class_names: tuple[str, ...]
    confusion: Ints

    @property
    def class_rows(self) -> list[ClassRow]:
        """Precision, recall and F1 of each class, and their means."""
        return class_rows(self.class_names, self.confusion)


def methods_of(
    results: Mapping[str, Sequence[ImageResult]],
    class_names: Sequence[str],
    settings: StudySettings,
    *,
    measures: Collection[str] = (),
    progress: StepProgress = silent,
) -> list[MethodResult]:
    """Measure each method.

    Args:
        results: {name of a method: its ImageResults}, all of the same images.
        measures: names of those to show; empty for ``SHOWN``. Names that a method lacks are left out.
    """
    methods, names = [], measures or SHOWN
    for name, of_method in results.items():
        facts = study_facts_of(tuple(of_method), class_names, settings, progress=progress)
        known = {measure.name: measure for measure in all_measures(facts)}
        estimates = estimates_of(
            [known[measure] for measure in names if measure in known],
            draw(len(facts.cases), settings),
            intervals=delong_of(facts.patients, level=settings.level),
            progress=progress,
        )
        methods.append(MethodResult(name, tuple(estimates), facts.calls.names, facts.calls.confusion))
    return methods


def defined_estimates(methods: Sequence[MethodResult]) -> list[list[Estimate]]:
    """For each measure that some method defines, the estimates of all methods, in order."""
    return [
        list(row)
        for row in zip(*(method.estimates for method in methods), strict=True)
        if any(estimate.value == estimate.value for estimate in row)
    ]
