"""The last step of one input: its overlay, drawn and saved, and its outcome. Runs in threads."""

import time

from segtumor.files import atomic_path
from segtumor.reporting.files.findings_files import STATUS_FAILED, InferenceOutcome
from segtumor.reporting.pictures.overlay import draw_overlay
from segtumor.system.resource_errors import is_out_of_memory

_NOT_DRAWN = "out of memory while drawing, no overlay"


def _title(path, overlay):
    """The name of the file, with its folder where the overlay's has more than that: IM0001 of which patient."""
    return path.name if path.stem.startswith(overlay.stem) else f"{path.parent.name}/{path.name}"


class Drawer:
    """Draws overlays into a folder.

    Args:
        folder: where they go; None draws none.
        names: {path: name of its overlay}.
        class_names: names by ``class_id``.
        score_threshold: findings below it are not drawn.
        note: a sentence for the footer, or None.
    """

    def __init__(self, folder, names, class_names, *, score_threshold, note) -> None:
        self._folder, self._names, self._class_names = folder, names, class_names
        self._score_threshold, self._note = score_threshold, note

    def __call__(self, predicted):
        """``predicting.Predicted`` -> (InferenceOutcome, identity of the file); raises OutputError where the overlay
        cannot be written."""
        return self._outcome(predicted), predicted.prepared.identity

    def _outcome(self, predicted):
        started, prepared, name, note = time.perf_counter(), predicted.prepared, None, predicted.note
        if predicted.reason is not None:
            return InferenceOutcome(str(prepared.path), prepared.size_hw, status=STATUS_FAILED, reason=predicted.reason)
        if self._folder is not None:
            name = self._names[prepared.path]
            try:
                self._draw(predicted, self._folder / name)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                name, note = None, f"{note}; {_NOT_DRAWN}" if note else _NOT_DRAWN
        seconds = prepared.seconds + predicted.seconds + time.perf_counter() - started
        return InferenceOutcome(
            str(prepared.path),
            prepared.size_hw,
            predicted.findings,
            seconds=round(seconds, 4),
            spacing_mm=prepared.spacing_mm,
            spacing_source=prepared.spacing_source,
            overlay=name,
            note=note,
        )

    def _draw(self, predicted, path) -> None:
        from PIL import Image

        prepared, notes = predicted.prepared, [self._note, predicted.note]
        picture = draw_overlay(
            prepared.base,
            predicted.findings,
            self._class_names,
            score_threshold=self._score_threshold,
            note="; ".join(note for note in notes if note) or None,
            file_name=_title(prepared.path, path),
            spacing_mm=prepared.spacing_mm,
            spacing_source=prepared.spacing_source,
        )
        with atomic_path(path) as temporary:
            Image.fromarray(picture).save(temporary, compress_level=3)  # half the time of 6 for a sixth more bytes
