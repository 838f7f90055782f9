"""Workers of a killed parent are ended too: what the memory killer or the time limit of a job leaves behind."""

import os
import signal
import subprocess
import sys

import pytest

#: A pool as segtumor's own; each worker says who it is and would wait for ever.
_PARENT = """
import os, signal, sys
from concurrent.futures import ProcessPoolExecutor
from segtumor import processes
if sys.argv[1] == "watching":
    processes._asks_the_system = lambda: False

def work(_):
    print(os.getpid(), flush=True)
    signal.pause()

pool = ProcessPoolExecutor(2, initializer=processes.end_with_parent, initargs=(os.getpid(),))
list(pool.map(work, range(2)))
"""


@pytest.mark.parametrize("way", ["by the system", "watching"])
def test_workers_end_with_a_killed_parent(way):
    with subprocess.Popen([sys.executable, "-c", _PARENT, way], stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
        try:
            assert parent.communicate(timeout=60)[0] == ""  # which they hold open as long as they are there
        except subprocess.TimeoutExpired:
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            raise
