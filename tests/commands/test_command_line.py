import errno
import logging
import os
import signal
import subprocess
import sys
import threading

import pytest

from segtumor import errors
from segtumor.commands.common.command_line import NOTICE, check_threads, make_parser, run, use_color
from segtumor.errors import ConfigError, DataError


@pytest.fixture
def parser():
    parser = make_parser("tool.py", "Does nothing.\nTwice.", ["python tool.py --count 2", "python tool.py --debug"])
    parser.add_argument("--count", type=int, default=1)
    return parser


def raising(error):
    def body(arguments):
        raise error

    return body


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (6, 6)])
def test_the_exit_code_is_what_the_body_returns(parser, returned, code):
    assert run(lambda arguments: returned, parser, []) == code


def test_the_body_gets_its_arguments(parser):
    assert run(lambda arguments: arguments.count + arguments.debug, parser, ["--count", "4", "--debug"]) == 5


def test_help_ends_with_examples_and_the_notice(parser, capsys):
    with pytest.raises(SystemExit) as caught:
        run(lambda arguments: 0, parser, ["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "Does nothing.\nTwice." in text
    assert text.endswith(f"examples:\n  python tool.py --count 2\n  python tool.py --debug\n\n{NOTICE}\n")


@pytest.mark.parametrize("arguments", [["--count", "x"], ["--unknown"], ["--cou", "1"], ["extra"]])
def test_wrong_usage_is_2(parser, arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        run(lambda arguments: 0, parser, arguments)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_an_empty_value_is_no_path(parser, capsys):
    parser.add_argument("--output")
    assert run(lambda arguments: 0, parser, ["--output", ""]) == 2
    assert capsys.readouterr().err.startswith("error: output: empty.")
    assert run(lambda arguments: 0, parser, []) == 0


@pytest.mark.parametrize("count", [0, -1, 1025, 10**20])
def test_no_machine_has_so_many_threads(count):
    with pytest.raises(ConfigError, match="--threads: out of range"):
        check_threads(count)
    check_threads(None)
    check_threads(1024)


def test_a_path_that_cannot_be_reached_is_named_with_what_to_do(parser, capsys):
    def body(arguments):
        os.stat("n" * 300)

    assert run(body, parser, []) == 4
    assert capsys.readouterr().err.startswith(f"error: {'n' * 300}: cannot be reached: File name too long. Check")


#: Exceptions of the one tree; ``typing.Any``, which the module imports, is a class as well.
ERRORS = [
    name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.SegtumorError)
]


@pytest.mark.parametrize("name", ERRORS)
def test_a_known_error_is_two_lines_at_most_and_its_exit_code(parser, name, capsys):
    error = getattr(errors, name)("no such thing", where="a.json", remedy="Make it")
    assert run(raising(error), parser, []) == error.exit_code
    assert capsys.readouterr().err == "error: a.json: no such thing. Make it.\n"


def test_debug_shows_where_it_was_raised(parser, capsys):
    assert run(raising(DataError("bad")), parser, ["--debug"]) == 5
    text = capsys.readouterr().err
    assert "Traceback" in text
    assert text.endswith("error: bad.\n")


def test_an_unexpected_error_keeps_its_traceback_and_asks_to_be_reported(parser, capsys):
    assert run(raising(KeyError("x")), parser, []) == 1
    text = capsys.readouterr().err
    assert "Traceback" in text
    assert "KeyError: 'x'" in text
    assert "report it" in text


def test_memory_and_disk_are_the_environment(parser, capsys):
    gpu_error = type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory")
    cpu_error = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 17280000 bytes")
    for error in (MemoryError(), gpu_error, cpu_error):
        assert run(raising(error), parser, []) == 4
        assert "smaller batch" in capsys.readouterr().err
    assert run(raising(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/a/log.txt")), parser, []) == 4
    assert "/a/log.txt: no space left on the disk. Free some space" in capsys.readouterr().err
    assert run(raising(OSError(errno.EIO, os.strerror(errno.EIO))), parser, []) == 1


def test_ctrl_c_is_130(parser, capsys):
    assert run(raising(KeyboardInterrupt()), parser, []) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_unwinds_and_its_handler_is_given_back(parser, capsys, name, code):
    number = getattr(signal, name, None) or pytest.skip("a signal that this system lacks")
    before, cleaned = signal.getsignal(number), []

    def body(arguments):
        try:
            os.kill(os.getpid(), number)
        finally:
            cleaned.append(True)

    signal.signal(number, signal.SIG_DFL)  # whatever started the tests may ignore it
    try:
        assert run(body, parser, []) == code
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert cleaned == [True]
    assert capsys.readouterr().err == "terminated\n"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="a signal that this system lacks")
def test_under_nohup_a_command_outlives_its_terminal(parser):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(lambda arguments: os.kill(os.getpid(), signal.SIGHUP), parser, []) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_it_runs_in_a_thread_that_may_not_set_signal_handlers(parser):
    codes = []
    thread = threading.Thread(target=lambda: codes.append(run(lambda arguments: 6, parser, [])))
    thread.start()
    thread.join()
    assert codes == [6]


def test_a_broken_pipe_between_processes_is_not_mistaken_for_a_closed_terminal(parser, capsys):
    assert run(raising(BrokenPipeError(errno.EPIPE, "worker")), parser, []) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.command
@pytest.mark.parametrize("count", [1, 100000])  # found out on the last flush, and in the middle
def test_a_reader_who_leaves_is_no_error(count):
    program = (
        "import sys; from segtumor.commands.common.command_line import make_parser, run\n"
        f"sys.exit(run(lambda a: print('x\\n' * {count}) or sys.stdin.read() and None, make_parser('t', 'T.'), []))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    process.stdin.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141
    process.stderr.close()


def test_the_log_goes_to_standard_error_while_the_command_runs(parser, capsys):
    logger = logging.getLogger("segtumor.some.module")

    def body(arguments):
        logger.debug("detail")
        logger.info("reading 3 files")
        logger.warning("1 file skipped")

    handlers = list(logging.getLogger("segtumor").handlers)
    run(body, parser, [])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "reading 3 files\nwarning: 1 file skipped\n"
    run(body, parser, ["--debug"])
    assert capsys.readouterr().err.startswith("debug: detail\n")
    assert logging.getLogger("segtumor").handlers == handlers


class Terminal:
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("environment", "colored"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_color_only_on_a_terminal_and_never_with_no_color(environment, colored, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert use_color(Terminal()) == colored
    assert not use_color(object())


NAME = "a\x1b]0;owned\x07\x1b[2J\x9b31m\u202e.png"
SHOWN = r"a\x1b]0;owned\x07\x1b[2J\x9b31m\u202e.png"


def test_no_name_commands_the_terminal(parser, capsys):
    def body(arguments):
        sys.stdout.write(f"\033[32mok\033[0m\t{NAME}\n")
        logging.getLogger("segtumor").warning("%s\r", NAME)
        raise DataError(f"bad {NAME}", where="x\nerror: forged\r")

    assert run(body, parser, []) == 5
    shown = capsys.readouterr()
    assert shown.out == f"\033[32mok\033[0m\t{SHOWN}\n"
    assert f"warning: {SHOWN}\\r\n" in shown.err and f"bad {SHOWN}" in shown.err
    assert not set("\x07\x1b\r\x9b\u202e") & set(shown.err)
