"""Commands work, or end with a sentence, in the environments that services, containers and old terminals give them."""

import os
import subprocess
import sys

import pytest
from repository import ROOT

from segtumor import errors
from segtumor.system import installation

pytestmark = pytest.mark.command

CHECK = ("data", "check", ROOT / "datasets" / "examples" / "coco" / "annotations.json")
GONE = "mkdir gone && cd gone && rmdir ../gone && "
FEW_FILES = "ulimit -n 40 && "
#: What is different -> (variables, None for unset; what the shell does before).
ENVIRONMENTS = {
    "a locale without letters": ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, ""),
    "a locale that is not installed": ({"LC_ALL": "xx_YY.ISO-8859-5", "PYTHONIOENCODING": "ascii:strict"}, ""),
    "no home, no terminal": ({"HOME": None, "TERM": None, "COLUMNS": None, "LANG": None}, ""),
    "a home that cannot be written": ({"HOME": "/proc/none", "XDG_CACHE_HOME": "/proc/none", "TMPDIR": "/proc"}, ""),
    "a relative home, no width": ({"HOME": "home", "COLUMNS": "0", "LINES": "-1"}, FEW_FILES),
    "warnings are errors": ({"PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2", "COLUMNS": "wide"}, ""),
    "the current folder was removed": ({"OMP_NUM_THREADS": "many"}, GONE),
}


@pytest.mark.skipif(os.name != "posix", reason="uses a shell")
@pytest.mark.parametrize(("variables", "before"), ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_a_command_does_its_work(variables, before, tmp_path):
    changed = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, filter(None, sys.path))), **variables}
    ended = subprocess.run(
        ["sh", "-c", before + 'exec "$0" -m segtumor "$@"', sys.executable, *CHECK],
        env={name: value for name, value in changed.items() if value is not None},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "3 images" in ended.stdout


@pytest.fixture
def removed_folder(tmp_path, monkeypatch):
    """Makes a folder the current one, and removes it."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    try:
        (tmp_path / "gone").rmdir()
    except OSError:
        pytest.skip("a system that keeps the current folder")


def test_without_a_current_folder_torch_is_not_tried(removed_folder):
    with pytest.raises(errors.InstallationError, match="the current folder no longer exists"):
        errors.check_current_folder()
    assert installation.check_disk().state == installation.NOTE


@pytest.mark.skipif(os.name != "posix", reason="needs pseudo-terminals")
@pytest.mark.parametrize(("columns", "term"), [(0, ""), (1, "dumb"), (80, "xterm")])
def test_a_terminal_of_any_width_is_written_to(columns, term):
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", columns, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": term}
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = subprocess.Popen([sys.executable, "-m", "segtumor", *CHECK], env=environment, **streams)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(ours)
    assert process.wait() == 0 and b"3 images" in shown
