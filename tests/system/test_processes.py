"""Workers of a killed parent are ended too: what the memory killer or the time limit of a job leaves behind."""

import os
import signal
import subprocess
import sys

import pytest

from segtumor.system import processes

#: A pool as segtumor's own; each worker says who it is and would wait for ever.
_PARENT = """
import os, signal, sys
from concurrent.futures import ProcessPoolExecutor
from segtumor.system import processes
if sys.argv[1] == "watching":
    processes._asks_the_system = lambda: False

def work(_):
    os.write(1, b"%d\\n" % os.getpid())  # in one piece, which print does not promise
    signal.pause()

pool = ProcessPoolExecutor(2, initializer=processes.end_with_parent, initargs=(os.getpid(),))
list(pool.map(work, range(2)))
"""


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        ("0::/job/step\n", {"job/cpu.max": "150000 100000", "job/step/cpu.max": "max 100000"}, 1.5),
        ("0::/job/step\n", {"job/cpu.max": "400000 100000", "job/step/cpu.max": "200000 100000"}, 2.0),
        ("0::/\n", {"cpu.max": "max 100000"}, None),
        ("0::/\n", {"cpu.max": "50000 100000"}, 0.5),
        (
            "3:cpu,cpuacct:/a\n",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "300000", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"},
            3.0,
        ),
        ("3:cpu:/a\n0::/\n", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, None),
        ("3:memory:/a\n", {"memory/cpu.max": "1 1"}, None),
        ("0::/\n", {"cpu.max": "nonsense"}, None),
        ("", {}, None),
    ],
)
def test_the_quota_of_a_container(tmp_path, membership, files, cores):
    (tmp_path / "self").write_text(membership)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert processes.cgroup_quota(tmp_path, tmp_path / "self") == cores


def test_cores_are_those_that_the_process_is_bound_to_or_fewer(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 5}, raising=False)
    for quota, cores in ((None, 4), (0.5, 1), (2.7, 2), (64.0, 4)):
        monkeypatch.setattr(processes, "cgroup_quota", lambda quota=quota: quota)
        assert processes.available_cores() == cores


@pytest.mark.command
@pytest.mark.parametrize("way", ["by the system", "watching"])
def test_workers_end_with_a_killed_parent(way):
    with subprocess.Popen([sys.executable, "-c", _PARENT, way], stdout=subprocess.PIPE, text=True) as parent:
        try:
            workers = [int(parent.stdout.readline()) for _ in range(2)]
        finally:
            parent.kill()
        try:
            assert parent.communicate(timeout=60)[0] == ""  # which they hold open as long as they are there
        except subprocess.TimeoutExpired:
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            raise
