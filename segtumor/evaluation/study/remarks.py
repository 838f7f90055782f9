"""What a study assumed about the images, in sentences for its reader. Not here: what came out undefined (``study``)."""

import numpy as np

from segtumor.evaluation.facts.image_level import UNKNOWN_CLASS
from segtumor.evaluation.facts.patient_level import any_by_case
from segtumor.evaluation.study.uneven_views import uneven_views_remark
from segtumor.taxonomy import BENIGN, MALIGNANT, NORMAL

#: Temperatures beyond these move nearly all scores together, or to 0 and 1.
_COLD, _HOT = 0.2, 5


def remarks_of(facts):
    """Sentences about Facts: cases, labels, masks and spacing that are missing."""
    return tuple(
        [
            *_of_cases(facts),
            *_of_views(facts),
            *_of_truth(facts),
            *_of_crowds(facts),
            *_of_masks(facts),
            *_of_spacing(facts),
            *_of_settings(facts.settings),
            *_of_temperature(facts),
        ]
    )


def _of_cases(facts):
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


def _of_views(facts):
    tumor = any_by_case(facts.calls.tumor, facts.cases.case_of_image, len(facts.cases))
    yield from filter(None, [uneven_views_remark(facts.cases.n_images, tumor, facts.settings.rule)])


def _of_truth(facts):
    calls, names = facts.calls, facts.calls.names
    n_tumor = int(calls.tumor.sum())
    if not len(calls):
        return
    if n_tumor in (0, len(calls)):
        which = "No image has a tumor" if not n_tumor else "Every image has a tumor; none is normal"
        yield f"{which}: what compares the two, such as the area under the ROC curve, is undefined."
    n_unknown = int(np.sum(calls.true_class == UNKNOWN_CLASS))
    if n_unknown:
        yield f"{n_unknown} images with tumor have a label that is none of the classes; class measures leave them out."
    unmarked = sum(bool(tumor) and not r.truth.lesions for tumor, r in zip(calls.tumor, facts.results, strict=True))
    if unmarked:
        yield f"{unmarked} images are labelled as tumor without an outlined lesion; they count as tumor images."
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


def _of_other_labels(facts):
    known = (NORMAL, BENIGN, MALIGNANT, *facts.class_names, None, "")
    truths = [r.truth for r in facts.results if not r.truth.lesions]
    other = [truth for truth in truths if truth.attributes.get("image_label") not in known]
    if other:
        example = f"{other[0].attributes['image_label']!r} of {other[0].file_name}"
        yield (
            f"{len(other)} images without a lesion have an image_label that says neither normal nor a class, such as "
            f"{example}; they count as normal."
        )


def _of_crowds(facts):
    counts = [image.n_crowds for image in facts.images]
    if not any(counts):
        return
    only = sum(bool(image.n_crowds and not image.lesions) for image in facts.images)
    ignored = sum(len(image.ignored) for image in facts.images)
    yield (
        f"{sum(counts)} regions on {sum(map(bool, counts))} images are crowds (iscrowd 1): they are no lesions, "
        f"neither found nor missed, and {ignored} findings that lie in them are neither right nor wrong. {only} images "
        "have crowds only; they are not normal and count as images with tumor."
    )


def _of_labels(facts):
    names = facts.class_names
    both = [t for t in (r.truth for r in facts.results) if t.lesions and t.attributes.get("image_label") in names]
    other = sum(names.index(t.attributes["image_label"]) != max(x.class_id for x in t.lesions) for t in both)
    if other:
        yield (
            f"On {other} of {len(both)} images with both, the image_label is another class than the gravest lesion's. "
            "The classes of images and patients are those of the label, the classes of lesions their own."
        )


def _of_masks(facts):
    n_lesions, n_masks = len(facts.lesions), int(facts.lesions.has_mask.sum())
    findings = [finding for image in facts.images for finding in image.findings]
    without = sum(finding.rle is None for finding in findings)
    if n_masks < n_lesions:
        yield (
            f"{n_lesions - n_masks} of {n_lesions} lesions have no mask: their overlap is that of boxes, they have no "
            "surface distances, their images no image Dice, and average precision of masks is undefined."
        )
    if without:
        yield (
            f"{without} of {len(findings)} findings have no mask: their overlap is that of boxes, in image Dice the "
            "box stands for the mask, and lesions matched with them have no surface distances."
        )
    lesions = facts.lesions
    by_box = int(np.sum(lesions.has_mask & lesions.matched & ~lesions.by_mask))
    if by_box:
        yield (
            f"The normalized surface Dice over all lesions is undefined: {by_box} lesions with a mask are matched by "
            "boxes, and without them those missed would count alone."
        )


def _of_spacing(facts):
    n_lesions, n_known = len(facts.lesions), int(facts.lesions.has_spacing.sum())
    if n_lesions and not n_known:
        yield "The pixel spacing of no image with a lesion is known: surface distances are in px only."
    elif n_known < n_lesions:
        yield f"The pixel spacing is known for {n_known} of {n_lesions} lesions; distances in mm are of those only."


def _of_settings(settings):
    if settings.require_located:
        yield (
            "A patient with tumor counts as found only if one of its lesions is located, in sensitivity, specificity, "
            "accuracy, balanced accuracy and kappa of patients. Predictive values, F1, MCC, classes and areas under "
            "curves are of what the model called positive, wherever its finding lies."
        )


def _of_temperature(facts):
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
