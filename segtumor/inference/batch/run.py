"""A predictor on a list of files: overlays, tables and a status for each file.

Files are decoded in threads while the model computes, and overlays are drawn in threads behind it. What is drawn goes
to the journal when the model is done with the next input. What is in memory does not grow with the number of files,
apart from their names.
"""

import contextlib
import functools
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor import progress
from segtumor.errors import SegtumorError
from segtumor.imaging.listing import LeftOut
from segtumor.inference.batch.contexts import Contexts
from segtumor.inference.batch.dicom_files import DicomFiles
from segtumor.inference.batch.drawing import Drawer
from segtumor.inference.batch.earlier_output import (
    check_inputs,
    check_output,
    known_files,
    other_pictures,
    remove_made,
    remove_tables,
)
from segtumor.inference.batch.inputs import distinct, file_identity, overlay_names
from segtumor.inference.batch.journal import JOURNAL_NAME, Journal, make_header
from segtumor.inference.batch.options import Options, Result
from segtumor.inference.batch.ordered_threads import in_background
from segtumor.inference.batch.predicting import predict_all
from segtumor.inference.batch.preparing import Preparer
from segtumor.inference.batch.tables import write_tables
from segtumor.inference.load import InferenceModel
from segtumor.inference.similar import SimilarImages
from segtumor.reporting.dicom.coding import algorithm_of
from segtumor.reporting.dicom.objects import SC
from segtumor.runs import DICOM_OBJECTS, OVERLAYS
from segtumor.runtime.predictor import Predictor
from segtumor.structures.outcomes import STATUS_FAILED, STATUS_NOT_REACHED, DicomOutcome, InferenceOutcome
from segtumor.system.locks import lock_folder
from segtumor.texts import counted

logger = logging.getLogger(__name__)


def check(paths: Iterable[str | Path], output: str | Path, *, continued: bool, overwrite: bool) -> None:
    """Refuse what would be lost, before a model is loaded, which takes seconds; arguments as ``infer``.

    Raises:
        ConfigError: as ``earlier_output.check_output``, or an input is one of the overlays in the folder.
    """
    check_output(output, continued=continued, overwrite=overwrite)
    check_inputs(paths, output)


def infer_with(
    model: InferenceModel,
    paths: Iterable[str | Path],
    output: str | Path,
    options: Options,
    *,
    left_out: Sequence[LeftOut] = (),
    similar: SimilarImages | None = None,
    contexts: Contexts | None = None,
) -> Result:
    """``infer`` with a model as it was loaded."""
    about: dict[str, Any] = {"settings": model.settings, "model": model.entry, "left_out": left_out}
    return infer(model.predictor, paths, output, options, similar=similar, contexts=contexts, **about)


