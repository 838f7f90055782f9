"""Two commands in one output folder: the second is refused, and what a killed one left half-written goes."""

import os
import signal
import subprocess
import sys

import pytest

from segtumor.errors import ConfigError, OutputError
from segtumor.files import atomic_path
from segtumor.system.locks import LOCK_NAME, is_empty, lock_beside, lock_folder

#: Holds the lock of a folder, has a child of its own, as a loader of images is, and half a file. The child says so: it
#: has given the lock up by then, which a child that has not run yet could not have.
_HOLDER = """
import os, sys, time
from segtumor.files import atomic_path
from segtumor.system.locks import lock_folder
with lock_folder(sys.argv[1]) as folder, atomic_path(folder / "deep" / "a.png") as temporary:
    temporary.write_bytes(b"half")
    if os.fork() == 0:
        print("holding", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that is alone in ``found``."""
    command = [sys.executable, "-c", _HOLDER, str(tmp_path / "found")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout.readline() == "holding\n"
        yield process
        os.killpg(process.pid, signal.SIGKILL)


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.command
def test_the_second_is_refused_whatever_the_folder_is_called_and_what_the_first_writes_stays(holder, tmp_path):
    before = names(tmp_path / "found")
    (tmp_path / "link").symlink_to("found")
    for path in (tmp_path / "found", tmp_path / "found" / ".." / "found", tmp_path / "link"):
        with (
            pytest.raises(ConfigError, match=r"another command is writing .*choose another OUTPUT_DIR"),
            lock_folder(path, remedy="Wait, or choose another OUTPUT_DIR"),
        ):
            pass
    with lock_folder(tmp_path) as outer:  # which looks below itself for what killed ones left
        assert names(outer / "found") == before and len(before) == 2


@pytest.mark.command
def test_a_lock_ends_with_its_process_though_a_child_lives_on_and_half_a_file_goes(holder, tmp_path):
    holder.kill()
    holder.wait()
    (tmp_path / "found" / ".segtumor.mine.png").touch()
    (tmp_path / "found" / ".segtumor.abcd_123.png").symlink_to(sys.executable)
    with lock_folder(tmp_path / "found") as folder:
        assert names(folder) == [LOCK_NAME, ".segtumor.abcd_123.png", ".segtumor.mine.png"]
    assert names(folder) == [".segtumor.abcd_123.png", ".segtumor.mine.png"]


def test_a_refused_command_leaves_no_folder_and_a_working_one_its_files(tmp_path):
    with pytest.raises(KeyError), lock_folder(tmp_path / "a" / "b") as folder:
        assert is_empty(folder)
        raise KeyError
    assert os.listdir(tmp_path) == []
    (tmp_path / "there").mkdir()
    with lock_folder(tmp_path / "there"):
        pass
    with lock_folder(tmp_path / "a" / "b") as folder, atomic_path(folder / "x.json") as temporary:
        temporary.write_text("{}")
    assert sorted(os.listdir(tmp_path)) == ["a", "there"] and names(tmp_path) == ["a/b/x.json"]
    with pytest.raises(OutputError, match=r"x\.json"), lock_folder(tmp_path / "a" / "b" / "x.json"):
        pass


def test_folders_that_are_replaced_as_a_whole_are_locked_each_for_itself(tmp_path):
    with lock_beside(tmp_path / "one"), lock_beside(tmp_path / ("n" * 255)):
        with pytest.raises(ConfigError, match="one: another command"), lock_beside(tmp_path / "one"):
            pass
        assert not (tmp_path / "one").exists()
    assert os.listdir(tmp_path) == []
