"""What the words of a study's page mean: truth, score and call of an image and of a patient, hit and missed.

Not here: the measures made of them (``metric_texts``).
"""

#: How the images of a patient become one call, by rule.
RULES = {
    "any": "positive if any of its images is",
    "max": "positive if the highest score of its images reaches the threshold",
    "mean": "positive if the mean score of its images reaches the threshold",
}
_SCORES = {"any": "the highest", "max": "the highest", "mean": "the mean"}
_LOCATED = (
    " A patient with tumor counts as found only if a lesion of it was also hit on some image; sensitivity, accuracy, "
    "balanced accuracy and kappa of patients follow this, predictive values, F1, Matthews correlation and classes do "
    "not, since they judge the call alone."
)
_FROC_CRITERIA = {
    "iou": "a lesion is found if a finding overlaps it with an IoU of at least {0.iou_threshold:.2f}",
    "centre": "a lesion is found if the centre of a finding lies in its box",
    "mask": "a lesion is found if the centre of a finding lies in its mask",
}


_FIELDS = {"age_group": "age group (years)", "image_label": "label of the image", "center": "centre"}


def field_text(name):
    """A field that subgroups are made by, for people."""
    return _FIELDS.get(name, name.replace("_", " "))


def froc_criterion_text(settings):
    """What finds a lesion in the FROC curve, under StudySettings."""
    return _FROC_CRITERIA[settings.froc_criterion].format(settings)


def term_texts(settings):
    """(term, what it means) under StudySettings, for a reader of the page."""
    threshold, iou = f"{settings.score_threshold:g}", f"{settings.iou_threshold:g}"
    located = _LOCATED if settings.require_located else ""
    return [
        (
            "Lesion, finding",
            "A lesion is a true, annotated tumor; a finding is a predicted one with a score from 0 to 1.",
        ),
        (
            "Case, patient",
            "Images of one case_id are of one patient, who is one case; an image without is a case of its own.",
        ),
        (
            "Paired, hit, missed",
            f"Findings of a score of at least {threshold} and lesions of an image are paired one to one so that the "
            f"sum of IoU is largest. A pair is a hit from an IoU of {iou} on; every other finding is a false positive; "
            "a lesion without a hit is missed.",
        ),
        (
            "Truth of an image",
            "Tumor if it has a lesion or its image_label says so, else normal. Its class is image_label where given, "
            "else the gravest class among its lesions.",
        ),
        (
            "Score and call of an image",
            "The score is that of its highest finding, 0 without any; the image is called positive if the score is at "
            f"least {threshold}, and then of the class of that finding, else normal.",
        ),
        (
            "Truth of a patient",
            "Tumor if any image has one; of the gravest class among the images.",
        ),
        (
            "Score and call of a patient",
            f"The score is {_SCORES.get(settings.rule, settings.rule)} of the images' scores; the patient is "
            f"{RULES.get(settings.rule, settings.rule)}, and then of the class of the finding of highest score."
            f"{located}",
        ),
    ]