def infer(
    predictor: Predictor,
    paths: Iterable[str | Path],
    output: str | Path,
    options: Options,
    *,
    settings: Mapping[str, Any],
    model: Mapping[str, Any],
    left_out: Sequence[LeftOut] = (),
    similar: SimilarImages | None = None,
    contexts: Contexts | None = None,
) -> Result:
    """Predict every file and write overlays, predictions.json, findings.csv and summary.json.

    Args:
        paths: image files; one that cannot be read becomes a failed outcome, the others go on.
        output: folder, created if needed. Interrupted, it keeps the tables of what is done.
        settings: what decides the readings, for summary.json and for continuing.
        model: what identifies the model, likewise.
        left_out: files that were passed over, for summary.json.
        similar: what is looked up for each reading, written to similar.csv too; the predictor gives embeddings then.
        contexts: what is known of files beside their pixels; None for nothing.

    Raises:
        ConfigError: as ``check``, or the run in the folder cannot be continued, or another one is writing there.
        OutputError: the folder cannot be written.
    """
    check(paths, output, continued=options.continued, overwrite=options.overwrite)
    asked_for = distinct(map(Path, paths))
    _warn_of_mixture(asked_for, output)
    settings = settings if options.frame is None else {**settings, "frame": options.frame}
    if options.review_threshold is not None:
        settings = {**settings, "review_threshold": options.review_threshold}
    if similar is not None:
        settings = {**settings, "similar": similar.settings}
    if contexts is not None:
        settings = {**settings, "table": contexts.source}
    if options.dicom_output:
        settings = {**settings, "dicom_output": options.dicom_output}
    panels = {"panels": True} if options.panels else {}  # absent from the journals of earlier versions
    asked = {**settings, "with_overlays": options.with_overlays, "note": options.note, **panels}
    header = make_header(settings=asked, model=model, class_names=predictor.class_names)
    with lock_folder(output) as folder:
        # Once more: another run may have come to its end here since.
        check_output(folder, continued=options.continued, overwrite=options.overwrite)
        continued, earlier = options.continued and (folder / JOURNAL_NAME).exists(), known_files(folder)
        with Journal(folder / JOURNAL_NAME, header, continued=continued) as journal:
            if not continued:
                remove_tables(folder)
                remove_made(folder, earlier)
            journal.add(asked_for)
            inputs = [*_unnamed(journal, asked_for), *asked_for]
            about = {"settings": settings, "model": model, "left_out": left_out}
            finish = functools.partial(_finish, folder, journal, inputs, predictor.class_names, options, **about)
            try:
                making = _dicom_files(folder, journal, options, model)
                _work(predictor, inputs, folder, options, journal, earlier, similar, contexts or Contexts(), making)
            except BaseException:  # what was found before an interruption or a full memory is not lost
                _finish_as_far_as_it_goes(finish)
                raise
            result = finish()
            # A file that was damaged since: pictures and tables agree.
            remove_made(folder, earlier - journal.made)
    return result


def _warn_of_mixture(paths: Iterable[Path], output: str | Path) -> None:
    folder = os.path.realpath(output)
    if any(os.path.realpath(parent) == folder for parent in {path.parent for path in paths}):
        logger.warning("%s: results are written among the radiographs; another --output keeps them apart", output)


def _unnamed(journal: Journal, paths: Sequence[Path]) -> list[Path]:
    """Inputs that the run was asked for before and not now: those with a result, and those that can still get one."""
    before = journal.besides(paths)
    gone = [path for path in before if file_identity(path) is None]
    lost = {path for path in gone if not journal.is_done(path)}
    if lost:
        logger.warning("%s of the earlier run, gone without a result: left out, first: %s", *_some(journal, lost))
    if len(gone) > len(lost):
        kept = [path for path in gone if path not in lost]
        logger.warning("%s of the earlier run, gone by now: their results stay, first: %s", *_some(journal, kept))
    return [path for path in before if path not in lost]


def _some(journal: Journal, paths: Collection[Path]) -> tuple[str, str]:
    """("2 inputs", name of the first)."""
    return counted(len(paths), "inputs"), min(map(journal.name_of, paths))


