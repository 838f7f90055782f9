"""A setting of the whole process that several threads need changed at once: the first changes it, the last restores it.

A context manager of a library that remembers the old value on entering and restores it on leaving goes wrong between
threads: the first to leave restores it for those still inside, and the last leaves the changed value behind for good.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any


class SharedSetting:
    """A context that threads may be in together, of which the library's own is entered once."""

    def __init__(self, context: Callable[[], contextlib.AbstractContextManager[Any]]) -> None:
        self._context = context
        self._entered = contextlib.ExitStack()
        self._lock, self._n_inside = threading.Lock(), 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._restore)

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Within this context the setting is changed, whatever other threads do."""
        with self._lock:
            if self._n_inside == 0:
                self._entered.enter_context(self._context())
            self._n_inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_inside -= 1
                if self._n_inside == 0:
                    self._entered.close()

    def _restore(self) -> None:
        """In a forked child: the threads that were inside are not there, nor does anybody release the lock."""
        self._lock, self._n_inside = threading.Lock(), 0
        self._entered.close()
