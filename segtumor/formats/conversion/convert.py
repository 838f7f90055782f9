"""The way of a conversion: read, complete with what folders, tables and headers say, assemble, check, write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segtumor.annotations.regions import CROWDS_AS_LESIONS, count_crowds, regions_by_image
from segtumor.annotations.remarks import Remark
from segtumor.errors import DataError
from segtumor.formats.collection import Collection, Unlisted
from segtumor.formats.conversion.assemble import Assembled, ConversionError, assemble
from segtumor.formats.conversion.completion import (
    add_dicom_headers,
    add_unlisted,
    drop_labels,
    fields_of_table,
    leave_out_contested,
    leave_out_links,
)
from segtumor.formats.conversion.earlier_output import check_no_earlier
from segtumor.formats.conversion.output import write_conversion, write_failure
from segtumor.formats.sources.image_folder import ImageFolder, usual_image_root
from segtumor.formats.table import detect_format, load_format, load_writable_format
from segtumor.progress import Progress

COCO = "coco"


@dataclass(frozen=True, kw_only=True)
class ConversionOptions:
    """How a source is read and written.

    Attributes:
        source_format: of ``table.FORMATS``; None detects it.
        target: format to write, of ``table.WRITABLE``.
        classes: {label: class}; other labels keep their names.
        dropped: labels whose regions are left out.
        table: CSV or Excel file with fields of the images.
        salt_file: secret for the case ids of DICOM files; None: that of the user's settings.
        keep_device: whether maker and model of the device are taken from DICOM headers.
        unlisted: what an image is that no annotation mentions, NORMAL or NOT_ANNOTATED; None: as the format has it.
        boxes_as_masks: whether a box without an outline becomes its own outline.
        crowds_as_lesions: whether each crowd region with an outline becomes one lesion.
        placing: of the images, "link" or "copy".
        strict: whether nothing is written if anything has to be left out.
        overwrite: whether an earlier conversion in the output folder is replaced.
    """

    source_format: str | None = None
    target: str = COCO
    images: str | Path | None = None
    classes: Mapping[str, str] = field(default_factory=dict)
    dropped: Sequence[str] = ()
    table: str | Path | None = None
    salt_file: str | Path | None = None
    keep_device: bool = False
    unlisted: Unlisted | None = None
    boxes_as_masks: bool = False
    crowds_as_lesions: bool = False
    placing: str = "link"
    strict: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Converted:
    """What was written; ``lost`` is what the target cannot hold, ``n_unlisted`` images that no annotation mentions."""

    source_format: str
    assembled: Assembled
    lost: Sequence[Remark]
    n_unlisted: int


def convert(
    source: str | Path,
    output: str | Path,
    options: ConversionOptions,
    *,
    reading: Progress = iter,
    writing: Progress = iter,
) -> Converted:
    """Convert annotations.

    Raises:
        ConfigError: unknown labels, or files that would be replaced.
        ConversionError: no image can be used, or ``strict`` and something would be left out.
        DataError: other faults of the source or of the table.
        OutputError: something cannot be written.
    """
    check_no_earlier(output, overwrite=options.overwrite)
    source_format = options.source_format or detect_format(source)
    report = {"source": str(source), "format": source_format}
    annotations = load_format(source_format)
    images = _images_of(Path(source), options, getattr(annotations, "image_root", usual_image_root))
    try:
        collection = annotations.read(Path(source), images, progress=reading)
    except DataError as error:
        failure = ConversionError(
            error.what, where=error.where, got=error.got, expected=error.expected, remedy=error.remedy
        )
        reason = Remark(Path(source).name, "cannot be read", str(error))
        _write_failure(failure, [reason], output, report, strict=options.strict)
        raise failure from error
    n_unlisted = _complete(collection, Path(source), images, options.unlisted or annotations.UNLISTED, options)
    attributes = fields_of_table(options.table, collection)
    try:
        assembled = assemble(
            collection,
            classes=options.classes,
            attributes=attributes,
            boxes_as_masks=options.boxes_as_masks,
            crowds_as_lesions=options.crowds_as_lesions,
        )
    except ConversionError as error:
        _write_failure(error, error.left_out, output, report, strict=options.strict)
        raise
    _check_strict(source, assembled, strict=options.strict)
    _check_crowds(source, assembled)
    lost = write_conversion(
        output,
        collection,
        assembled,
        target=None if options.target == COCO else load_writable_format(options.target),
        report=report,
        placing=options.placing,
        progress=writing,
    )
    return Converted(source_format, assembled, lost, n_unlisted)


def _write_failure(
    error: ConversionError, reasons: Sequence[Remark], output: str | Path, report: Mapping[str, Any], *, strict: bool
) -> None:
    """Write the report of a conversion that came to nothing, unless nothing is to be written."""
    if not strict:
        error.report = write_failure(output, report=report, left_out=reasons, notes=error.notes)


def _images_of(source: Path, options: ConversionOptions, image_root: Callable[[Path], Path]) -> ImageFolder:
    if source.exists() and not (source.is_file() or source.is_dir()):
        raise DataError("is not an ordinary file", where=source, remedy="Check --source")
    return ImageFolder(options.images or image_root(source))


def _complete(
    collection: Collection, source: Path, images: ImageFolder, unlisted: Unlisted, options: ConversionOptions
) -> int:
    """Add what a reader does not see; returns the number of images left out since no annotation mentions them."""
    leave_out_links(collection, source, images)
    leave_out_contested(collection, images.contested())
    drop_labels(collection, options.dropped)
    n_unlisted = add_unlisted(collection, images.names, images.size_hw, unlisted)
    add_dicom_headers(collection, options.salt_file, keep_device=options.keep_device)
    return n_unlisted


def _check_strict(source: str | Path, assembled: Assembled, *, strict: bool) -> None:
    if strict and assembled.left_out:
        what = f"{len(assembled.left_out)} things are left out"
        failure = ConversionError(what, where=source, remedy="See above; nothing was written")
        failure.left_out = assembled.left_out
        raise failure


def _check_crowds(source: str | Path, assembled: Assembled) -> None:
    """Raise for a set without a lesion whose lesions were perhaps drawn with a brush, and exported as crowds."""
    crowds = count_crowds(regions_by_image(assembled.document["images"], assembled.document["annotations"]))
    if crowds.all_regions:
        got = f"{crowds.n_regions} regions in {len(crowds.images)} images"
        remedy = f"If each is one lesion, as CVAT exports those of its brush, add {CROWDS_AS_LESIONS}"
        raise DataError("all regions are crowds: there is no lesion", where=source, got=got, remedy=remedy)
