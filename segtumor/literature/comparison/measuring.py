"""Measure findings as a protocol counts.

Not here: what was published (``segtumor.literature.entries``), and whether the two may be compared (``comparability``).
"""

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from pycocotools import mask as coco_mask

from segtumor.errors import DataError
from segtumor.evaluation.facts.facts import facts_of
from segtumor.evaluation.facts.matching import lesions_to_find
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.measures.measure import IMAGES, Measure, ratio_measure
from segtumor.evaluation.measures.ranking import AP_KINDS, DetectionMeasures
from segtumor.evaluation.study.estimates import draw, estimates_of
from segtumor.evaluation.study.remarks import (
    ALL_TUMOR,
    FINDINGS_WITHOUT_MASK,
    LESIONS_WITHOUT_MASK,
    SPACING_UNKNOWN,
    UNDEFINED,
    undefined_remarks,
)
from segtumor.evaluation.study.study import study
from segtumor.evaluation.study.subgroup_fields import CLASS
from segtumor.evaluation.study.values import Estimate, Study
from segtumor.literature.protocols import AS_THEY_ARE, SURFACE_MEASURES, TIGHT_BOXES, Pass, Protocol
from segtumor.structures.boxes import box_xywh_to_xyxy
from segtumor.structures.lesions import Finding, ImageResult, Lesion
from segtumor.taxonomy import BENIGN, MALIGNANT

Shape = TypeVar("Shape", Lesion, Finding)
#: (what, items) -> the items, counted on a bar.
Progress = Callable[[str, Any], Any]

#: Measures that only protocols know: name -> (label, true classes that count). Right: called by the same class.
MALIGNANCY = {
    "malignancy_accuracy": ("tumour called by its class", (BENIGN, MALIGNANT)),
    "malignancy_sensitivity": ("malignant called malignant", (MALIGNANT,)),
    "malignancy_specificity": ("benign called benign", (BENIGN,)),
}
MALIGNANCY_REMARK = (
    "malignancy_sensitivity is the proportion of malignant images called malignant, malignancy_specificity that of "
    "benign images called benign, malignancy_accuracy both together: by the class of the highest-scoring finding, and "
    "an image whose lesion is missed counts as wrong in each. Normal images do not count."
)


def measure(
    protocol: Protocol,
    results: Sequence[ImageResult],
    class_names: Sequence[str],
    settings: StudySettings,
    *,
    progress: Progress | None = None,
) -> tuple[list[Estimate], tuple[str, ...]]:
    """Numbers of a protocol.

    Args:
        settings: what the protocol fixes is replaced.

    Returns:
        (estimates, named as the protocol's table names them; remarks).

    Raises:
        DataError: nothing to measure on, or what ``study`` refuses.
    """
    settings = settings_of(protocol, settings)
    results = counted(protocol, results)
    if not results:
        raise DataError(
            "no image that this protocol measures on",
            where=protocol.name,
            got="no image" + (" with a lesion" if protocol.only_tumor_images else ""),
            expected="images with lesions" if protocol.only_tumor_images else "images",
        )
    if not any(map(lesions_to_find, results)):
        settings = dataclasses.replace(settings, subgroup_fields=())  # no class to divide lesions by
    estimates: list[Estimate] = []
    remarks: dict[str, None] = {}
    for one in protocol.passes:
        chosen = [_prepared(result, protocol, one.shapes) for result in results]
        by_name, found = _estimates(one, chosen, class_names, settings, progress)
        for name in (n for measure in one.measures for n in (measure, *(f"{measure}[{c}]" for c in class_names))):
            if name in by_name:
                plain, bracket, group = name.partition("[")
                estimates.append(dataclasses.replace(by_name[name], name=plain + one.suffix + bracket + group))
        remarks |= dict.fromkeys([*_of_interest(found.remarks, protocol, one), *_spreads(protocol, one, found)])
    if any(e.name in MALIGNANCY for e in estimates):
        remarks[MALIGNANCY_REMARK] = None
    remarks |= dict.fromkeys(undefined_remarks(e for e in estimates if "[" not in e.name))
    return estimates, tuple(remarks)


def settings_of(protocol: Protocol, settings: StudySettings) -> StudySettings:
    """The settings that a protocol measures with."""
    return dataclasses.replace(settings, subgroup_fields=(CLASS,), **protocol.settings)


def counted(protocol: Protocol, results: Sequence[ImageResult]) -> list[ImageResult]:
    """The results that a protocol measures on."""
    return [result for result in results if result.truth.lesions or not protocol.only_tumor_images]


