"""What reporting guidelines ask of an evaluation, and what a study's page answers.

TRIPOD+AI: Collins et al., BMJ 2024;385:e078378, doi 10.1136/bmj-2023-078378. CLAIM 2024: Tejani et al., Radiology:
Artificial Intelligence 2024;6:e240300, doi 10.1148/ryai.240300. Only items that an evaluation can touch, in our own
words; the rest of both lists is the authors' alone. Not here: the published wording, nor a verdict on a manuscript.
"""

from dataclasses import dataclass

ANSWERED, PARTLY, NOT_ANSWERED = "answered", "partly", "not answered"
AUTHORS = "the authors must write this"

#: What a report may or may not hold, and its name in words; the items below say what they need.
FACTS = {
    "subgroups": "subgroups",
    "tests": "tests across groups",
    "annotations": "hash of the annotations",
    "weights": "hash of the weights",
    "split": "hash of the split",
    "examples": "pictures of cases",
    "configuration": "configuration",
    "temperature": "temperature of the scores",
}


@dataclass(frozen=True)
class Item:
    """One item of a guideline.

    Attributes:
        number: as published.
        asks: what it asks for.
        status: ANSWERED, PARTLY or NOT_ANSWERED, if the page holds what ``needs`` names.
        answer: what the page says about it.
        section: anchor of the section that says it; "" if none does.
        needs: facts (of FACTS) without any of which the item is not answered.
    """

    number: str
    asks: str
    status: str
    answer: str
    section: str = ""
    needs: tuple[str, ...] = ()


def filled(items, facts):
    """Items as they stand for one report: those whose needs are not among ``facts`` become not answered."""
    return [item if set(item.needs) <= set(facts) else _unanswered(item) for item in items]


def _unanswered(item):
    missing = " and no ".join(FACTS[need] for need in item.needs)
    return Item(item.number, item.asks, NOT_ANSWERED, f"{AUTHORS}; this report has no {missing}")


TRIPOD_AI = (
    Item(
        "5a",
        "where the data come from",
        PARTLY,
        "files by hash; their origin: " + AUTHORS,
        "provenance",
        ("annotations",),
    ),
    Item("6b", "who was eligible", NOT_ANSWERED, AUTHORS),
    Item(
        "8a",
        "what is predicted and how the truth was assessed",
        PARTLY,
        "how truth of image and patient follows from annotations; how these were made: " + AUTHORS,
        "definitions",
    ),
    Item(
        "10",
        "how the number of cases was chosen",
        PARTLY,
        "numbers and the width of every interval; the reason for the number: " + AUTHORS,
        "headline",
    ),
    Item("11", "missing data", PARTLY, "what was left out or assumed is listed; reasons: " + AUTHORS, "remarks"),
    Item(
        "12a",
        "how the data were divided",
        PARTLY,
        "hash of the split; how it was made: " + AUTHORS,
        "provenance",
        ("split",),
    ),
    Item(
        "12d",
        "differences between clusters such as hospitals",
        PARTLY,
        "by subgroup of every recorded field; whether a center is among them depends on the data",
        "subgroups",
        ("subgroups",),
    ),
    Item(
        "12e",
        "the measures and plots of performance, and why",
        PARTLY,
        "every measure is defined and plotted; why these matter for the purpose: " + AUTHORS,
        "definitions",
    ),
    Item(
        "12f",
        "recalibration or other updating of the model",
        PARTLY,
        "the temperature, what it was fitted on, and calibration before and after; other updating: " + AUTHORS,
        "calibration",
        ("temperature",),
    ),
    Item(
        "12g",
        "how predictions were made for the evaluation",
        PARTLY,
        "the weights by hash, thresholds and patient rule; the model: " + AUTHORS,
        "settings",
        ("weights",),
    ),
    Item("13", "class imbalance", PARTLY, "counts per class; what training did about it: " + AUTHORS, "confusion"),
    Item(
        "14",
        "fairness",
        PARTLY,
        "performance by subgroup; what was done about differences: " + AUTHORS,
        "subgroups",
        ("subgroups",),
    ),
    Item(
        "15",
        "the output of the model and its threshold",
        PARTLY,
        "what the score is, threshold and patient rule; why this threshold: " + AUTHORS,
        "definitions",
    ),
    Item("16", "how evaluation data differ from training data", NOT_ANSWERED, AUTHORS),
    Item(
        "18f",
        "availability of the code",
        PARTLY,
        "versions of the software; where it is kept: " + AUTHORS,
        "provenance",
    ),
    Item(
        "20a",
        "flow of participants, with numbers with and without the outcome",
        PARTLY,
        "numbers with and without a tumor; the way to them: " + AUTHORS,
        "summary",
    ),
    Item(
        "20b",
        "characteristics of the participants",
        PARTLY,
        "number in each level of every recorded field; a table of characteristics: " + AUTHORS,
        "subgroups",
        ("subgroups",),
    ),
    Item(
        "21",
        "participants and outcomes in each analysis",
        PARTLY,
        "numbers beside every value; ranked measures do not split them by outcome, the counts of positives do",
        "measures",
    ),
    Item(
        "23a",
        "performance with intervals, in key subgroups too, with plots",
        ANSWERED,
        "every value with interval, by subgroup, with plots",
        "measures",
        ("subgroups",),
    ),
    Item(
        "23b",
        "differences of performance between clusters",
        PARTLY,
        "tests across the levels of recorded fields, adjusted; whether a center is among them depends on the data",
        "tests",
        ("tests",),
    ),
    Item("25", "interpretation", NOT_ANSWERED, AUTHORS),
    Item("26", "limitations", PARTLY, "what was assumed or is undefined; limits of the study: " + AUTHORS, "remarks"),
)

