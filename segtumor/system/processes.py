"""Worker processes: how many cores there are for them, and that they end when their parent does, however it ends.

Not here: what they work on.
"""

import ctypes
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY_S = 1


def end_with_parent(parent: int) -> None:
    """In a worker process, at its start: it is ended when its parent is, by SIGKILL and the memory killer too."""
    if not _asks_the_system():
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it was quicker
        os._exit(1)


def _asks_the_system() -> bool:
    """Have Linux send SIGKILL on the parent's death; False where that is not available."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    os._exit(1)


def available_cores() -> int:
    """Processor cores that this process may use: those it is bound to, or fewer by the quota of its container."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota()
    return bound if quota is None else max(1, min(bound, math.floor(quota)))


def cgroup_quota(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> float | None:
    """Cores that the control groups of this process allow, the least of them; None without a limit."""
    quotas = []
    for line in _lines(membership):
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "cpu", "cpu,cpuacct", "cpuacct,cpu"):
            base = root / controllers if controllers else root
            places = [
                base / path.lstrip("/"),
                *(base / str(parent).lstrip("/") for parent in PurePosixPath(path).parents),
                base,
            ]
            quotas += [quota for place in places for quota in _quota_of(place)]
    return min(quotas, default=None)


def _quota_of(place: Path) -> Iterator[float]:
    for text in _lines(place / "cpu.max"):
        quota, _, period = text.partition(" ")
        if quota.isdigit() and period.strip().isdigit():
            yield int(quota) / int(period)
    for quota, period in zip(_lines(place / "cpu.cfs_quota_us"), _lines(place / "cpu.cfs_period_us"), strict=False):
        if quota.isdigit() and period.isdigit() and int(period):  # -1 means no limit
            yield int(quota) / int(period)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return []
