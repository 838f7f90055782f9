"""What reporting guidelines ask of an evaluation, and what a study's page answers (``checklists.yaml``).

TRIPOD+AI: Collins et al., BMJ 2024;385:e078378, doi 10.1136/bmj-2023-078378. CLAIM 2024: Tejani et al., Radiology:
Artificial Intelligence 2024;6:e240300, doi 10.1148/ryai.240300. Only items that an evaluation can touch, in our own
words; the rest of both lists is the authors' alone. Not here: the published wording, nor a verdict on a manuscript.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from segtumor.reporting.words import load_words

ANSWERED, PARTLY, NOT_ANSWERED = "answered", "partly", "not answered"
AUTHORS = "the authors must write this"


@dataclass(frozen=True)
class Item:
    """One item of a guideline.

    Attributes:
        status: ANSWERED, PARTLY or NOT_ANSWERED, if the page holds what ``needs`` names.
        section: anchor of the section that says it; "" if none does.
        needs: facts without any of which the item is not answered.
    """

    number: str
    asks: str
    status: str
    answer: str
    section: str = ""
    needs: tuple[str, ...] = ()


def facts() -> Mapping[str, str]:
    """What a report may or may not hold, and its name in words."""
    names: Mapping[str, str] = load_words("checklists")["facts"]
    return names


def checklists() -> list[tuple[str, list[Item]]]:
    """(title, items) of each guideline."""
    guidelines = load_words("checklists")["guidelines"]
    return [(guideline["title"], [_item(**row) for row in guideline["items"]]) for guideline in guidelines]


def filled(items: Collection[Item], known: Collection[str]) -> list[Item]:
    """Items for one report: those whose needs are not among the facts ``known`` become not answered."""
    return [item if set(item.needs) <= set(known) else _unanswered(item) for item in items]


def _item(number: str, asks: str, answer: str = "", *, full: bool = False, **place: Any) -> Item:
    if not answer:
        return Item(number, asks, NOT_ANSWERED, AUTHORS)
    needs = tuple(place.get("needs", ()))
    return Item(number, asks, ANSWERED if full else PARTLY, answer.format(authors=AUTHORS), place["section"], needs)


def _unanswered(item: Item) -> Item:
    missing = " and no ".join(facts()[need] for need in item.needs)
    return Item(item.number, item.asks, NOT_ANSWERED, f"{AUTHORS}; this report has no {missing}")