CLAIM_2024 = (
    Item("7", "source of the data", PARTLY, "files by hash; their origin: " + AUTHORS, "provenance", ("annotations",)),
    Item("12", "missing data", PARTLY, "what was left out or assumed is listed; reasons: " + AUTHORS, "remarks"),
    Item("14", "how the reference standard was obtained", NOT_ANSWERED, AUTHORS),
    Item(
        "19",
        "how cases were assigned to partitions",
        PARTLY,
        "hash of the split; how it was made: " + AUTHORS,
        "provenance",
        ("split",),
    ),
    Item(
        "20",
        "at which level partitions are disjoint",
        PARTLY,
        "hash of the split; that no patient is in two parts: " + AUTHORS,
        "provenance",
        ("split",),
    ),
    Item(
        "21", "intended sample size", PARTLY, "numbers and interval widths; what was intended: " + AUTHORS, "headline"
    ),
    Item(
        "23",
        "software and versions",
        PARTLY,
        "versions that measured; those that trained, if not recorded here: " + AUTHORS,
        "provenance",
    ),
    Item(
        "25",
        "details of training",
        PARTLY,
        "the configuration, as recorded; the rest: " + AUTHORS,
        "provenance",
        ("configuration",),
    ),
    Item("28", "metrics of performance", ANSWERED, "every measure is defined", "definitions"),
    Item(
        "29",
        "statistical significance and uncertainty",
        ANSWERED,
        "intervals that resample cases; tests across groups, where there are any, adjusted for their number",
        "measures",
    ),
    Item(
        "30",
        "robustness or sensitivity analysis",
        PARTLY,
        "by subgroup; other analyses: " + AUTHORS,
        "subgroups",
        ("subgroups",),
    ),
    Item(
        "32",
        "evaluation on internal data",
        PARTLY,
        "this report, if the data are internal: which, " + AUTHORS,
        "provenance",
    ),
    Item(
        "33",
        "testing on external data",
        PARTLY,
        "this report, if the data are external: which, " + AUTHORS,
        "provenance",
    ),
    Item(
        "35",
        "numbers of patients and examinations, with exclusions",
        PARTLY,
        "numbers evaluated; exclusions before that: " + AUTHORS,
        "summary",
    ),
    Item(
        "36",
        "characteristics of the cases in each partition",
        PARTLY,
        "number in each level of every recorded field of this partition; the others: " + AUTHORS,
        "subgroups",
        ("subgroups",),
    ),
    Item("37", "performance with its uncertainty", ANSWERED, "every value with its interval", "measures"),
    Item(
        "38",
        "diagnostic performance and its precision",
        ANSWERED,
        "sensitivity, specificity, predictive values and AUC of images and patients",
        "measures",
    ),
    Item(
        "39",
        "analysis of failures",
        PARTLY,
        "the worst cases as pictures; what they have in common: " + AUTHORS,
        "examples",
        ("examples",),
    ),
    Item("40", "limitations", PARTLY, "what was assumed or is undefined; limits of the study: " + AUTHORS, "remarks"),
    Item(
        "43",
        "availability of software, model and data",
        PARTLY,
        "versions and hashes; where they are kept: " + AUTHORS,
        "provenance",
    ),
)
