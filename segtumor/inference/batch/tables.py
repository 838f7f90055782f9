"""predictions.json, findings.csv and summary.json, written as streams: one input is in memory at a time."""

import dataclasses

from segtumor.files import write_csv, write_json_stream
from segtumor.reporting.files import findings_files as entries
from segtumor.runs import FINDINGS, PREDICTIONS, SUMMARY
from segtumor.structures.postprocessing import keep_above


def write_tables(folder, outcomes, class_names, *, threshold, settings, model, left_out=(), note=None):
    """All findings to predictions.json, as average precision needs them; those above the threshold to the others.

    Args:
        folder: Path.
        outcomes: function of nothing -> iterator of InferenceOutcome; called once for each list that is written.
        class_names: names by ``class_id``.
        threshold: score, 0 to 1.
        settings, model: dicts for summary.json.
        left_out: ``imaging.listing.LeftOut`` of what was passed over, for summary.json.
        note: what holds for every input, for summary.json and each row of findings.csv, or None.

    Returns:
        "counts" of summary.json.

    Raises:
        OutputError: a file cannot be written.
    """

    def shown():
        for outcome in outcomes():
            yield dataclasses.replace(outcome, findings=tuple(keep_above(outcome.findings, threshold)))

    lists = {"images": _images(outcomes()), "annotations": _annotations(outcomes(), class_names)}
    write_json_stream(folder / PREDICTIONS, entries.predictions_head(class_names), lists)
    rows = (row for outcome in shown() for row in entries.rows_of_one(_noted(outcome, note), class_names))
    write_csv(folder / FINDINGS, rows, entries.findings_columns(class_names))
    counts = entries.count(shown())
    head = {**entries.summary_head(settings=settings, model=model, counts=counts), "note": note}
    passed_over = ({"file": str(path), "reason": reason} for path, reason in left_out)
    lists = {"inputs": map(entries.summary_entry, shown()), "left_out": passed_over}
    write_json_stream(folder / SUMMARY, head, lists)
    return counts


def _noted(outcome, note):
    notes = [text for text in (outcome.note, note) if text]
    return dataclasses.replace(outcome, note="; ".join(notes) or None)


def _images(outcomes):
    return (entries.image_entry(image_id, outcome) for image_id, outcome in enumerate(outcomes, start=1))


def _annotations(outcomes, class_names):
    for image_id, outcome in enumerate(outcomes, start=1):
        yield from entries.annotation_entries(image_id, outcome, class_names)
