"""Counts of a data set as tables: parts, classes, lesion sizes, and what is known about images and cases.

An image that is in several parts (folds) counts once outside the table of parts. Crowd regions are no lesions, but
an image that holds nothing else is not one without a lesion; both are counted where there are any. Not here: pictures
(``segtumor.reporting.pages.data_card``) and what is wrong with the data (``segtumor.annotations.validation``).
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtumor.ages import AGE_GROUP, AGE_GROUPS, is_age
from segtumor.annotations.coco import CocoDataset
from segtumor.annotations.regions import Crowds, count_crowds, is_crowd, region_remarks
from segtumor.cases import case_or_own
from segtumor.datasets.cohort import cohort_groups
from segtumor.datasets.splits.strata import UNKNOWN, attribute_text
from segtumor.files import prepare_output_folder, write_csv, write_json
from segtumor.taxonomy import NORMAL

#: Lower ends of the size classes, px: side of a square of the lesion's area.
SIZE_STARTS_PX = (0, 8, 16, 32, 64, 128, 256)
#: Tables by attribute of the image, and their titles.
ATTRIBUTES = {
    "image_label": "Image label",
    "subtype": "Subtype",
    "site": "Site",
    "region": "Region",
    "view": "View",
    AGE_GROUP: "Age group (years)",
    "sex": "Sex",
    "center": "Centre",
}

STATISTICS = "statistics.json"
#: COCO image entry.
Image = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """Cells under a header; ``note`` says how to read them."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""

    @property
    def file_name(self) -> str:
        """Of its CSV file: the title without what is in brackets."""
        return f"{self.title.split(' (')[0].lower().replace(' ', '_')}.csv"

    @property
    def defined_rows(self) -> list[list[Any]]:
        """The rows for files: the dash that stands for an undefined value on the screen is None."""
        return [[None if cell == "-" else cell for cell in row] for row in self.rows]


@dataclass(frozen=True)
class _Lesion:
    image: Image
    class_name: str
    side_px: float  # of a square of the same area
    share: float  # of the image's area


@dataclass(frozen=True)
class Statistics:
    """What ``describe`` counts; ``sides_px``, by class, are of squares of the lesions' areas; ``ages`` in years."""

    tables: tuple[Table, ...]
    class_names: tuple[str, ...]
    sides_px: dict[str, list[float]]
    ages: list[float]


def describe(parts: Mapping[str, CocoDataset], *, cohort_by: str = "center") -> Statistics:
    """Count what is in a data set; ``cohort_by``: field whose values the last table sets side by side, if several."""
    names = next(iter(parts.values())).taxonomy.names
    images, lesions, regions = _union(parts)
    crowds = count_crowds(regions.items())
    tables = [
        *([_parts_table(parts, names, crowds)] if len(parts) > 1 else []),
        _class_table(images, lesions, names, crowds, region_remarks(regions.items())),
        _size_table(lesions, names),
        _image_table(images),
        *_attribute_tables(images, lesions, names, crowds),
    ]
    cohort = cohort_groups(parts, cohort_by)
    if cohort is not None:
        title = f"Cohort by {'centre' if cohort_by == 'center' else cohort_by}"
        tables.append(Table(title, cohort.header, cohort.rows, cohort.note))
    sides = {name: [lesion.side_px for lesion in lesions if lesion.class_name == name] for name in names}
    ages = [image["age"] for image in images if is_age(image.get("age"))]
    return Statistics(tuple(tables), names, sides, ages)


def write_statistics(statistics: Statistics, folder: str | Path) -> Path:
    """Write every table as CSV and all as statistics.json into a folder, which is made if needed; returns it."""
    output = prepare_output_folder(folder)
    for table in statistics.tables:
        rows = [dict(zip(table.header, row, strict=True)) for row in table.defined_rows]
        write_csv(output / table.file_name, rows, table.header)
    tables = [{**vars(table), "rows": table.defined_rows} for table in statistics.tables]
    write_json(output / STATISTICS, {"schema_version": 1, "tables": tables})
    return output


