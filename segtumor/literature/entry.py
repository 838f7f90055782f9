"""A published source as values: what it is of, the numbers it prints, and its claims.

Not here: reading them from YAML (``entries``), recomputing (``claims``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtumor.literature.printed_numbers import Printed

UNKNOWN = "unknown"
#: Whose a claim is: the source's own, one's quote of another, or nobody's: another reading of what is printed, tried.
SOURCE, QUOTED, TRIAL = "source", "quoted", "trial"


@dataclass(frozen=True)
class Split:
    """One part of a source's data.

    Args:
        kind: one of ``protocols.SPLIT_KINDS``; detail: the same in the source's words.
        n: patients where the source counts patients, else images; None if not given.
        leak: what test and training share; "" if nothing is known.
    """

    kind: str = UNKNOWN
    detail: str = ""
    n: int | None = None
    leak: str = ""


@dataclass(frozen=True)
class Result:
    """One printed number.

    Args:
        metric: our measure's name where it means the same, else the source's own.
        value: as printed; ``number`` has its decimals, ``fraction`` its value from 0 to 1 where it is a share.
        ci: (low, high), or None.
        n: units that it is of; counts: (k, n) behind it; either may be None.
        group: class or subset, "" for all; model: which of the source's models.
        unit, iou_rule: the entry's unless the row has its own.
        comparable: the source defines it as we do, so that a number of ours may be set beside it under such a protocol
            (whether data and split are the same is decided there); why_not: why not.
        derived: not printed, computed from printed counts.
    """

    metric: str
    value: str
    number: Printed
    ci: tuple[Printed, ...] | None
    n: int | None
    counts: tuple[int, ...] | None
    group: str
    model: str
    split: str
    unit: str
    iou_rule: str
    protocols: tuple[str, ...]
    comparable: bool
    why_not: str
    derived: bool

    @property
    def fraction(self) -> float:
        """The number, from 0 to 1 where it was printed in percent."""
        return self.number.value


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix that a source prints.

    Args:
        classes: K + 1 names, normal first; counts: rows true, columns called.
    """

    model: str
    split: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Claim:
    """One thing to recompute.

    Args:
        kind: of ``claims.kinds.CHECKS``.
        what: what is claimed; where: the place in the source, or "".
        whose: SOURCE, QUOTED or TRIAL.
    """

    kind: str
    what: str
    where: str
    arguments: Mapping[str, Any]
    whose: str = SOURCE


@dataclass(frozen=True)
class Entry:
    """One source; fields as ``entries.schema.SCHEMA``, ``path`` of its file."""

    id: str
    citation: Mapping[str, Any]
    read: bool
    quoted_by: str
    source: str
    dataset: str
    modality: str
    task: str
    unit: str
    iou_rule: str
    splits: Mapping[str, Split]
    results: tuple[Result, ...]
    confusions: tuple[Confusion, ...]
    claims: tuple[Claim, ...]
    path: Path

    @property
    def short(self) -> str:
        """Who and when, for a title."""
        return f"{self.citation['authors']} {self.citation.get('year', '')}".strip()
