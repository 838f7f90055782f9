"""The worklist: cases with what became of their images, sorted, filtered and searched by the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from segtumor.web.storage.schema import DONE, FAILED, RUNNING, STATUSES, WAITING, Case, Image
from segtumor.web.storage.store import Store

ARRIVAL, MALIGNANT = "arrival", "malignant"
#: What it can be sorted by; the newest, or the most probably malignant, first.
ORDERS = (ARRIVAL, MALIGNANT)


@dataclass(frozen=True)
class WorklistCase:
    """A case of the worklist.

    Attributes:
        status: of its images: running or waiting while any is, failed if all failed, else done.
        reason: why one failed.
        tumour, malignant: the highest of its images, [0, 1]; None where none is known.
        called: class of its image with the highest score of a tumour.
        reviewed: whether all that were read are.
        images: keys, in the order of their arrival.
    """

    key: str
    name: str
    arrived: datetime
    status: str
    reason: str | None
    tumour: float | None
    malignant: float | None
    called: str | None
    reviewed: bool
    images: tuple[str, ...]


@dataclass(frozen=True)
class Worklist:
    """A part of the worklist, how many cases the filter lets through, and how many there are of each status."""

    cases: tuple[WorklistCase, ...]
    total: int
    counts: Mapping[str, int]


def worklist(
    store: Store, *, sort: str = ARRIVAL, status: str | None = None, search: str = "", limit: int = 100, offset: int = 0
) -> Worklist:
    """A part of the worklist.

    Args:
        sort: one of ``ORDERS``.
        status: one of ``STATUSES``; None for all.
        search: part of the name of a case or of a file, in capitals or not.
    """
    grouped = _grouped(search).subquery()
    counts = {name: 0 for name in STATUSES}
    counts |= dict(map(tuple, store.read(sa.select(grouped.c.status, sa.func.count()).group_by(grouped.c.status))))
    wanted = sa.select(grouped)
    if status is not None:
        wanted = wanted.where(grouped.c.status == status)
    newest = grouped.c.number.desc()
    first = [sa.func.coalesce(grouped.c.malignant, grouped.c.tumour, -1).desc(), newest]
    wanted = wanted.order_by(*(first if sort == MALIGNANT else [newest])).limit(limit).offset(offset)
    rows = store.read(wanted)
    images = _images_of(store, [row.number for row in rows])
    total = sum(counts.values()) if status is None else counts.get(status, 0)
    return Worklist(tuple(_case(row, images[row.number]) for row in rows), total, counts)


def _grouped(search: str) -> sa.Select[Any]:
    """A row for each case: its number, key, name, arrival, status and scores."""

    def count(status: str) -> Any:
        return sa.func.sum(sa.case((Image.status == status, 1), else_=0))

    status = sa.case(
        (count(RUNNING) > 0, RUNNING),
        (count(WAITING) > 0, WAITING),
        (count(FAILED) == sa.func.count(), FAILED),
        else_=DONE,
    )
    unreviewed = sa.func.sum(sa.case((sa.and_(Image.status == DONE, Image.reviewed.is_(False)), 1), else_=0))
    grouped = sa.select(
        Case.number,
        Case.key,
        Case.name,
        Case.arrived,
        status.label("status"),
        sa.func.max(Image.reason).label("reason"),
        sa.func.max(Image.tumour).label("tumour"),
        sa.func.max(Image.malignant).label("malignant"),
        sa.and_(unreviewed == 0, count(DONE) > 0).label("reviewed"),
    ).join(Image, Image.case_number == Case.number)
    if search:
        found = sa.select(Image.case_number).where(Image.name.icontains(search, autoescape=True))
        grouped = grouped.where(sa.or_(Case.name.icontains(search, autoescape=True), Case.number.in_(found)))
    return grouped.group_by(Case.number, Case.key, Case.name, Case.arrived)


def _images_of(store: Store, numbers: list[int]) -> dict[int, list[sa.Row[Any]]]:
    columns = sa.select(Image.case_number, Image.key, Image.tumour, Image.called)
    found: dict[int, list[sa.Row[Any]]] = {number: [] for number in numbers}
    for row in store.read(columns.where(Image.case_number.in_(numbers)).order_by(Image.number)):
        found[row.case_number].append(row)
    return found


def _case(row: sa.Row[Any], images: list[sa.Row[Any]]) -> WorklistCase:
    worst = max(images, key=lambda image: -1 if image.tumour is None else image.tumour)
    return WorklistCase(
        row.key,
        row.name,
        row.arrived,
        row.status,
        row.reason,
        row.tumour,
        row.malignant,
        worst.called,
        bool(row.reviewed),
        tuple(image.key for image in images),
    )
