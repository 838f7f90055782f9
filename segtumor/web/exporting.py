"""The reviewed images as a data set: what readers accepted, edited and drew, in COCO or another format.

An image counts as reviewed when its newest review judges every finding shown; one without lesions is then normal.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtumor.errors import DataError
from segtumor.files import output_errors, prepare_output_folder
from segtumor.formats.collection import Collection, Region, Segmentation, SourceImage
from segtumor.formats.conversion.assemble import assemble
from segtumor.formats.conversion.earlier_output import check_no_earlier
from segtumor.formats.conversion.output import write_conversion
from segtumor.formats.table import load_writable_format
from segtumor.imaging.reader import raster_kind
from segtumor.structures.readings import Reading
from segtumor.web import readings
from segtumor.web.reviews import ACCEPTED, Judged, kept_judgement
from segtumor.web.storage.schema import Image, Review
from segtumor.web.storage.store import Store

COCO, LABELME = "coco", "labelme"
TARGETS = (COCO, LABELME)
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "BMP": ".bmp"}


@dataclass(frozen=True)
class Exported:
    """How many images and lesions were written, and how many images are not reviewed yet."""

    images: int
    lesions: int
    not_reviewed: int


def export(store: Store, output: str | Path, *, target: str = COCO) -> Exported:
    """Write the reviewed images and their lesions.

    Args:
        output: a folder without an earlier conversion; ``images/`` and the annotations come into it.
        target: one of ``TARGETS``.

    Raises:
        ConfigError: there is a conversion already.
        DataError: nothing is reviewed yet.
        OutputError: it cannot be written.
    """
    check_no_earlier(output, overwrite=False)
    images, newest = store.images(), store.newest_reviews()
    reviewed = [image for image in images if image.reviewed and image.number in newest]
    if not reviewed:
        remedy = "Judge every finding of an image, or save that it has none"
        raise DataError("no image is reviewed yet", got=f"{len(images)} images", remedy=remedy)
    folder = prepare_output_folder(Path(output) / "images")
    sources = [_source(store, image, newest[image.number], folder) for image in reviewed]
    collection = Collection(folder, sources, labels=_class_names(store, reviewed))
    assembled = assemble(collection)
    write_conversion(
        output,
        collection,
        assembled,
        target=None if target == COCO else load_writable_format(target),
        report={"source": str(folder), "format": "segtumor serve"},
        placing="copy",
    )
    document = assembled.document
    return Exported(len(document["images"]), len(document["annotations"]), len(images) - len(reviewed))


def _class_names(store: Store, images: Sequence[Image]) -> tuple[str, ...]:
    """Of the models that read them, in their order; several, where the model was changed."""
    hashes = dict.fromkeys(image.reading_sha256 for image in images if image.reading_sha256)
    names = (name for sha256 in hashes for name in readings.from_bytes(store.blobs.get(sha256)).reading.class_names)
    return tuple(dict.fromkeys(names))


def _source(store: Store, image: Image, review: Review, folder: Path) -> SourceImage:
    blob = store.blobs.path(image.file_sha256)
    with open(blob, "rb") as file:
        suffix = ".dcm" if image.is_dicom else _SUFFIXES.get(raster_kind(file.read(8)) or "", ".img")
    name = f"{image.key}{suffix}"
    with output_errors(folder / name):
        shutil.copyfile(blob, folder / name)
    kept = None
    if image.reading_sha256 is not None:
        kept = readings.from_bytes(store.blobs.get(image.reading_sha256)).reading
    judgement = kept_judgement(review)
    size_hw = (image.height_px, image.width_px)
    regions = tuple(_region(lesion, kept) for lesion in judgement.lesions)
    attributes: dict[str, Any] = {
        "case_id": image.case.name,
        "reviewed_by": review.user,
        "review_revision": review.revision,
        "comment": judgement.comment or None,
    }
    if kept is not None and kept.spacing_mm is not None:
        attributes |= {"spacing_mm": list(kept.spacing_mm), "spacing_source": kept.spacing_source}
    return SourceImage(name, size_hw, regions, {key: v for key, v in attributes.items() if v is not None})


def _region(lesion: Judged, reading: Reading | None) -> Region:
    """What was accepted as it stands has the model's own mask, exact to the pixel; the rest what was drawn."""
    extra: dict[str, Any] = {"verdict": lesion.verdict, **({"comment": lesion.comment} if lesion.comment else {})}
    outlines: Segmentation = [[v for point in outline for v in point] for outline in lesion.outlines]
    if lesion.verdict == ACCEPTED and reading is not None and lesion.origin is not None:
        finding = reading.findings[lesion.origin]
        extra["score"] = round(finding.score, 4)
        outlines = finding.rle or [[v for point in o for v in point] for o in readings.outlines_of(finding)]
    return Region(lesion.class_name, outlines, extra=extra)
