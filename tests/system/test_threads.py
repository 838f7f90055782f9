"""What a command says to its libraries' threads, unless the user has said it, and takes back at its end."""

import os

import pytest

from segtumor.commands.common.command_line import make_parser, run
from segtumor.system import threads


@pytest.fixture
def seen(monkeypatch):
    """What a command sees of these variables."""
    names = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "OMP_NUM_THREADS")
    for name in names:
        monkeypatch.delenv(name, raising=False)

    def seen():
        found = {}
        parser = make_parser("x", "y")
        assert run(lambda _: found.update({n: os.environ[n] for n in names if n in os.environ}), parser, []) == 0
        return found

    return seen


def test_threads_sleep_while_they_wait(seen, monkeypatch):
    monkeypatch.setattr(threads, "available_cores", lambda: 10_000)
    before = dict(os.environ)
    assert seen() == {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"} and dict(os.environ) == before


def test_a_container_gets_no_more_threads_than_its_quota(seen, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(threads, "available_cores", lambda: 2)
    assert seen()["OMP_NUM_THREADS"] == "2"


def test_what_the_user_has_set_stays(seen, monkeypatch):
    monkeypatch.setattr(threads, "available_cores", lambda: 1)
    for name, value in (("OMP_WAIT_POLICY", "active"), ("KMP_BLOCKTIME", "5"), ("OMP_NUM_THREADS", "3")):
        monkeypatch.setenv(name, value)
    assert seen() == {"OMP_WAIT_POLICY": "active", "KMP_BLOCKTIME": "5", "OMP_NUM_THREADS": "3"}
