"""Worker processes that read images: which image each is reading, and what is reported of one that does not answer.

A worker that is killed is noticed by torch (``segtumor.system.resource_errors`` says it in a sentence); one that is
stopped, or waits for a disk that does not answer, would be waited for without end. Not here: the loader itself
(``loaders``).
"""

import contextlib
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import TypeVar

from torch.utils.data import get_worker_info

from segtumor.errors import InstallationError

T = TypeVar("T")


class InHand:
    """Which record each worker process is reading, in memory that they share."""

    def __init__(self, workers: int) -> None:
        self._index = multiprocessing.RawArray("q", max(1, workers))
        self._since = multiprocessing.RawArray("d", max(1, workers))

    @contextlib.contextmanager
    def noted(self, index: int) -> Iterator[None]:
        """Around the reading of a record; does nothing outside a worker."""
        worker = get_worker_info()
        if worker is None:
            yield
            return
        self._index[worker.id], self._since[worker.id] = index, time.monotonic()
        try:
            yield
        finally:
            self._since[worker.id] = 0.0

    def longer_than(self, seconds: float) -> int | None:
        """Index of the record that has been read for so long and longest; None if none has."""
        limit = time.monotonic() - seconds
        since = [(start, index) for start, index in zip(self._since, self._index, strict=True) if 0 < start < limit]
        return min(since)[1] if since else None


def answering(batches: Iterator[T], limit_s: int, name_of_longest: Callable[[float], str | None]) -> Iterator[T]:
    """The batches of torch's loader; if none comes within the limit, its workers are ended and an error says so.

    torch's own time limit does not hold where a worker stops while it hands a batch over.

    Args:
        limit_s: longest time to wait for a batch; 0 waits for ever.
        name_of_longest: function of seconds -> file that has been read for so long, or None.

    Raises:
        InstallationError: no batch came within the limit.
    """
    workers = getattr(batches, "_workers", ())
    if not limit_s or not workers:
        yield from batches
        return
    watch = _Watch(workers, limit_s, name_of_longest)
    with watch.deaths_unheard():
        while True:
            try:
                with watch:
                    batch = next(batches)
            except StopIteration:
                return
            except Exception:
                if not watch.has_ended_them:
                    raise
                batches._shutdown_workers()  # type: ignore[attr-defined]  # there are some: it is torch's
                raise InstallationError(
                    f"a process that reads images has not answered for {limit_s} s",
                    where=watch.name,
                    remedy="Look whether its disk answers; DATALOADER.WORKER_TIMEOUT_S sets the limit, 0 for none",
                ) from None
            yield batch


class _Watch:
    """Around the waiting for a batch: ends the workers when it takes too long, which wakes whoever waits for them."""

    def __init__(
        self, workers: Sequence[BaseProcess], limit_s: int, name_of_longest: Callable[[float], str | None]
    ) -> None:
        self._workers, self._limit_s, self._name_of_longest = workers, limit_s, name_of_longest
        self.has_ended_them = False
        self.name: str | None = None

    def __enter__(self) -> None:
        self._timer = threading.Timer(self._limit_s, self._end_them)
        self._timer.daemon = True
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _end_them(self) -> None:
        self.name, self.has_ended_them = self._name_of_longest(self._limit_s / 2), True
        for worker in self._workers:
            worker.kill()  # a stopped process ignores any weaker signal

    @contextlib.contextmanager
    def deaths_unheard(self) -> Iterator[None]:
        """torch's handler raises an error for a worker that is killed wherever the program is: not for these."""
        if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGCHLD"):
            yield
            return
        torchs = signal.getsignal(signal.SIGCHLD)

        def heard(number: int, frame: FrameType | None) -> None:
            if not self.has_ended_them and callable(torchs):
                torchs(number, frame)

        signal.signal(signal.SIGCHLD, heard)
        try:
            yield
        finally:
            signal.signal(signal.SIGCHLD, torchs)
