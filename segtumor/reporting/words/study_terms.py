"""What the words of a study's page mean: truth, score and call of an image and of a patient (``terms.yaml``).

Not here: the measures made of them (``metric_texts``).
"""

import dataclasses

from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.study.values import Study
from segtumor.reporting.words import load_words


def rule_text(rule: str) -> str:
    """How the images of a patient become one call, by ``StudySettings.rule``."""
    text: str = load_words("terms")["rules"].get(rule, rule)
    return text


def field_text(name: str) -> str:
    """A field that subgroups are made by, for people."""
    text: str = load_words("terms")["fields"].get(name, name.replace("_", " "))
    return text


def froc_criterion_text(settings: StudySettings) -> str:
    """What finds a lesion in the FROC curve."""
    text: str = load_words("terms")["froc_criteria"][settings.froc_criterion]
    return text.format(iou_threshold=settings.iou_threshold)


def term_texts(study: Study) -> list[tuple[str, str]]:
    """(term, what it means) for a reader of the page; those that the kind of model has no use for are left out."""
    settings = study.settings
    words = load_words("terms")
    filling = {
        **dataclasses.asdict(settings),
        "score": words["scores"].get(settings.rule, settings.rule),
        "rule": rule_text(settings.rule),
        "class_of": words["classes" if study.judges_images else "classes_by_finding"],
        "located": f" {words['located']}" if settings.require_located else "",
    }
    terms = dict(words["terms"])
    if study.judges_images:
        terms |= words["of_judged_images"]
    if not study.marks_lesions:
        terms = {term: text for term, text in terms.items() if term not in words["of_lesions"]}
    return [(term, text.format(**filling)) for term, text in terms.items()]
