"""Progress of a training: a bar with ETA on a terminal, plain lines elsewhere."""

import logging
import time

from detectron2.utils.events import EventWriter, get_event_storage
from tqdm import tqdm

from segtumor.progress import SECONDS_BETWEEN_LINES, on_terminal

logger = logging.getLogger(__name__)


class ProgressWriter(EventWriter):
    """Shows iteration, loss, learning rate, rate and remaining time.

    Args:
        max_iter: iterations of the whole training.
        start_iter: iteration that this run starts with.
    """

    def __init__(self, max_iter, start_iter=0) -> None:
        self._max_iter, self._start_iter = max_iter, start_iter
        self._bar = None
        self._started = self._last_line = time.monotonic()

    def write(self) -> None:
        """Called by Detectron2 every few iterations."""
        storage = get_event_storage()
        done = storage.iter + 1
        loss = storage.history("total_loss").median(20) if "total_loss" in storage.histories() else float("nan")
        if on_terminal():
            self._update_bar(done, loss)
        elif time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES or done == self._max_iter:
            self._write_line(done, loss)

    def close(self) -> None:
        """Called by Detectron2 at the end of training."""
        if self._bar is not None:
            self._bar.close()

    def _update_bar(self, done, loss) -> None:
        if self._bar is None:
            self._bar = tqdm(
                total=self._max_iter, initial=self._start_iter, unit="it", desc="training", dynamic_ncols=True
            )
        self._bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
        self._bar.update(done - self._bar.n)

    def _write_line(self, done, loss) -> None:
        self._last_line = time.monotonic()
        per_iteration = (self._last_line - self._started) / max(1, done - self._start_iter)
        remaining_s = (self._max_iter - done) * per_iteration
        logger.info(
            "iteration %d of %d, loss %.3f, %.2f s per iteration, %s left",
            done,
            self._max_iter,
            loss,
            per_iteration,
            tqdm.format_interval(remaining_s),
        )
