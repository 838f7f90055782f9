"""Threads of a command's libraries: they sleep while they wait, and are no more than there are cores for.

OpenMP's threads burn their core while they wait for each other, which on a machine that does something else as well
makes training several times as slow (2 threads: 1.4 to 2.0 s per iteration, asleep 0.5). What is set by the user stays.
"""

import contextlib
import os
from collections.abc import Iterator

from segtumor.system.processes import available_cores


@contextlib.contextmanager
def considerate_threads() -> Iterator[None]:
    """Around a command, before it imports torch: settings that its libraries read when they are imported.

    They are taken back at the end, so that no setting of a process that calls a command stays.
    """
    defaults = {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}
    cores = available_cores()
    if hasattr(os, "sched_getaffinity") and cores < len(os.sched_getaffinity(0)):
        defaults["OMP_NUM_THREADS"] = str(cores)  # of a container's quota libraries know nothing
    added = {name: value for name, value in defaults.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
