"""DICOM objects of an image on the page: of what the model said, or of what the reader made of it."""

import dataclasses
import importlib.util
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from segtumor.errors import ConfigError
from segtumor.imaging import normalize_window
from segtumor.reporting.dicom.objects import KINDS, SC, check_kinds, make_objects
from segtumor.reporting.pictures.overlay import draw_reading
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_segmentation
from segtumor.structures.readings import OTHER_NOTE, Note, Reading
from segtumor.web.readings import KeptReading, kept_reading
from segtumor.web.reviews import ACCEPTED, Judged, kept_judgement
from segtumor.web.site import Site
from segtumor.web.storage.schema import Image, Review
from segtumor.web.worker import read_stored

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MODEL, REVIEW = "model", "review"
#: Whose findings an object holds.
SOURCES = (MODEL, REVIEW)


class NoDicomError(ConfigError):
    """Objects of an image that is no DICOM file, or that has no reading or review yet."""


def available_kinds() -> list[str]:
    """Kinds of objects that can be made here; none without highdicom."""
    return list(KINDS) if importlib.util.find_spec("highdicom") else []


def objects_of(site: Site, image: Image, kinds: Collection[str], *, source: str = MODEL) -> dict[str, "Dataset"]:
    """The objects of an image, {kind: data set}; no "seg" without a mask to hold.

    Raises:
        NoDicomError: it is no DICOM file, or there is no reading, or no review, yet.
        ConfigError, InstallationError: as ``check_kinds``.
        BadImageError: its header does not suffice.
    """
    check_kinds(kinds)
    if not image.is_dicom:
        raise NoDicomError("objects are made of DICOM files only", got="another kind of picture")
    kept = kept_reading(site.store, image)
    reading, threshold = kept.reading, kept.threshold
    if source == REVIEW:
        made = site.store.reviews(image)
        if not made:
            raise NoDicomError("this image is not reviewed yet", remedy="Ask for the model's findings")
        reading, threshold = _as_reviewed(kept, made[-1]), 0.0
    picture = None
    if SC in kinds:
        gray = normalize_window(read_stored(site.store, image, site.settings.limits.pixels).pixels)
        picture = draw_reading(gray, reading, score_threshold=threshold, note=reading.note)
    path: Path = site.store.blobs.path(image.file_sha256)
    return make_objects(
        path, reading, kinds, score_threshold=threshold, algorithm=site.model.algorithm, picture=picture
    )


def _as_reviewed(kept: KeptReading, review: Review) -> Reading:
    """The reading with the lesions of a review in place of the model's findings."""
    reading = kept.reading
    findings = tuple(_finding(lesion, reading) for lesion in kept_judgement(review).lesions)
    text = f"Findings as a reader judged them (revision {review.revision}); what the reader drew has a score of 1."
    return dataclasses.replace(reading, findings=findings, notes=(*reading.notes, Note(OTHER_NOTE, text)))


def _finding(lesion: Judged, reading: Reading) -> Finding:
    class_id = reading.class_names.index(lesion.class_name)
    own = None if lesion.origin is None else reading.findings[lesion.origin]
    if own is not None and lesion.verdict == ACCEPTED:
        return dataclasses.replace(own, class_id=class_id)
    polygons = [[value for point in outline for value in point] for outline in lesion.outlines]
    return Finding(class_id, 1.0 if own is None else own.score, rle=rle_from_segmentation(polygons, reading.size_hw))
