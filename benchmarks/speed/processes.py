"""Starting fresh processes and reading what they measured (``child``)."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speed import child
from segtumor.errors import InstallationError

#: Child processes find ``benchmarks`` and ``segtumor`` there.
REPOSITORY = Path(__file__).resolve().parents[2]
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def thread_limits(threads):
    """Environment variables that bind the libraries of a process that is started with them, NumPy's BLAS among them."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))


def in_fresh_process(steps, *, threads=None):
    """Run steps in a new Python process.

    Args:
        steps: see ``child``.
        threads: of the libraries; None leaves it to them.

    Returns:
        ``child``'s answer, with "interpreter_s" from the command to the first line of the program, and "total_s" to the
        end of the process.

    Raises:
        InstallationError: the process failed; the last lines that it wrote are in the message.
    """
    with tempfile.TemporaryDirectory() as folder:
        request, answer = Path(folder, "request.json"), Path(folder, "answer.json")
        request.write_text(json.dumps(steps), encoding="utf-8")
        command = [sys.executable, "-P", child.__file__, str(request), str(answer)]
        started, began = time.time(), time.perf_counter()
        finish(command, threads)
        total_s = time.perf_counter() - began
        found = json.loads(answer.read_text(encoding="utf-8"))
    return {**found, "interpreter_s": max(0.0, found["entered"] - started), "total_s": total_s}


def finish(command, threads=None):
    """Run a command to its end; what it wrote on standard error.

    Raises:
        InstallationError: it failed.
    """
    paths = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
    limits = thread_limits(threads) if threads else {}
    environment = {**os.environ, **limits, "PYTHONPATH": paths}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if result.returncode:
        last = " | ".join(result.stderr.strip().splitlines()[-3:])
        raise InstallationError("a process that was to be measured failed", where=command[-1], got=last[-600:])
    return result.stderr
