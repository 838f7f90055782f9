"""Worker processes end when their parent does, however it ends. Not here: what they work on."""

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY_S = 1


def end_with_parent(parent):
    """In a worker process, at its start: it is ended when its parent is, by SIGKILL and the memory killer too.

    Args:
        parent: process id of the parent.
    """
    if not _asks_the_system():
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it was quicker
        os._exit(1)


def _asks_the_system():
    """Have Linux send SIGKILL on the parent's death; False where that is not to be had."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        return ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) == 0
    except (OSError, AttributeError):
        return False


def _watch(parent):
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    os._exit(1)
