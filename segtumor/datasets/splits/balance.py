"""How alike the parts of a split are: counts, and the share of each label, class and attribute, as tables of text.

Folds are shown as they are: each training part is all the others. Not here: printing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from segtumor.annotations.regions import is_crowd
from segtumor.datasets.splits.split import Split
from segtumor.datasets.splits.strata import attribute_text

_MOST_COLUMNS = 8
#: (header, rows).
TextTable = tuple[list[str], list[list[Any]]]


def balance_tables(
    split: Split,
    images: Sequence[Mapping[str, Any]],
    annotations: Sequence[Mapping[str, Any]],
    categories: Sequence[Mapping[str, Any]],
    labels: Sequence[str],
    *,
    keys: Sequence[str] = (),
    severity: Sequence[str] = (),
) -> list[TextTable]:
    """(header, rows) of the counts of a split, then of shares in percent, of labels, ``keys`` and classes of lesions.

    ``keys`` are attributes of images, such as center or age_group; ``severity`` are the labels in order.
    """
    part_of_image = {image["id"]: _part(split, image) for image in images}
    parts = [part_of_image[image["id"]] for image in images]
    lesions = [(part_of_image[a["image_id"]], a["category_id"]) for a in annotations if not is_crowd(a)]
    kept_images = [(part, image) for part, image in zip(parts, images, strict=True) if part is not None]
    cases = {(part, split.assignment[image["file_name"]]["case_id"]) for part, image in kept_images}
    counts: list[Counter[str | None]] = [
        Counter(parts),
        Counter(part for part, _ in cases),
        Counter(part for part, _ in lesions),
    ]
    rows: list[list[Any]] = [[part, *(count[part] for count in counts)] for part in split.fractions]
    rows.append(
        ["total", len(kept_images), len({case for _, case in cases}), sum(part is not None for part, _ in lesions)]
    )
    first = "part" if split.composition is None else "fold"
    tables: list[TextTable] = [([first, "images", "cases", "lesions"], rows)]
    tables.append(_shares(first, "label", split, parts, labels, order=severity))
    for key in keys:
        tables.append(_shares(first, key, split, parts, [attribute_text(image, key) for image in images]))
    names = {category["id"]: category["name"] for category in categories}
    parts_of_lesions, classes = [part for part, _ in lesions], [names[category] for _, category in lesions]
    tables.append(_shares(first, "class of lesions", split, parts_of_lesions, classes, order=tuple(names.values())))
    return tables


def _part(split: Split, image: Mapping[str, Any]) -> str | None:
    entry = split.assignment.get(image["file_name"])
    return None if entry is None else entry["part"]


def _shares(
    first: str,
    title: str,
    split: Split,
    parts: Sequence[str | None],
    values: Sequence[str],
    order: Sequence[str] | None = None,
) -> TextTable:
    totals = Counter(values)
    columns = list(order) if order else [value for value, _ in sorted(totals.items(), key=lambda i: (-i[1], i[0]))]
    shown: list[str | None] = list(columns if len(columns) <= _MOST_COLUMNS else columns[: _MOST_COLUMNS - 1])
    counts = Counter((p, v if v in shown else None) for p, v in zip(parts, values, strict=True) if p is not None)
    number = Counter(part for part in parts if part is not None)
    shown = shown if len(shown) == len(columns) else [*shown, None]
    rows = [[part, *(_percent(counts[part, v], number[part]) for v in shown)] for part in split.fractions]
    everywhere = [sum(counts[part, v] for part in split.fractions) for v in shown]
    rows.append(["total", *(_percent(count, sum(number.values())) for count in everywhere)])
    header = [f"{first} \\ {title}", *(f"other {len(columns) - len(shown) + 1}" if v is None else v for v in shown)]
    return header, rows


def _percent(count: int, total: int) -> str:
    return f"{100 * count / total:.1f}%" if total else "-"
