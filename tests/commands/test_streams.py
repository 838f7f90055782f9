"""A command started without standard streams, or with some that fail, does its work and says so by its exit code."""

import errno
import io
import logging
import os
import subprocess
import sys

import pytest

from segtumor import progress
from segtumor.commands import cli
from segtumor.commands.common.command_line import make_parser, run
from segtumor.commands.common.streams import sound_streams
from segtumor.commands.common.terminal import CaseProgress, print_table, progress_bar

pytestmark = pytest.mark.command


class Failing(io.StringIO):
    """A stream whose every write fails."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def write(self, text):
        raise OSError(self.number, os.strerror(self.number)) if self.number else ValueError("I/O on a closed file")


class Bare:
    """What programs put in place of a stream: it can write, and nothing else."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


def detached():
    stream = io.TextIOWrapper(io.BytesIO())
    stream.detach()
    return stream


FULL, GONE = errno.ENOSPC, errno.EIO
STREAMS = {
    "none": lambda: None,
    "closed": closed,
    "detached": detached,
    "bare": Bare,
    "full disk": lambda: Failing(FULL),
    "terminal gone": lambda: Failing(GONE),
    "closed meanwhile": lambda: Failing(None),
}
#: Where a result is lost that somebody asked for.
LOST = ("full disk", "terminal gone", "closed meanwhile")


def all_ways_of_saying_something(arguments):
    """Uses the streams in every way that commands and their libraries do."""
    logging.getLogger("segtumor.some.module").warning("1 file skipped")
    done = list(progress.files(progress.bar(progress_bar("reading")("abc"), 3, "batches"), 3))
    with CaseProgress(1) as case_done:
        case_done(1)
    print_table(("file", "state"), [(name, "ok") for name in done])
    sys.stderr.write("x")
    sys.stderr.flush()
    assert not sys.stdout.isatty() and not sys.stderr.isatty() and sys.stdin.read() == ""
    return 6


@pytest.mark.parametrize("kind", STREAMS)
def test_messages_that_nobody_can_read_change_nothing(kind, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "stderr", STREAMS[kind]())
    before = sys.stdin, sys.stdout, sys.stderr
    assert run(all_ways_of_saying_something, make_parser("t", "T."), []) == 6
    assert (sys.stdin, sys.stdout, sys.stderr) == before
    assert capsys.readouterr().out.splitlines() == ["file  state", "a        ok", "b        ok", "c        ok"]


@pytest.mark.parametrize("kind", STREAMS)
def test_results_that_cannot_be_printed_are_an_error_where_somebody_asked_for_them(kind, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", closed())
    monkeypatch.setattr(sys, "stdout", STREAMS[kind]())
    finished = []
    code = run(lambda a: finished.append(all_ways_of_saying_something(a)), make_parser("t", "T."), [])
    assert finished == [6]  # the work goes on to its end
    assert code == (4 if kind in LOST else 0)
    assert ("error: standard output: not everything could be written" in capsys.readouterr().err) == (kind in LOST)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["data", "--help"], ["--version"], ["no-such"], ["benchmark"]])
@pytest.mark.parametrize("kind", ["none", "full disk"])
def test_what_needs_no_command_is_as_safe(kind, arguments, monkeypatch, capsys):
    code = cli.main(arguments)
    capsys.readouterr()
    monkeypatch.setattr(sys, "stdout", STREAMS[kind]())
    monkeypatch.setattr(sys, "stderr", STREAMS[kind]())
    assert cli.main(arguments) == (4 if kind == "full disk" and code == 0 else code)


def test_help_on_a_full_disk_is_lost(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", Failing(FULL))
    assert run(lambda arguments: 0, make_parser("t", "T."), ["--help"]) == 4
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit, match="0"):
        run(lambda arguments: 0, make_parser("t", "T."), ["--help"])


def test_progress_of_the_library_needs_no_standard_error(monkeypatch):
    for stream in (None, closed(), object()):
        monkeypatch.setattr(sys, "stderr", stream)
        assert list(progress.files("ab", 2)) == list(progress.bar("ab", 2, "x")) == ["a", "b"]


def test_nested_commands_share_their_streams():
    with sound_streams():
        outer = sys.stdout, sys.stderr
        with sound_streams():
            assert (sys.stdout, sys.stderr) == outer


@pytest.mark.skipif(os.name != "posix", reason="how a shell closes streams")
def test_closed_descriptors_are_not_given_to_files_that_others_print_into(tmp_path):
    program = (
        "import os, subprocess, sys; from segtumor.commands.common.command_line import make_parser, run\n"
        "def body(arguments):\n"
        "    with open('result', 'w') as file:\n"
        "        print('printed', file=sys.stderr)\n"
        "        child = 'import os; os.write(1, bytes(9)); os.write(2, bytes(9))'\n"
        "        subprocess.run([sys.executable, '-c', child], check=True)\n"
        "        os.write(2, b'from C')\n"
        "        file.write('whole')\n"
        "sys.exit(run(body, make_parser('t', 'T.'), []))"
    )
    command = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, program]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run(command, cwd=tmp_path, env=environment).returncode == 0
    assert (tmp_path / "result").read_text() == "whole"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_what_a_stream_has_no_letters_for_is_escaped(name, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, name, io.TextIOWrapper(written, encoding="ascii", errors="strict"))
    assert run(lambda arguments: getattr(sys, name).write("Röntgen \udcff"), make_parser("t", "T."), []) == 9
    getattr(sys, name).flush()
    assert written.getvalue() == rb"R\xf6ntgen \udcff"
