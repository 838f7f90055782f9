"""Prepared inputs -> findings, in batches; when memory runs out, in smaller batches and then at a smaller size."""

import gc
import logging
import time
from dataclasses import dataclass

from segtumor.errors import BadImageError, SegtumorError
from segtumor.inference.batch.preparing import Prepared
from segtumor.runtime.breakdown import is_broken, named
from segtumor.structures.lesions import Finding
from segtumor.system.resource_errors import is_out_of_memory

SMALLEST_SHORT_EDGE_PX = 128
_SMALLER_SIZES = 2

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Predicted:
    """One input after the model.

    Attributes:
        prepared: what the model was given.
        findings: highest score first.
        note: what a reader must know of how they were found, or None.
        reason: why there are none, or None.
        seconds: the model's time, s; of a batch, the input's share.
    """

    prepared: Prepared
    findings: tuple[Finding, ...] = ()
    note: str | None = None
    reason: str | None = None
    seconds: float = 0.0


def predict_all(predictor, inputs, reader, *, batch_size):
    """Iterator of Predicted, in the order of ``inputs``.

    Args:
        predictor: ``runtime.predictor.Predictor``.
        inputs: iterable of Prepared.
        reader: ``reading.Reader``, for what has to be read again.
        batch_size: inputs that the model sees at once.
    """
    batch = []
    for prepared in inputs:
        if prepared.starved:
            logger.info("%s: out of memory while reading, trying again", prepared.path)
            prepared = reader(prepared.path)
        batch.append(prepared)
        if len(batch) == batch_size:
            yield from _predict_batch(predictor, batch, reader)
            batch = []
    yield from _predict_batch(predictor, batch, reader)


def _predict_batch(predictor, batch, reader):
    readable = [prepared for prepared in batch if prepared.reason is None]
    started = time.perf_counter()
    found = _try(predictor, [p.window for p in readable], [p.size_hw for p in readable]) if readable else []
    share_s = (time.perf_counter() - started) / max(1, len(readable))
    if found is None:
        logger.warning("out of memory with %d radiographs of %s", len(readable), readable[0].path.parent)
        gc.collect()  # what failed may hang in circles of frames and exceptions
        found = [None] * len(readable)
    findings_of = dict(zip(map(id, readable), found, strict=True))
    for prepared in batch:
        findings = findings_of.get(id(prepared))
        if prepared.reason is not None:
            yield Predicted(prepared, reason=prepared.reason)
        elif findings is not None:
            yield _predicted(prepared, findings, seconds=share_s)
        else:
            yield _predict_alone(predictor, prepared, reader, was_alone=len(readable) == 1)


def _predicted(prepared, findings, *, seconds, note=None):
    """What a detector returned for one input; where the model broke down, the input fails with that as its reason."""
    if is_broken(findings):
        return Predicted(prepared, reason=str(named(findings, prepared.path)), seconds=seconds)
    notes = [*prepared.remarks, *([note] if note else [])]
    return Predicted(prepared, tuple(findings), note="; ".join(notes) or None, seconds=seconds)


def _predict_alone(predictor, prepared, reader, *, was_alone):
    """One input of a batch that did not fit into memory: at its size, unless that was tried, then at smaller ones."""
    started, full_px = time.perf_counter(), predictor.short_edge_px
    sizes_px = [] if was_alone else [full_px]
    sizes_px += [max(SMALLEST_SHORT_EDGE_PX, full_px // 2**halvings) for halvings in range(1, _SMALLER_SIZES + 1)]
    smallest_px = full_px
    for size_px in dict.fromkeys(size_px for size_px in sizes_px if size_px <= full_px):
        try:
            smallest_px, findings = size_px, _try_size(predictor, prepared, reader, size_px)
        except BadImageError as error:  # the file is no longer what it was
            return Predicted(prepared, reason=str(error))
        if findings is not None:
            note = f"out of memory at {full_px} px, computed at {size_px} px" if size_px < full_px else None
            return _predicted(prepared, findings, note=note, seconds=time.perf_counter() - started)
    tried = f"also at {smallest_px} px" if smallest_px < full_px else f"at {full_px} px"
    remedy = "Close other programs, or use a machine with more memory"
    return Predicted(prepared, reason=str(SegtumorError(f"out of memory, {tried}", where=prepared.path, remedy=remedy)))


def _try_size(predictor, prepared, reader, size_px):
    """Findings at a size, or None where memory does not suffice for it; raises BadImageError as ``Reader.window``."""
    window = prepared.window
    if size_px < predictor.short_edge_px:
        try:
            window = reader.window(prepared.path, size_px)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return None
    found = _try(predictor, [window], [prepared.size_hw])
    return None if found is None else found[0]


def _try(predictor, windows, sizes_hw):
    """What ``predictor`` finds, or None where memory does not suffice; returning drops what the failed try holds."""
    try:
        return predictor.predict_windows(windows, sizes_hw)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        logger.debug("out of memory: %.200s", error)
        return None
