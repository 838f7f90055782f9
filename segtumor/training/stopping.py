"""A training that is asked to stop by a signal finishes its iteration first, so that a checkpoint can be written."""

import logging
import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

#: ``timeout`` and other programs send their signal to a process and, at once, to its whole group: that is one signal.
_REPEATED_S = 0.25
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
logger = logging.getLogger(__name__)


class StopSignals:
    """While entered, the first SIGINT, SIGTERM or SIGHUP only sets ``received``; a second one acts as it did before.

    Does nothing outside the main thread, which alone may set handlers, and leaves a signal that is ignored (nohup) as
    it is.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._at = 0.0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
                handler = signal.getsignal(number)
                if handler is not signal.SIG_IGN and handler is not None:  # None: set by something that is not Python
                    self._previous[number] = handler
                    signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._put_back()

    def deliver(self) -> None:
        """Let the signal that was received end the process, as it would have at once."""
        number, self.received = self.received, None
        if number is not None:
            self._put_back()
            handler = signal.getsignal(number)
            if callable(handler):
                handler(number, None)
            else:
                os.kill(os.getpid(), number)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if time.monotonic() - self._at > _REPEATED_S:
                self.received = number
                self.deliver()
            return
        self.received, self._at = number, time.monotonic()
        self._leave_workers_alone()
        logger.warning(
            "%s: finishing this iteration and writing a checkpoint; a second signal ends at once",
            signal.Signals(number).name,
        )

    def _put_back(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _leave_workers_alone(self) -> None:
        # A signal to the whole process group ends the worker processes too, for which torch raises an error anywhere in
        # this process: in the middle of a step, too.
        if hasattr(signal, "SIGCHLD") and callable(signal.getsignal(signal.SIGCHLD)):
            self._previous[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
