"""What the reader of a study must know, in sentences: of the images, of what was not predicted, of the estimates.

Not here: which images were not predicted (``segtumor.annotations.predictions.document``).
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from segtumor.arrays import Bools, Box, Ints
from segtumor.evaluation.facts.facts import Facts
from segtumor.evaluation.facts.patient_level import any_by_case
from segtumor.evaluation.facts.settings import MEAN, StudySettings
from segtumor.evaluation.facts.truth import UNKNOWN_CLASS, n_normal
from segtumor.evaluation.study.intervals import FEW_CASES, PERCENTILE_FEW, WILSON_FEW, is_bootstrapped
from segtumor.evaluation.study.values import Estimate, StudyRemark, SubgroupEstimate
from segtumor.structures.lesions import AnnotatedImage, ImageResult
from segtumor.taxonomy import ENTITIES, NORMAL

#: Codes of remarks that some reports leave out, since they are beside their point.
UNDEFINED, ALL_TUMOR, SPACING_UNKNOWN = "undefined", "all_tumor", "spacing_unknown"
LESIONS_WITHOUT_MASK, FINDINGS_WITHOUT_MASK = "lesions_without_mask", "findings_without_mask"
SURFACE_DICE_UNDEFINED = "surface_dice_undefined"
#: Temperatures beyond these move nearly all scores together, or to 0 and 1.
_COLD, _HOT = 0.2, 5
#: Limits at 2.5% and 97.5% of fewer resamples are rough (Efron and Tibshirani 1993, chapter 13).
_ENOUGH_RESAMPLES = 1000
#: Proportion of the resamples that should define a measure.
_MOSTLY = 0.95
#: From this ratio of the mean numbers of images per patient on, the highest of several scores favours one side.
_UNEVEN = 1.5
#: Boxes may be drawn or rounded a little over the edge; more and a larger share than these are a mistake.
_MARGIN_PX = 2
_LEAST_OUTSIDE, _SHARE_OUTSIDE = 3, 0.05


def remarks_of(facts: Facts) -> tuple[StudyRemark, ...]:
    """Sentences about Facts: cases, labels, masks and spacing that are missing."""
    return coded(
        [
            *_of_cases(facts),
            *_of_views(facts),
            *_of_truth(facts),
            *_of_crowds(facts),
            *_of_unjudged(facts),
            *_of_masks(facts),
            *_of_spacing(facts),
            *_of_settings(facts.settings),
            *_of_temperature(facts),
        ]
    )


def coded(texts: Iterable[str]) -> tuple[StudyRemark, ...]:
    """The same sentences, those without a code with an empty one."""
    return tuple(text if isinstance(text, StudyRemark) else StudyRemark(text) for text in texts)


def _of_cases(facts: Facts) -> Iterator[str]:
    cases = facts.cases
    if cases.n_without_id:
        yield (
            f"{cases.n_without_id} of {len(facts.results)} images have no case_id; each counts as a case of its own, "
            "so that intervals are too narrow if they share patients."
        )
    if len(cases) == 1:
        yield "There is one case only: no interval can be given."
    if not len(cases):
        yield "There are no images."


def _of_views(facts: Facts) -> Iterator[str]:
    tumor = any_by_case(facts.calls.tumor, facts.cases.case_of_image, len(facts.cases))
    yield from filter(None, [uneven_views_remark(facts.cases.n_images, tumor, facts.settings.rule)])


def _of_truth(facts: Facts) -> Iterator[str]:
    calls, names = facts.calls, facts.calls.names
    n_tumor = int(calls.tumor.sum())
    if not len(calls):
        return
    if n_tumor in (0, len(calls)):
        which = "No image has a tumour" if not n_tumor else "Every image has a tumour; none is normal"
        text = f"{which}: what compares the two, such as the area under the ROC curve, is undefined."
        yield StudyRemark(text, ALL_TUMOR if n_tumor else "")
    n_unknown = int(np.sum(calls.true_class == UNKNOWN_CLASS))
    if n_unknown:
        yield f"{n_unknown} images with a tumour have a label that is no class; class measures leave them out."
    unmarked = sum(bool(tumor) and not r.truth.lesions for tumor, r in zip(calls.tumor, facts.results, strict=True))
    if unmarked:
        yield f"{unmarked} images are labelled as tumour without an outlined lesion; they count as tumour images."
    yield from _of_other_labels(facts)
    if len(facts.class_names) > 2:
        yield (
            "Linear and quadratic kappa, and the class of a patient as the highest of its images, take the classes as "
            f"ordered: {', '.join(names)}."
        )
    yield from _of_labels(facts)
    absent = [name for k, name in enumerate(names) if k and not np.any(calls.true_class == k)]
    if absent and n_tumor:
        yield f"No image is of class {', '.join(absent)}: class means are over the other classes."


def _of_other_labels(facts: Facts) -> Iterator[str]:
    known = (NORMAL, *ENTITIES, *facts.class_names, None, "")
    truths = [r.truth for r in facts.results if not r.truth.lesions]
    other = [truth for truth in truths if truth.attributes.get("image_label") not in known]
    if other:
        example = f"{other[0].attributes['image_label']!r} of {other[0].file_name}"
        yield (
            f"{len(other)} images without a lesion have an image_label that says neither normal nor a class, such as "
            f"{example}; they count as normal."
        )


def _of_crowds(facts: Facts) -> Iterator[str]:
    counts = [image.n_crowds for image in facts.images]
    if not any(counts):
        return
    only = sum(bool(image.n_crowds and not image.lesions) for image in facts.images)
    ignored = sum(len(image.ignored) for image in facts.images)
    yield (
        f"{sum(counts)} regions on {sum(map(bool, counts))} images are crowds (iscrowd 1): they are no lesions, "
        f"neither found nor missed, and {ignored} findings that lie in them are neither right nor wrong. {only} images "
        "have crowds only; they are not normal and count as images with tumour."
    )


def _of_labels(facts: Facts) -> Iterator[str]:
    names = facts.class_names
    both = [t for t in (r.truth for r in facts.results) if t.lesions and t.attributes.get("image_label") in names]
    other = sum(names.index(t.attributes["image_label"]) != max(x.class_id for x in t.lesions) for t in both)
    if other:
        yield (
            f"On {other} of {len(both)} images with both, the image_label is another class than the gravest lesion's. "
            "The classes of images and patients are those of the label, the classes of lesions their own."
        )


def _of_unjudged(facts: Facts) -> Iterator[str]:
    n_unjudged = int((~facts.judged).sum())
    if n_unjudged:
        truths = [r.truth for r in facts.results if not r.marks_lesions]
        n_lesions = sum(not lesion.iscrowd for truth in truths for lesion in truth.lesions)
        yield (
            f"The predictions judge {n_unjudged} images as a whole and mark no lesions there: measures of lesions, "
            f"outlines and detection leave out these images and their {n_lesions} lesions."
        )


def _of_masks(facts: Facts) -> Iterator[str]:
    n_lesions, n_masks = len(facts.lesions), int(facts.lesions.has_mask.sum())
    findings = [finding for image in facts.images for finding in image.findings]
    without = sum(finding.rle is None for finding in findings)
    if n_masks < n_lesions:
        yield StudyRemark(
            f"{n_lesions - n_masks} of {n_lesions} lesions have no mask: their overlap is that of boxes, they have no "
            "surface distances, their images no image Dice, and average precision of masks is undefined.",
            LESIONS_WITHOUT_MASK,
        )
    if without:
        yield StudyRemark(
            f"{without} of {len(findings)} findings have no mask: their overlap is that of boxes, in image Dice the "
            "box takes the place of the mask, and lesions matched with them have no surface distances.",
            FINDINGS_WITHOUT_MASK,
        )
    lesions = facts.lesions
    by_box = int(np.sum(lesions.has_mask & lesions.matched & ~lesions.by_mask))
    if by_box:
        yield StudyRemark(
            f"The normalised surface Dice over all lesions is undefined: {by_box} lesions with a mask are matched by "
            "boxes, and without them those missed would count alone.",
            SURFACE_DICE_UNDEFINED,
        )


def _of_spacing(facts: Facts) -> Iterator[str]:
    n_lesions, n_known = len(facts.lesions), int(facts.lesions.has_spacing.sum())
    if n_lesions and not n_known:
        text = "The pixel spacing of no image with a lesion is known: surface distances are in px only."
        yield StudyRemark(text, SPACING_UNKNOWN)
    elif n_known < n_lesions:
        text = f"The pixel spacing is known for {n_known} of {n_lesions} lesions; distances in mm are of those only."
        yield StudyRemark(text, SPACING_UNKNOWN)


def _of_settings(settings: StudySettings) -> Iterator[str]:
    if settings.require_located:
        yield (
            "A patient with a tumour counts as found only if one of its lesions is located, in sensitivity, "
            "specificity, accuracy, balanced accuracy and kappa of patients. Predictive values, F1, MCC, classes and "
            "areas under curves are of what the model called positive, wherever its finding lies."
        )


def _of_temperature(facts: Facts) -> Iterator[str]:
    temperature = facts.settings.temperature
    if temperature is None:
        return
    yield (
        f"Measures of calibration named after temperature are of the scores after dividing their logit by "
        f"{temperature:.4g}, the others of the scores as given."
    )
    if not _COLD <= temperature <= _HOT:
        towards = "together around 0.5" if temperature > _HOT else "towards 0 and 1"
        yield (
            f"The temperature {temperature:.4g} lies outside {_COLD:g} to {_HOT:g}: it moves nearly all scores "
            f"{towards}, so that smaller errors of calibration say little about the single score."
        )
    n_zero = int(np.sum(facts.calls.score == 0))
    if n_zero:
        yield (
            f"{n_zero} of {len(facts.calls)} images have a score of exactly 0, as without any finding: no temperature "
            "moves these."
        )


def uneven_views_remark(n_images: Ints, tumor: Bools | Sequence[bool], rule: str) -> str:
    """A sentence if normal patients and those with a tumour differ much in their images and the rule minds; else "".

    Args:
        n_images: (C,), images of each patient.
        tumor: (C,), the truth.
    """
    ill = np.asarray(tumor, dtype=np.bool_)
    if rule == MEAN or ill.all() or not ill.any():
        return ""
    with_tumor, normal = float(n_images[ill].mean()), float(n_images[~ill].mean())
    if max(with_tumor, normal) < _UNEVEN * min(with_tumor, normal):
        return ""
    return (
        f"Normal patients have {normal:.1f} images on average, those with tumour {with_tumor:.1f}; by the rule {rule} "
        "each further image is a further chance to be called positive, so that measures of patients partly compare "
        "numbers of images (the rule mean does so less)."
    )


def unpredicted_remarks(
    truths: Sequence[AnnotatedImage],
    class_names: Sequence[str],
    *,
    absent_ids: Collection[int] | None = (),
    failed_ids: Collection[int] = (),
    n_left_out: int = 0,
) -> tuple[str, ...]:
    """Sentences on images that were not predicted: they count as without findings, so normal ones as right.

    Args:
        absent_ids: ids of those that the predictions do not mention; None if they list no images.
    """
    remarks = [f"{n_left_out} predicted images are not annotated and were left out."] if n_left_out else []
    for ids, what in ((absent_ids, "are absent from the predictions"), (failed_ids, "failed when predicting")):
        if ids:
            remarks.append(
                f"{len(ids)} images {what} and count as without findings; "
                f"{n_normal(truths, class_names, ids)} of them are normal and so count as called right."
            )
    return tuple(remarks)


def list_remark(truths: Sequence[AnnotatedImage], class_names: Sequence[str], *, found_ids: Collection[int]) -> str:
    """A sentence on the images without a finding in a plain list, which does not say what was predicted; or "".

    Args:
        found_ids: ids of the images that the list has a finding of.
    """
    ids = {truth.image_id for truth in truths} - set(found_ids)
    if not ids:
        return ""
    return (
        f"{len(ids)} of {len(truths)} images ({n_normal(truths, class_names, ids)} normal) have no finding in this "
        "list; a list cannot say whether they were predicted."
    )


def outside_remark(results: Sequence[ImageResult]) -> str:
    """A sentence if many boxes of findings without masks reach beyond their image; else "".

    Nearly all do where corners are given in the place of sizes: they are read without a complaint and hit nothing.
    """
    boxes = [
        (f.box_xyxy, result.truth.size_hw)
        for result in results
        for f in result.findings
        if f.rle is None and f.is_placed
    ]
    n_outside = sum(_is_outside(*pair) for pair in boxes)
    if n_outside < _LEAST_OUTSIDE or n_outside <= _SHARE_OUTSIDE * len(boxes):
        return ""
    return (
        f"{n_outside} of {len(boxes)} boxes of findings without masks reach more than {_MARGIN_PX} px beyond the "
        "image: are they x0, y0, x1, y1 instead of x, y, width, height?"
    )


def _is_outside(box_xyxy: Box, size_hw: tuple[int, int]) -> bool:
    x0, y0, x1, y1 = box_xyxy
    height, width = size_hw
    return min(x0, y0) < -_MARGIN_PX or x1 > width + _MARGIN_PX or y1 > height + _MARGIN_PX


def interval_remarks(
    estimates: Sequence[Estimate], subgroups: Sequence[SubgroupEstimate], *, n_images: int, settings: StudySettings
) -> tuple[StudyRemark, ...]:
    """Sentences about Estimates, SubgroupEstimates and the resamples of StudySettings."""
    if not n_images:
        return ()
    return coded(
        [
            *undefined_remarks(estimates),
            *_few_cases(estimates, subgroups),
            *_rarely_defined(estimates, settings),
            *_few_resamples(settings),
            *_beside_the_value(estimates, settings),
        ]
    )


def undefined_remarks(estimates: Iterable[Estimate]) -> Iterator[StudyRemark]:
    """Sentences naming the Estimates without a value: nothing to measure on is not the same as what cannot be done."""
    undefined = [e for e in estimates if math.isnan(e.value)]
    nothing, unequal = (", ".join(e.name for e in undefined if bool(e.n) == counted) for counted in (False, True))
    if nothing:
        yield StudyRemark(f"Undefined, as there is nothing to measure them on: {nothing}.", UNDEFINED)
    if unequal:
        yield StudyRemark(
            "Undefined, as they cannot be computed from what there is (one kind of truth or of call only, or masks "
            f"missing): {unequal}.",
            UNDEFINED,
        )


def _few_cases(estimates: Sequence[Estimate], subgroups: Sequence[SubgroupEstimate]) -> Iterator[str]:
    n_cases = max((e.n_cases for e in estimates), default=0)
    if 1 < n_cases < FEW_CASES:
        yield (
            f"There are {n_cases} cases only: intervals are rough, those of the bootstrap likely too narrow (see the "
            "column method)."
        )
        return
    if any(e.method in (WILSON_FEW, PERCENTILE_FEW) for e in (*estimates, *(s.estimate for s in subgroups))):
        yield (
            f"Rows that rest on fewer than {FEW_CASES} cases are marked (few cases) in the report and in the column "
            "method of the tables: there proportions have Wilson's interval with the cases as units, and other "
            "intervals are likely too narrow."
        )


def _rarely_defined(estimates: Sequence[Estimate], settings: StudySettings) -> Iterator[str]:
    rare = [
        f"{e.name} ({e.n_defined} of {settings.n_resamples})"
        for e in estimates
        if is_bootstrapped(e.method) and e.n_defined < _MOSTLY * settings.n_resamples
    ]
    if rare:
        yield f"Undefined in many resamples, of which their intervals leave these out: {', '.join(rare)}."


def comparison_remarks(methods: Sequence[str], settings: StudySettings) -> Iterator[str]:
    """Sentences about the intervals of differences, by their methods."""
    n_few = sum(method == PERCENTILE_FEW for method in methods)
    if n_few:
        yield (
            f"{n_few} of {len(methods)} intervals rest on fewer than {FEW_CASES} cases (few cases); they are likely "
            "too narrow."
        )
    yield from _few_resamples(settings)


def _few_resamples(settings: StudySettings) -> Iterator[str]:
    if settings.n_resamples < _ENOUGH_RESAMPLES:
        yield (
            f"Intervals are from {settings.n_resamples} resamples only; their limits vary with the seed. "
            f"{_ENOUGH_RESAMPLES:,} or more are usual."
        )


def _beside_the_value(estimates: Sequence[Estimate], settings: StudySettings) -> Iterator[str]:
    outside = [e.name for e in estimates if e.value < e.low or e.value > e.high]
    if outside:
        yield (
            f"Intervals that do not hold their own value: {', '.join(outside)}; {settings.n_resamples} resamples are "
            "too few for them, or the measure is skewed."
        )
