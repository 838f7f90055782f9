"""The last step of one input: its overlay and DICOM objects, saved, and its outcome. Runs in threads."""

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segtumor.files import atomic_path
from segtumor.inference.batch.dicom_files import DicomFiles
from segtumor.inference.batch.predicting import Predicted
from segtumor.inference.batch.preparing import Prepared
from segtumor.inference.similar import SimilarImages
from segtumor.reporting.pictures.heat_panel import Picture, draw_plain, side_by_side
from segtumor.reporting.pictures.overlay import draw_reading
from segtumor.reporting.pictures.overlay_view import OverlayBase, overlay_base
from segtumor.reporting.pictures.similar_strip import with_similar
from segtumor.structures.outcomes import InferenceOutcome, failed
from segtumor.structures.readings import NOT_DRAWN, Note, Reading, with_prediction_set, with_second_look
from segtumor.system.resource_errors import is_out_of_memory

_NO_OVERLAY = Note(NOT_DRAWN, "out of memory while drawing, no overlay")


def _title(path: Path, overlay: Path) -> str:
    """The name of the file, with its folder where the overlay's has more than that: IM0001 of which patient."""
    return path.name if path.stem.startswith(overlay.stem) else f"{path.parent.name}/{path.name}"


def _before(prepared: Prepared) -> Iterator[Picture]:
    """The input as it was read and as the model sees it, where they were kept to be shown."""
    if prepared.as_read is None or prepared.window is None:
        return
    yield draw_plain(prepared.as_read, "as read")
    seen = prepared.window if isinstance(prepared.window, tuple) else (prepared.window,)  # of a cascade by both models
    for window in seen:
        height, width = window.shape
        yield draw_plain(overlay_base(window), f"as the model sees it, {width} x {height} px")


@dataclass(frozen=True, eq=False, kw_only=True)
class Drawer:
    """Draws overlays into a folder.

    Attributes:
        folder: where they go; None draws none.
        names: {path: name of its overlay}.
        note: a sentence for the footer, or None.
        review_threshold: see ``readings.with_second_look``.
        set_thresholds: see ``readings.with_prediction_set``.
        similar: what is looked up for each reading, or None.
        dicom_files: what makes DICOM objects of each reading, or None.
    """

    folder: Path | None
    names: Mapping[Path, str]
    score_threshold: float
    note: str | None
    review_threshold: float | None = None
    set_thresholds: Sequence[float] | None = None
    similar: SimilarImages | None = None
    dicom_files: DicomFiles | None = None

    def __call__(self, predicted: Predicted) -> tuple[InferenceOutcome, list[int] | None]:
        """(what became of it, identity of the file); raises OutputError where the overlay cannot be written."""
        return self._outcome(predicted), predicted.prepared.identity

    def _outcome(self, predicted: Predicted) -> InferenceOutcome:
        started, prepared, reading = time.perf_counter(), predicted.prepared, predicted.reading
        if reading is None:
            return failed(str(prepared.path), str(predicted.reason), size_hw=prepared.size_hw)
        reading = with_prediction_set(reading, self.set_thresholds)
        reading = with_second_look(reading, self.score_threshold, self.review_threshold)
        if self.similar is not None:
            reading = self.similar.found_for(reading, str(prepared.pixel_sha256), prepared.path)
        name = None
        if self.folder is not None and prepared.base is not None:
            name = self.names[prepared.path]
            try:
                self._draw(prepared, prepared.base, reading, self.folder / name)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                name, reading = None, dataclasses.replace(reading, notes=(*reading.notes, _NO_OVERLAY))
        dicom = None if self.dicom_files is None else self.dicom_files(prepared, reading)
        drawn_s = time.perf_counter() - started
        timings_s = {"read": prepared.seconds, "model": predicted.seconds, "draw": drawn_s}
        return InferenceOutcome(
            str(prepared.path),
            dataclasses.replace(
                reading, maps={}, embedding=None, timings_s={key: round(v, 4) for key, v in timings_s.items()}
            ),
            seconds=round(sum(timings_s.values()), 4),
            overlay=name,
            dicom=dicom,
        )

    def _draw(self, prepared: Prepared, base: OverlayBase, reading: Reading, path: Path) -> None:
        from PIL import Image

        notes = [self.note, reading.note]
        picture = draw_reading(
            base,
            reading,
            score_threshold=self.score_threshold,
            note="; ".join(note for note in notes if note) or None,
            file_name=_title(prepared.path, path),
        )
        picture = side_by_side([*_before(prepared), picture])
        if self.similar is not None:
            picture = with_similar(picture, reading.similar, self.similar.thumbnails(reading))
        with atomic_path(path) as temporary:
            Image.fromarray(picture).save(temporary, compress_level=3)  # half the time of 6 for a sixth more bytes
