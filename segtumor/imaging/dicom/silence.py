"""pydicom without a word: its warnings and log lines quote values of the header, which may be a patient's.

None of its checks decides anything here. Python's own way, ``warnings.catch_warnings``, changes the filters of the
whole process: with two threads, the first to leave lets the other's warnings through, and the last leaves all warnings
off for good. So pydicom is silenced by thread, where it speaks: all its warnings go through ``pydicom.misc``. Threads
that do not read here hear it as before.
"""

import contextlib
import logging
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from segtumor.system.imports import unchanged_environment
from segtumor.system.shared_settings import SharedSetting

with unchanged_environment():  # pydicom imports GDCM, which sets a variable of its own
    import pydicom.config
    import pydicom.misc

_thread = threading.local()
_without_validation = SharedSetting(pydicom.config.disable_value_validation)


@contextlib.contextmanager
def silent_pydicom() -> Iterator[None]:
    """Within this context pydicom neither checks values nor says anything in this thread."""
    pydicom.misc.__dict__["warnings"] = _WARNINGS
    logging.getLogger("pydicom").addFilter(_LOG_FILTER)  # once, however often it is added
    was_silent = _is_silent()
    with _without_validation():
        _thread.silent = True
        try:
            yield
        finally:
            _thread.silent = was_silent


def _is_silent() -> bool:
    return getattr(_thread, "silent", False)


class _WarningsOfOthers:
    """What ``pydicom.misc`` knows as the module ``warnings``."""

    def warn(self, message: Any, category: Any = None, stacklevel: int = 1, **options: Any) -> None:
        if not _is_silent():
            warnings.warn(message, category, stacklevel + 1, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(warnings, name)


class _LogOfOthers(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _is_silent()


_WARNINGS, _LOG_FILTER = _WarningsOfOthers(), _LogOfOthers()
