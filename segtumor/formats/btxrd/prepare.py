"""From the BTXRD folder to a data set: conversion, split by case, one annotation file per part, the report.

Where there is a split file, the conversion is complete: an older one is removed first and the new one written when all
else is there. Not here: reading the release (``convert``), dividing it and writing parts (``datasets.splits``).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segtumor import __version__
from segtumor.annotations.image_names import stem_of
from segtumor.annotations.remarks import Remark, kinds_of
from segtumor.cases import is_own_case
from segtumor.datasets.image_placement import place_images
from segtumor.datasets.splits.deal import SEVERITY, check_fractions
from segtumor.datasets.splits.document import hash_images, read_split, reuse_split, split_document
from segtumor.datasets.splits.official import Listing, match, path_of, read_lists
from segtumor.datasets.splits.output import check_no_earlier_split, part_documents, remove_earlier_parts, write_parts
from segtumor.datasets.splits.split import GROUPED, IMAGE, NONE, OFFICIAL, Split, make_split, split_from_parts
from segtumor.errors import ConfigError, DataError
from segtumor.files import prepare_output_folder, sha256_of_file, write_json
from segtumor.formats.btxrd.convert import Conversion, convert
from segtumor.formats.btxrd.dataset_table import find_table, read_cases, read_parts
from segtumor.formats.conversion.assemble import ConversionError
from segtumor.formats.conversion.earlier_output import (
    REPORT,
    check_no_earlier,
    names_of_files,
    new_files,
    remove_earlier,
)
from segtumor.progress import Progress
from segtumor.taxonomy import BINARY, NORMAL, SUBTYPES, Taxonomy
from segtumor.texts import some_of

_NAMED = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """What is made of BTXRD.

    Attributes:
        split: GROUPED, IMAGE, NONE, OFFICIAL, or path of a split.json whose parts are used again.
        groups: table of the cases, needed by GROUPED.
        lists: of OFFICIAL; empty: a column of the data set's table.
        taxonomy: its classes: BINARY, GRADED or SUBTYPES.
        strict: whether nothing is written if anything has to be left out.
        overwrite: whether an earlier conversion in the output folder is replaced.
    """

    split: str = GROUPED
    groups: str | Path | None = None
    lists: Sequence[str] = ()
    fractions: Mapping[str, float] = field(default_factory=lambda: {"train": 0.7, "val": 0.1, "test": 0.2})
    seed: int = 0
    taxonomy: Taxonomy = BINARY
    images: str = "link"
    hash_images: bool = True
    strict: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Prepared:
    """What was written."""

    conversion: Conversion
    split: Split
    summaries: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Bars:
    """Progress of reading, copying and hashing images; each wraps what is iterated, as tqdm does."""

    reading: Progress = iter
    copying: Progress = iter
    hashing: Progress = iter


def prepare(source: str | Path, output: str | Path, options: PrepareOptions, *, progress: Bars = Bars()) -> Prepared:
    """Convert the unpacked release and split it.

    Args:
        source: folder with images, Annotations and dataset.csv or dataset.xlsx.

    Raises:
        ConfigError: options that do not fit each other, or files that would be replaced.
        ConversionError: nothing can be used, or ``strict`` and something would be left out.
        DataError: other faults of the release, the lists or the tables.
        OutputError: something cannot be written.
    """
    check_no_earlier(output, overwrite=options.overwrite)
    check_no_earlier_split(Path(output), (), overwrite=options.overwrite)
    saved = _saved_split(options)
    cases = read_cases(options.groups) if options.groups else _cases_of(saved)
    conversion = convert(source, taxonomy=options.taxonomy, cases=cases, progress=progress.reading)
    _check_usable(source, conversion, strict=options.strict)
    listing = _listing(source, options, conversion)
    split = saved or _new_split(options, conversion, listing)
    if saved:
        _check_saved(options.split, saved, conversion)
    categories = options.taxonomy.coco_categories()
    summaries = _write(Path(source), prepare_output_folder(output), conversion, split, categories, options, progress)
    return Prepared(conversion, split, summaries)


def _saved_split(options: PrepareOptions) -> Split | None:
    """The split of an earlier run, or None where a new one is to be made. Usage is checked before any long work."""
    check_fractions(options.fractions)
    kind, kinds = options.split, (GROUPED, IMAGE, NONE, OFFICIAL)
    if options.seed < 0:
        raise ConfigError("seed is negative", where="--seed", got=options.seed, expected="0 or more")
    if kind == GROUPED and not options.groups:
        remedy = "Give --groups CSV; or --split image, which leaks; or --split none for one file"
        raise ConfigError("a split by case needs the table of cases", where="--split grouped", remedy=remedy)
    if options.lists and kind != OFFICIAL:
        raise ConfigError("lists are for --split official", where="--lists", got=f"--split {kind}")
    if kind in kinds:
        return None
    if not Path(kind).is_file():
        expected = f"{', '.join(kinds)} or a split file"
        raise ConfigError("neither a kind of split nor a file", where="--split", got=kind, expected=expected)
    return read_split(kind, allow_shared_cases=True)


def _cases_of(saved: Split | None) -> dict[str, str] | None:
    return {stem_of(name): entry["case_id"] for name, entry in saved.assignment.items()} if saved else None


def _check_usable(source: str | Path, conversion: Conversion, *, strict: bool) -> None:
    if not conversion.images or (strict and conversion.left_out):
        what = "nothing could be used" if not conversion.images else f"{len(conversion.left_out)} things are left out"
        error = ConversionError(what, where=source, remedy="See the reasons above; nothing was written")
        error.left_out = conversion.left_out
        raise error


def _listing(source: str | Path, options: PrepareOptions, conversion: Conversion) -> Listing | None:
    """The official lists matched with the images; those in no list are left out, and reported."""
    if options.split != OFFICIAL:
        return None
    listed = read_lists(options.lists) if options.lists else read_parts(find_table(source))
    listing = match(listed, [image["file_name"] for image in conversion.images])
    if listing.unknown:
        names = some_of(listing.unknown, _NAMED)
        logger.warning("%d listed images are not there, or could not be used: %s", len(listing.unknown), names)
    conversion.left_out += [Remark(name, "image in no official list") for name in listing.unlisted]
    kept = {image["id"] for index, image in enumerate(conversion.images) if index in listing.part_of_index}
    listing.part_of_index = dict(enumerate(part for _, part in sorted(listing.part_of_index.items())))
    conversion.images = [image for image in conversion.images if image["id"] in kept]
    conversion.annotations = [a for a in conversion.annotations if a["image_id"] in kept]
    conversion.images_without_case = sum(is_own_case(image["case_id"]) for image in conversion.images)
    if options.strict and listing.unknown:
        raise DataError("lists and images do not fit", where="--lists", remedy="Nothing was written; drop --strict")
    _check_usable(source, conversion, strict=options.strict)
    return listing


def _tables(source: str | Path, options: PrepareOptions) -> list[Path]:
    """The files that the conversion was made from, for their hashes."""
    groups = [Path(options.groups)] if options.groups else []
    return [find_table(source), *groups, *(path_of(spec) for spec in options.lists)]


def _new_split(options: PrepareOptions, conversion: Conversion, listing: Listing | None) -> Split:
    names, cases = ([image[key] for image in conversion.images] for key in ("file_name", "case_id"))
    if listing is not None:
        return split_from_parts(OFFICIAL, listing.part_of_index, names, cases)
    severity: tuple[str, ...] = SEVERITY if options.taxonomy == BINARY else (NORMAL, *options.taxonomy.names)
    key = "image_label"
    if options.taxonomy == SUBTYPES:  # nine classes need their own balance; the malignant ones come last in the list
        key = "subtype"
    labels = [image[key] or _fallback_stratum(image, conversion) for image in conversion.images]
    return make_split(
        options.split, names, cases, labels, seed=options.seed, fractions=options.fractions, severity=severity
    )


def _fallback_stratum(image: Mapping[str, Any], conversion: Conversion) -> str:
    """Stratum of an image without one subtype: normal, or the subtype of the first of its several lesions."""
    if image["image_label"] == NORMAL:
        return NORMAL
    return next(str(a["subtype"]) for a in conversion.annotations if a["image_id"] == image["id"])


def _check_saved(where: str, saved: Split, conversion: Conversion) -> None:
    names = [image["file_name"] for image in conversion.images]
    case_ids = {image["file_name"]: image["case_id"] for image in conversion.images}
    reuse_split(saved, names, case_ids, where=where)


INFO = {
    "description": "BTXRD, radiographs of primary bone tumors, converted to COCO by segtumor",
    "version": "1",
    "reference": "Yao et al., Scientific Data 2025, doi 10.1038/s41597-024-04311-y",
    "licence": "as stated by the authors: article CC BY-NC-ND 4.0, data deposit CC BY 4.0",
    "segtumor_version": __version__,
}


def _write(
    source: Path,
    output: Path,
    conversion: Conversion,
    split: Split,
    categories: Sequence[Mapping[str, Any]],
    options: PrepareOptions,
    progress: Bars,
) -> dict[str, dict[str, Any]]:
    """Write all below ``output``, and return counts by part; an earlier conversion goes, a failure leaves nothing."""
    image_root, target, split_path = source / "images", output / "images", output / "split.json"
    names, tables = [image["file_name"] for image in conversion.images], _tables(source, options)
    remove_earlier(output, keep=[*tables, *(image_root / name for name in names)])
    remove_earlier_parts(split_path)
    documents = part_documents(conversion.images, conversion.annotations, categories, split, info=INFO)
    with new_files(output) as written:
        if place_images(image_root, target, names, mode=options.images, progress=progress.copying):
            written.append(target)
        summaries = write_parts(output / "annotations", documents)
        hashes = hash_images(image_root, names, progress=progress.hashing) if options.hash_images else None
        sources = [{"file": path.name, "sha256": sha256_of_file(path)} for path in tables]
        files = names_of_files(output, [*written, split_path])
        write_json(output / REPORT, _report(source, conversion, split, summaries, files))
        write_json(split_path, split_document(split, summaries, sources=sources, image_sha256=hashes))
    return summaries


def _report(
    source: str | Path,
    conversion: Conversion,
    split: Split,
    summaries: Mapping[str, Mapping[str, Any]],
    files: Sequence[str],
) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "source": str(source),
        "listed_in_table": conversion.listed,
        "converted": {"images": len(conversion.images), "lesions": len(conversion.annotations)},
        "images_without_case": conversion.images_without_case,
        "split": {"kind": split.kind, "seed": split.seed, "split_sha256": split.sha256},
        "parts": summaries,
        "left_out_by_kind": kinds_of(conversion.left_out),
        "notes_by_kind": kinds_of(conversion.notes),
        "left_out": [remark._asdict() for remark in conversion.left_out],
        "notes": [remark._asdict() for remark in conversion.notes],
        "files": files,
    }
