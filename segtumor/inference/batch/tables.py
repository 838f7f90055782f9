"""predictions.json, findings.csv, summary.json and similar.csv, as streams: one input is in memory at a time."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor.annotations.predictions.writing import annotation_entries, image_entry, predictions_head
from segtumor.files import write_csv, write_json_stream
from segtumor.imaging.listing import LeftOut
from segtumor.reporting.files import findings_files as entries
from segtumor.runs import FINDINGS, PREDICTIONS, SIMILAR, SUMMARY
from segtumor.structures.outcomes import InferenceOutcome
from segtumor.structures.postprocessing import keep_above


def write_tables(
    folder: Path,
    outcomes: Callable[[], Iterator[InferenceOutcome]],
    class_names: Sequence[str],
    *,
    threshold: float,
    settings: Mapping[str, Any],
    model: Mapping[str, Any],
    left_out: Sequence[LeftOut],
    note: str | None,
) -> dict[str, int]:
    """All findings to predictions.json, as average precision needs them; those above the threshold to the others.

    Args:
        outcomes: called once for each list that is written.
        settings, model, left_out: for summary.json.
        note: what holds for every input, for summary.json and each row of findings.csv, or None.

    Returns:
        "counts" of summary.json.

    Raises:
        OutputError: a file cannot be written.
    """

    def shown() -> Iterator[InferenceOutcome]:
        return (_above(outcome, threshold) for outcome in outcomes())

    lists = {"images": _images(outcomes()), "annotations": _annotations(outcomes(), class_names)}
    write_json_stream(folder / PREDICTIONS, predictions_head(class_names), lists)
    judges_images = any(map(entries.judges_image, outcomes()))
    makes_dicom = "dicom_output" in settings
    columns = {"judges_images": judges_images, "makes_dicom": makes_dicom}
    rows = (row for outcome in shown() for row in entries.rows_of_one(outcome, class_names, note=note, **columns))
    write_csv(folder / FINDINGS, rows, entries.findings_columns(class_names, **columns))
    if "similar" in settings:
        similar = (row for outcome in outcomes() for row in entries.similar_rows(outcome))
        write_csv(folder / SIMILAR, similar, entries.SIMILAR_COLUMNS)
    counts = entries.count(shown(), tumor_from=threshold if judges_images else None)
    if makes_dicom:
        counts |= entries.count_dicom(outcomes())
    head = {**entries.summary_head(settings=settings, model=model, counts=counts), "note": note}
    passed_over = ({"file": str(path), "reason": reason} for path, reason in left_out)
    lists = {"inputs": map(entries.summary_entry, shown()), "left_out": passed_over}
    write_json_stream(folder / SUMMARY, head, lists)
    return counts


def _above(outcome: InferenceOutcome, threshold: float) -> InferenceOutcome:
    """The outcome without the findings below the threshold."""
    if outcome.reading is None:
        return outcome
    kept = keep_above(outcome.findings, threshold)
    return dataclasses.replace(outcome, reading=dataclasses.replace(outcome.reading, findings=kept))


def _images(outcomes: Iterator[InferenceOutcome]) -> Iterator[dict[str, Any]]:
    return (image_entry(image_id, outcome) for image_id, outcome in enumerate(outcomes, start=1))


def _annotations(outcomes: Iterator[InferenceOutcome], class_names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for image_id, outcome in enumerate(outcomes, start=1):
        yield from annotation_entries(image_id, outcome, class_names)
