"""Settings of the process that threads change together are changed while one of them needs it, and restored after."""

import contextlib
import os
import threading

import pytest

from segtumor.system.shared_settings import SharedSetting


@pytest.fixture
def setting():
    state = {"value": "user's", "entered": 0}

    @contextlib.contextmanager
    def changed():
        before, state["value"] = state["value"], "ours"
        state["entered"] += 1
        try:
            yield
        finally:
            state["value"] = before

    return state, SharedSetting(changed)


def test_the_first_changes_it_and_the_last_restores_it(setting):
    state, shared = setting
    first, second = shared(), shared()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert state == {"value": "ours", "entered": 1}
    second.__exit__(None, None, None)
    assert state["value"] == "user's"


def test_an_error_restores_it(setting):
    state, shared = setting
    with pytest.raises(KeyError), shared():
        raise KeyError
    assert state["value"] == "user's"


def test_threads_that_come_and_go_always_find_it_changed(setting):
    state, shared = setting
    seen = []

    def work():
        for _ in range(200):
            with shared():
                seen.append(state["value"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {"ours"} and state["value"] == "user's"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Python 3.12, on forks
def test_a_forked_child_starts_with_the_setting_as_it_was(setting):
    state, shared = setting
    with shared():
        child = os.fork()
        if child == 0:
            ok = state["value"] == "user's"
            with shared():
                ok = ok and state["value"] == "ours"
            os._exit(0 if ok and state["value"] == "user's" else 1)
        assert os.waitpid(child, 0)[1] == 0
