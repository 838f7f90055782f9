"""A trained model on a list of files: overlays, tables and a status for each file."""

import dataclasses
import glob
import json
import logging
import time
from pathlib import Path

from PIL import Image

from segtumor.engine import progress
from segtumor.engine.predictor import load_trained_model, predictor_from_config
from segtumor.errors import DataError, SegtumorError
from segtumor.files import atomic_path, prepare_output_folder, sha256_of_file, write_csv, write_json
from segtumor.imaging import SUPPORTED_SUFFIXES, list_images, normalize_window, read_radiograph
from segtumor.postprocessing import keep_above
from segtumor.reporting.findings_files import (
    STATUS_FAILED,
    InferenceOutcome,
    findings_columns,
    findings_rows,
    predictions_document,
    summary_document,
)
from segtumor.reporting.overlay import draw_overlay

logger = logging.getLogger(__name__)
_OVERLAYS = "overlays"


def find_inputs(patterns):
    """Files, folders and glob patterns to a list of files, each once, in the order given.

    A missing file stays in the list, where it fails alone, if another input is there.

    Raises:
        DataError: nothing there, a pattern without a match, or a folder without images.
    """
    paths = []
    for pattern in patterns:
        if Path(pattern).is_dir():
            found = list_images(pattern)
            if not found:
                suffixes = " ".join(sorted(SUPPORTED_SUFFIXES))
                raise DataError("folder without images", where=pattern, expected=f"files that end in {suffixes}")
        elif Path(pattern).exists():
            found = [Path(pattern)]
        else:
            found = [Path(name) for name in sorted(glob.glob(pattern, recursive=True)) if Path(name).is_file()]
            if not found and glob.has_magic(pattern):
                raise DataError("nothing matches", where=pattern, remedy="Check --input")
            found = found or [Path(pattern)]
        paths += found
    if not any(path.exists() for path in paths):
        raise DataError("no such file or folder", where=paths[0], remedy="Check --input")
    return list(dict.fromkeys(paths))


def load_predictor(cfg):
    """Predictor and class names of ``MODEL.WEIGHTS``; raises what ``load_trained_model`` raises."""
    model, names = load_trained_model(cfg)
    return predictor_from_config(cfg, model), names


def infer(cfg, paths, output, *, with_overlays=True, note=None):
    """Predict every file and write overlays, predictions.json, findings.csv and summary.json.

    Args:
        cfg: configuration with ``MODEL.WEIGHTS``.
        paths: image files; a file that cannot be read becomes a failed outcome, the others go on.
        output: folder, created if needed.
        with_overlays: whether to draw overlays.
        note: a sentence for the footer of every overlay.

    Returns:
        summary.json as a dict.

    Raises:
        SegtumorError: the model cannot be loaded or the folder cannot be written.
    """
    folder = prepare_output_folder(output)
    predictor, class_names = load_predictor(cfg)
    model_entry = _model_entry(cfg, class_names)
    _remove_earlier_overlays(folder)
    outcomes = []
    try:
        for path, overlay_name in progress.files(zip(paths, overlay_names(paths), strict=True), len(paths)):
            overlay = folder / _OVERLAYS / overlay_name if with_overlays else None
            outcomes.append(_infer_one(cfg, predictor, class_names, path, overlay, note))
    finally:  # what was found before an interruption or a full memory is not lost
        outcomes += [
            InferenceOutcome(str(path), None, status=STATUS_FAILED, reason="not reached: the run was stopped")
            for path in paths[len(outcomes) :]
        ]
        summary = _write_tables(folder, outcomes, class_names, _settings(cfg), model_entry)
    return summary


def _write_tables(folder, outcomes, class_names, settings, model_entry):
    """All findings to predictions.json, as average precision needs them; those above the threshold to the others."""
    threshold = settings["confidence_threshold"]
    shown = [dataclasses.replace(o, findings=tuple(keep_above(o.findings, threshold))) for o in outcomes]
    write_json(folder / "predictions.json", predictions_document(outcomes, class_names))
    write_csv(folder / "findings.csv", findings_rows(shown, class_names), findings_columns(class_names))
    summary = summary_document(shown, settings=settings, model=model_entry)
    write_json(folder / "summary.json", summary)
    return summary


def _remove_earlier_overlays(folder):
    """Remove the overlays that an earlier run into this folder lists, so that pictures and tables agree."""
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        names = [entry["overlay"] for entry in summary["inputs"] if entry.get("overlay")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # no summary, or not one of ours
        return
    for name in names:
        (folder / _OVERLAYS / Path(name).name).unlink(missing_ok=True)


def overlay_names(paths):
    """A distinct ``.png`` name for each path: its stem, with a number where stems repeat."""
    names, taken = [], set()
    for path in paths:
        name, number = f"{path.stem}.png", 2
        while name.casefold() in taken:  # some file systems do not tell upper from lower case
            name, number = f"{path.stem}_{number}.png", number + 1
        taken.add(name.casefold())
        names.append(name)
    return names


def _infer_one(cfg, predictor, class_names, path, overlay, note):
    started = time.perf_counter()
    try:
        radiograph = read_radiograph(path, max_pixels=cfg.INPUT.MAX_PIXELS)
    except SegtumorError as error:
        logger.warning("%s", error)
        return InferenceOutcome(str(path), None, status=STATUS_FAILED, reason=str(error))
    findings = predictor.predict(radiograph)
    if overlay is not None:
        picture = draw_overlay(
            normalize_window(radiograph.pixels, *cfg.INPUT.WINDOW_PERCENTILES),
            findings,
            class_names,
            score_threshold=cfg.TEST.CONFIDENCE_THRESHOLD,
            note=note,
            file_name=path.name,
            spacing_mm=radiograph.spacing_mm,
            spacing_source=radiograph.spacing_source,
        )
        with atomic_path(overlay) as temporary:
            Image.fromarray(picture).save(temporary)
    return InferenceOutcome(
        str(path),
        radiograph.size_hw,
        findings,
        seconds=round(time.perf_counter() - started, 4),
        spacing_mm=radiograph.spacing_mm,
        spacing_source=radiograph.spacing_source,
        overlay=overlay.name if overlay else None,
    )


def _settings(cfg):
    return {
        "confidence_threshold": cfg.TEST.CONFIDENCE_THRESHOLD,
        "short_edge_px": cfg.INPUT.MIN_SIZE_TEST,
        "max_long_edge_px": cfg.INPUT.MAX_SIZE_TEST,
        "window_percentiles": list(cfg.INPUT.WINDOW_PERCENTILES),
        "postprocessing": dict(cfg.POSTPROCESSING),
        "device": cfg.MODEL.DEVICE,
    }


def _model_entry(cfg, class_names):
    return {
        "weights": cfg.MODEL.WEIGHTS,
        "weights_sha256": sha256_of_file(cfg.MODEL.WEIGHTS),
        "backbone": cfg.MODEL.BACKBONE.NAME,
        "class_names": list(class_names),
    }