def _union(
    parts: Mapping[str, CocoDataset],
) -> tuple[list[Image], list[_Lesion], dict[str, Sequence[Mapping[str, Any]]]]:
    """Images, each once, their lesions, and {file name: annotations}."""
    images: dict[str, Image] = {}
    lesions: list[_Lesion] = []
    regions: dict[str, Sequence[Mapping[str, Any]]] = {}
    for dataset in parts.values():
        for image in dataset.images:
            if image["file_name"] in images:
                continue
            images[image["file_name"]] = image
            regions[image["file_name"]] = dataset.annotations_of_image.get(image["id"], ())
            lesions += _lesions(image, dataset)
    return list(images.values()), lesions, regions


def _lesions(image: Image, dataset: CocoDataset) -> list[_Lesion]:
    names, pixels = dataset.taxonomy.names, image["width"] * image["height"]
    found = []
    for annotation in dataset.annotations_of_image.get(image["id"], ()):
        if is_crowd(annotation):
            continue  # counted apart
        area = annotation.get("area") or annotation["bbox"][2] * annotation["bbox"][3]
        name = names[dataset.class_of_category_id[annotation["category_id"]]]
        found.append(_Lesion(image, name, math.sqrt(area), area / pixels))
    return found


def _parts_table(parts: Mapping[str, CocoDataset], names: Sequence[str], crowds: Crowds) -> Table:
    rows: list[dict[str, Any]] = []
    for part, dataset in parts.items():
        regions = [a for own in dataset.annotations_of_image.values() for a in own]
        classes = Counter(a["category_id"] for a in regions if not is_crowd(a))
        of_class = [classes[category_id] for category_id in dataset.category_id_of_class]
        row: dict[str, Any] = {"part": part, "images": len(dataset.images)}
        row["without lesion"] = sum(not dataset.annotations_of_image.get(image["id"]) for image in dataset.images)
        if crowds.n_regions:
            row["crowds only"] = len(dataset.crowds.only)
        row["cases"] = len({case_or_own(image) for image in dataset.images})
        row["lesions"] = sum(of_class)
        row |= {f"{name} lesions": n for name, n in zip(names, of_class, strict=True)}
        if crowds.n_regions:
            row["crowd regions"] = dataset.crowds.n_regions
        rows.append(row)
    return _table("Parts", rows)


def _table(title: str, rows: Sequence[Mapping[str, Any]], note: str = "") -> Table:
    return Table(title, tuple(rows[0]), tuple(tuple(row.values()) for row in rows), note)


def _class_table(
    images: Sequence[Image], lesions: Sequence[_Lesion], names: Sequence[str], crowds: Crowds, remarks: Sequence[str]
) -> Table:
    rows = []
    for name in names:
        own = [lesion for lesion in lesions if lesion.class_name == name]
        sides = [lesion.side_px for lesion in own]
        rows.append((name, len(own), *_images_and_cases(own), *_quartiles(sides), _percent_of(own)))
    with_any = {lesion.image["file_name"] for lesion in lesions} | set(crowds.only)
    without = [image for image in images if image["file_name"] not in with_any]
    rows.append(("no lesion", 0, len(without), len(set(map(case_or_own, without))), "-", "-", "-", "-"))
    if crowds.n_regions:
        only = [image for image in images if image["file_name"] in crowds.only]
        rows.append(("crowds only", 0, len(only), len(set(map(case_or_own, only))), "-", "-", "-", "-"))
    total = [lesion.side_px for lesion in lesions]
    counts = (len(lesions), len(images), len(set(map(case_or_own, images))))
    rows.append(("all", *counts, *_quartiles(total), _percent_of(lesions)))
    header = ("class", "lesions", "images", "cases", "size 25%", "median", "75% (px)", "% of image")
    note = (
        "An image or case with lesions of two classes counts for both. Size: side of a square of the lesion's area, "
        "px; the last column is the median share of the image's area."
    )
    note = " ".join([note, *(f"{remark}." for remark in remarks)])
    return Table("Classes", header, tuple(rows), note)


def _images_and_cases(lesions: Sequence[_Lesion]) -> tuple[int, int]:
    images = {lesion.image["file_name"]: lesion.image for lesion in lesions}
    return len(images), len(set(map(case_or_own, images.values())))