def _estimates(
    one: Pass,
    results: Sequence[ImageResult],
    class_names: Sequence[str],
    settings: StudySettings,
    progress: Progress | None,
) -> tuple[dict[str, Estimate], Study]:
    """({name: estimate}, the study) of a pass."""
    found = study(results, class_names, settings, progress=progress)
    by_name = {estimate.name: estimate for estimate in found.estimates}
    by_name |= {f"{s.estimate.name}[{s.level}]": s.estimate for s in found.subgroups}
    more = [*_malignancy(found), *_ap_by_class(one, results, class_names, settings)]
    more = [measure for measure in more if measure.name.partition("[")[0] in one.measures]
    return by_name | {e.name: e for e in estimates_of(more, draw(len(found.cases), settings))}, found


def _prepared(result: ImageResult, protocol: Protocol, shapes: str) -> ImageResult:
    findings = result.findings
    if protocol.only_highest:
        findings = tuple(sorted(findings, key=lambda finding: -finding.score)[:1])
    if shapes == AS_THEY_ARE:
        return dataclasses.replace(result, findings=findings)
    boxed = _tight_box if shapes == TIGHT_BOXES else _box
    truth = dataclasses.replace(result.truth, lesions=tuple(map(boxed, result.truth.lesions)))
    return dataclasses.replace(result, truth=truth, findings=tuple(map(boxed, findings)))


def _box(item: Shape) -> Shape:
    return dataclasses.replace(item, rle=None)


def _tight_box(item: Shape) -> Shape:
    """The item with the box around its mask; its own box where it has no mask, or an empty one."""
    rle: Any = item.rle  # pycocotools wants its own kind of dict
    if rle is None or not coco_mask.area(rle):
        return _box(item)
    box = tuple(box_xywh_to_xyxy(coco_mask.toBbox(rle)).tolist())
    return dataclasses.replace(item, rle=None, box_xyxy=box)


def _malignancy(found: Study) -> Iterator[Measure]:
    """Measures of MALIGNANCY from the rows of a study's images; none where the classes are others."""
    cases, rows = found.cases, found.per_image
    for name, (label, classes) in MALIGNANCY.items():
        if not set(classes) <= set(found.class_names):
            continue
        counts = [row["true_class"] in classes for row in rows]
        right = [c and row["true_class"] == row["predicted_class"] for c, row in zip(counts, rows, strict=True)]
        yield ratio_measure(
            name, label, IMAGES, "images", right, counts, cases.case_of_image, len(cases), proportion=True
        )


def _ap_by_class(
    one: Pass, results: Sequence[ImageResult], class_names: Sequence[str], settings: StudySettings
) -> Iterator[Measure]:
    """Measures such as ``box_ap50[benign]``: the average precision of one class, in percent."""
    facts = facts_of(results, class_names, settings)
    for kind in AP_KINDS:
        found = DetectionMeasures(facts, kind)
        for stat in ("AP50", "AP"):
            name = f"{kind}_{stat.lower()}"
            for class_name in class_names if name in one.measures else ():
                measure = found.average_precision(stat, of_class=class_name)
                label = f"{kind} {stat}, {class_name}"
                # Their intervals go by all cases, whichever hold a lesion of the class.
                yield dataclasses.replace(measure, name=f"{name}[{class_name}]", label=label, n_contributing=None)


def _of_interest(remarks: Sequence[str], protocol: Protocol, one: Pass) -> list[str]:
    """The remarks of a study without those on measures that a pass does not show, or on what it was made to be."""
    beside_the_point = {UNDEFINED}
    if one.shapes != AS_THEY_ARE:
        beside_the_point |= {LESIONS_WITHOUT_MASK, FINDINGS_WITHOUT_MASK}
    if protocol.only_tumor_images:
        beside_the_point.add(ALL_TUMOR)
    if not set(SURFACE_MEASURES) & set(one.measures):
        beside_the_point.add(SPACING_UNKNOWN)
    return [remark for remark in remarks if getattr(remark, "code", "") not in beside_the_point]


def _spreads(protocol: Protocol, one: Pass, found: Study) -> Iterator[str]:
    """Sentences on the standard deviation over lesions, for sources that print mean and standard deviation."""
    for column in protocol.spread_of:
        values = [row[column] for row in found.per_lesion if not math.isnan(row[column])]
        if column in one.measures and len(values) > 1:
            spread = statistics.stdev(values)
            yield f"Standard deviation of {column}{one.suffix} over {len(values)} lesions: {spread:.2f}."
