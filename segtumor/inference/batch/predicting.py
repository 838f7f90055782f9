"""Prepared inputs -> readings, in batches; when memory runs out, in smaller batches and then at a smaller size."""

import dataclasses
import gc
import logging
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from segtumor.errors import BadImageError, NonFiniteOutputError, SegtumorError
from segtumor.inference.batch.preparing import Prepared, Preparer
from segtumor.runtime.breakdown import is_broken, named
from segtumor.runtime.predictor import Predictor, picture_notes
from segtumor.structures.readings import SIZE_REDUCED, Note, Reading
from segtumor.system.resource_errors import is_out_of_memory

SMALLEST_SHORT_EDGE_PX = 128
_SMALLER_SIZES = 2

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Predicted:
    """One input after the model.

    Attributes:
        reading: what it says, without the maps of its classes, which are as large as the radiograph; or None.
        reason: why there is none, or None.
        seconds: the model's time, s; of a batch, the input's share.
    """

    prepared: Prepared
    reading: Reading | None = None
    reason: str | None = None
    seconds: float = 0.0


def predict_all(
    predictor: Predictor, inputs: Iterable[Prepared], preparer: Preparer, *, batch_size: int
) -> Generator[Predicted, None, None]:
    """What the model says of each input, in their order; ``preparer`` is for what has to be prepared again."""
    batch: list[Prepared] = []
    for prepared in inputs:
        if prepared.starved:
            logger.info("%s: out of memory while reading, trying again", prepared.path)
            prepared = preparer(prepared.path)
        batch.append(prepared)
        if len(batch) == batch_size:
            yield from _predict_batch(predictor, batch, preparer)
            batch = []
    yield from _predict_batch(predictor, batch, preparer)


def _predict_batch(predictor: Predictor, batch: Sequence[Prepared], preparer: Preparer) -> Iterator[Predicted]:
    readable = [prepared for prepared in batch if prepared.reason is None]
    started = time.perf_counter()
    found = _try(predictor, readable) if readable else []
    share_s = (time.perf_counter() - started) / max(1, len(readable))
    if found is None:
        logger.warning("out of memory with %d radiographs of %s", len(readable), readable[0].path.parent)
        gc.collect()  # what failed may hang in circles of frames and exceptions
    answers = iter(found or ())
    for prepared in batch:
        if prepared.reason is not None:
            yield Predicted(prepared, reason=prepared.reason)
        elif found is not None:
            yield _predicted(prepared, next(answers), seconds=share_s)
        else:
            yield _predict_alone(predictor, prepared, preparer, was_alone=len(readable) == 1)


def _predicted(
    prepared: Prepared, answer: Reading | NonFiniteOutputError, *, seconds: float, note: Note | None = None
) -> Predicted:
    """What a model answered about one input; where it broke down, the input fails with that as its reason."""
    if is_broken(answer):
        return Predicted(prepared, reason=str(named(answer, prepared.path)), seconds=seconds)
    reading = dataclasses.replace(
        answer,
        maps={name: values for name, values in answer.maps.items() if name not in answer.class_names},
        notes=(*picture_notes(prepared.remarks), *answer.notes, *([note] if note else [])),
        spacing_mm=prepared.spacing_mm,
        spacing_source=prepared.spacing_source,
        name=prepared.path.name,
    )
    return Predicted(prepared, reading, seconds=seconds)


def _predict_alone(predictor: Predictor, prepared: Prepared, preparer: Preparer, *, was_alone: bool) -> Predicted:
    """One input of a batch that did not fit into memory: at its size, unless that was tried, then at smaller ones."""
    started, full_px = time.perf_counter(), predictor.short_edge_px
    sizes_px = [] if was_alone else [full_px]
    sizes_px += [max(SMALLEST_SHORT_EDGE_PX, full_px // 2**halvings) for halvings in range(1, _SMALLER_SIZES + 1)]
    smallest_px = full_px
    for size_px in dict.fromkeys(size_px for size_px in sizes_px if size_px <= full_px):
        try:
            smallest_px, answer = size_px, _try_size(predictor, prepared, preparer, size_px)
        except BadImageError as error:  # the file is no longer what it was
            return Predicted(prepared, reason=str(error))
        if answer is not None:
            reduced = Note(SIZE_REDUCED, f"out of memory at {full_px} px, computed at {size_px} px")
            note = reduced if size_px < full_px else None
            return _predicted(prepared, answer, note=note, seconds=time.perf_counter() - started)
    tried = f"also at {smallest_px} px" if smallest_px < full_px else f"at {full_px} px"
    remedy = "Close other programs, or use a machine with more memory"
    return Predicted(prepared, reason=str(SegtumorError(f"out of memory, {tried}", where=prepared.path, remedy=remedy)))


def _try_size(
    predictor: Predictor, prepared: Prepared, preparer: Preparer, size_px: int
) -> Reading | NonFiniteOutputError | None:
    """The answer at a size, or None where memory does not suffice for it; raises BadImageError as
    ``Preparer.window``."""
    if size_px < predictor.short_edge_px:
        try:
            prepared = dataclasses.replace(prepared, window=preparer.window(prepared.path, size_px))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return None
    found = _try(predictor, [prepared])
    return None if found is None else found[0]


def _try(predictor: Predictor, inputs: Sequence[Prepared]) -> list[Reading | NonFiniteOutputError] | None:
    """The answers, or None where memory does not suffice; returning drops what the failed try holds."""
    known = [(p.window, p.size_hw, p.context) for p in inputs if p.window is not None and p.size_hw is not None]
    try:
        return predictor.read_windows([w for w, _, _ in known], [hw for _, hw, _ in known], [c for *_, c in known])
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        logger.debug("out of memory: %.200s", error)
        return None