def _work(
    predictor: Predictor,
    paths: Sequence[Path],
    folder: Path,
    options: Options,
    journal: Journal,
    earlier: set[str],
    similar: SimilarImages | None,
    contexts: Contexts,
    dicom_files: DicomFiles | None,
) -> None:
    """Read, predict, draw and note down every input that is not done; ``earlier`` files may be replaced."""
    started, left = time.perf_counter(), [path for path in paths if not _is_done(journal, path, folder)]
    keys, drawn = [Path(journal.key_of(path)) for path in paths], journal.overlays
    taken = other_pictures(folder, earlier | journal.made)
    names = dict(zip(paths, overlay_names(keys, drawn, taken=taken), strict=True))
    is_drawn = options.with_overlays or SC in options.dicom_output
    percentiles = options.window_percentiles if is_drawn else None
    preparer = Preparer(
        predictor=predictor,
        window_percentiles=percentiles,
        max_pixels=options.max_pixels,
        frame=options.frame,
        hashes=similar is not None,
        contexts=contexts,
        keeps_as_read=options.panels,
    )
    drawer = Drawer(
        folder=folder / OVERLAYS if options.with_overlays else None,
        names=names,
        score_threshold=options.confidence_threshold,
        note=options.note,
        review_threshold=options.review_threshold,
        set_thresholds=options.set_thresholds,
        similar=similar,
        dicom_files=dicom_files,
    )
    workers, ahead = options.num_workers, 2 * options.batch_size + options.num_workers
    prepared = in_background(preparer, left, workers=workers, ahead=ahead)
    predicted = predict_all(predictor, prepared, preparer, batch_size=options.batch_size)
    outcomes = in_background(drawer, predicted, workers=workers, ahead=ahead, finish=True)
    with contextlib.closing(prepared), contextlib.closing(predicted), contextlib.closing(outcomes):
        for number, (outcome, identity) in enumerate(progress.files(outcomes, len(left)), start=1):
            if number == 1:
                logger.debug("first result after %.2f s", time.perf_counter() - started)
            if outcome.status == STATUS_FAILED or outcome.note:
                logger.warning("%s", outcome.reason or f"{outcome.file_name}: {outcome.note}")
            if outcome.dicom is not None and outcome.dicom.failed:
                logger.warning("no DICOM objects: %s", outcome.dicom.reason)
            journal.append(outcome, identity)


def _dicom_files(folder: Path, journal: Journal, options: Options, model: Mapping[str, Any]) -> DicomFiles | None:
    if not options.dicom_output:
        return None
    return DicomFiles(
        folder=folder / DICOM_OBJECTS,
        kinds=options.dicom_output,
        key_of=journal.key_of,
        score_threshold=options.confidence_threshold,
        algorithm=algorithm_of(model),
        note=options.note,
        frame=options.frame,
    )


def _is_done(journal: Journal, path: Path, folder: Path) -> bool:
    """Whether an input needs no more work: neither its findings nor what is made of them, if it can be made again."""
    if not journal.is_done(path) or file_identity(path) is None:
        return journal.is_done(path)
    outcome = journal.outcome(path)
    is_failed = outcome is not None and outcome.dicom is not None and outcome.dicom.failed
    return not is_failed and all((folder / name).exists() for name in journal.made_of(path))


def _finish(
    folder: Path,
    journal: Journal,
    inputs: Sequence[Path],
    class_names: Sequence[str],
    options: Options,
    **about: Any,
) -> Result:
    """Write the tables of what is done; ``about`` are further arguments of ``write_tables``."""
    counts = write_tables(
        folder,
        lambda: _outcomes(journal, inputs),
        class_names,
        threshold=options.confidence_threshold,
        note=options.note,
        **about,
    )
    return _result(counts, _outcomes(journal, inputs))


def _finish_as_far_as_it_goes(finish: Callable[[], object]) -> None:
    """Tables of a run that was stopped; why it was stopped matters more than that they cannot be written."""
    try:
        finish()
    except SegtumorError as error:
        logger.warning("the tables are not up to date: %s", error)
    else:
        logger.info("stopped; --continue goes on from here")


def _outcomes(journal: Journal, paths: Iterable[Path]) -> Iterator[InferenceOutcome]:
    for path in paths:
        yield journal.outcome(path) or InferenceOutcome(
            journal.name_of(path), status=STATUS_NOT_REACHED, reason="the run was stopped before it"
        )


def _result(counts: Mapping[str, int], outcomes: Iterable[InferenceOutcome]) -> Result:
    first_failure, notes, first_note, without_dicom, dicom_failure = None, 0, None, Counter[str](), None
    for outcome in outcomes:
        first_failure = first_failure or outcome.reason
        if outcome.note:
            notes += 1
            first_note = first_note or f"{outcome.file_name}: {outcome.note}"
        dicom = outcome.dicom or DicomOutcome()
        if dicom.failed:
            dicom_failure = dicom_failure or dicom.reason
        elif dicom.reason is not None:
            without_dicom[dicom.reason] += 1
    return Result(counts, first_failure, notes, first_note, without_dicom, dicom_failure)