def _quartiles(values: Sequence[float]) -> tuple[str, ...]:
    return tuple(f"{value:.1f}" for value in np.percentile(values, (25, 50, 75))) if values else ("-",) * 3


def _percent_of(lesions: Sequence[_Lesion]) -> str:
    return f"{100 * np.median([lesion.share for lesion in lesions]):.2f}" if lesions else "-"


def _size_table(lesions: Sequence[_Lesion], names: Sequence[str]) -> Table:
    rows = []
    for index, start in enumerate(SIZE_STARTS_PX):
        end = SIZE_STARTS_PX[index + 1] if index + 1 < len(SIZE_STARTS_PX) else math.inf
        inside = Counter(lesion.class_name for lesion in lesions if start <= lesion.side_px < end)
        label = f"{start} px and more" if end == math.inf else f"{start} to {end} px"
        rows.append((label, sum(inside.values()), *(inside[name] for name in names)))
    note = "Side of a square of the lesion's area, px of the stored image."
    # A class may be called like a column; under one name, one of the two would be lost.
    classes = (f"class {name}" if name in ("size", "lesions") else name for name in names)
    return Table("Lesion sizes", ("size", "lesions", *classes), tuple(rows), note)


def _image_table(images: Sequence[Image]) -> Table:
    short, long = ([f(image["width"], image["height"]) for image in images] for f in (min, max))
    spaced = sum(image.get("spacing_mm") is not None for image in images)
    rows = [
        (label, min(values), f"{np.median(values):g}", max(values))
        for label, values in (("shorter side (px)", short), ("longer side (px)", long))
    ]
    note = f"{spaced} of {len(images)} images have a known pixel spacing."
    return Table("Image sizes", ("", "smallest", "median", "largest"), tuple(rows), note)


def _attribute_tables(
    images: Sequence[Image], lesions: Sequence[_Lesion], names: Sequence[str], crowds: Crowds
) -> Iterator[Table]:
    """A table for each attribute that any image has."""
    classes_of_image: dict[str, set[str]] = {}
    for lesion in lesions:
        classes_of_image.setdefault(lesion.image["file_name"], set()).add(lesion.class_name)
    for key, title in ATTRIBUTES.items():
        by_value: dict[str, list[Image]] = {}
        for image in images:
            by_value.setdefault(attribute_text(image, key), []).append(image)
        note = _unread_ages(images) if key == AGE_GROUP else ""
        if set(by_value) == {UNKNOWN} and not note:
            continue
        rows = []
        for value, group in _sorted(by_value, key):
            classes = Counter(name for image in group for name in classes_of_image.get(image["file_name"], ()))
            only = sum(image["file_name"] in crowds.only for image in group)
            without = sum(image["file_name"] not in classes_of_image for image in group) - only
            row: dict[str, Any] = {title.lower(): value, "images": len(group)}
            row |= {"cases": len(set(map(case_or_own, group))), "without lesion": without}
            row |= {"crowds only": only} if crowds.n_regions else {}
            rows.append(row | {f"with {name}": classes[name] for name in names})
        yield _table(title, rows, note)


def _unread_ages(images: Sequence[Image]) -> str:
    """A note on ages that are no number, so that they do not vanish among the unknown; "" without any."""
    unread = [i for i in images if i.get("age") not in (None, "") and not is_age(i["age"])]
    if not unread:
        return ""
    example = f"{unread[0]['age']!r} of {unread[0]['file_name']}"
    return f"The age of {len(unread)} images is not a number of years, such as {example}: they are unknown here."


def _sorted(by_value: Mapping[str, list[Image]], key: str) -> list[tuple[str, list[Image]]]:
    """Most frequent first, ages in their order, unknown last."""
    if key == AGE_GROUP:
        return [(group, by_value[group]) for group in (*AGE_GROUPS, UNKNOWN) if group in by_value]
    return sorted(by_value.items(), key=lambda item: (item[0] == UNKNOWN, item[0] != NORMAL, -len(item[1]), item[0]))
