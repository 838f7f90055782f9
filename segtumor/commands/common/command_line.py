"""What every command shares: its parser, its exit codes and what it prints when something goes wrong.

Exit codes: 0 done, 1 a bug in segtumor itself (with its traceback), 2 usage or configuration, 3 model,
4 environment, memory or disk, 5 data, 6 some inputs failed, 129 terminal closed, 130 interrupted, 141 reader of a pipe
gone, 143 terminated.
Imports nothing heavy, so that ``--help`` is quick. Not here: what the commands do.
"""

import argparse
import contextlib
import contextvars
import errno
import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

from segtumor import NOTICE
from segtumor.commands.common.streams import ReaderGoneError, check_output, sound_streams
from segtumor.errors import ConfigError, OutputError, SegtumorError, error_of_text, failed_import
from segtumor.escaping import printable
from segtumor.system.resource_errors import resource_error_of
from segtumor.system.threads import considerate_threads

EXIT_UNEXPECTED = 1
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_BROKEN_PIPE = 128 + 13  # SIGPIPE, a name that Windows lacks
EXIT_TERMINATED = 128 + signal.SIGTERM
EXIT_HUNG_UP = 128 + 1  # SIGHUP

#: Signal -> exit code; Windows lacks the second.
_ENDING = {
    getattr(signal, name): code
    for name, code in (("SIGTERM", EXIT_TERMINATED), ("SIGHUP", EXIT_HUNG_UP))
    if hasattr(signal, name)
}

#: More than any machine has; libraries start as many as they are asked for.
_MOST_THREADS = 1024
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}

#: A command after parsing: takes the arguments, returns an exit code or None for 0.
Body = Callable[[argparse.Namespace], int | None]
#: A command as scripts call it: takes what was typed, or None for that of the process, and returns an exit code.
Main = Callable[..., int]

#: What the user typed to reach a command; see ``typed_as``.
_typed: contextvars.ContextVar[str | None] = contextvars.ContextVar("typed", default=None)


class _Terminated(SystemExit):
    """SIGTERM or SIGHUP arrived. A SystemExit, so that worker processes of a command leave without a traceback."""


@contextlib.contextmanager
def typed_as(name: str) -> Iterator[None]:
    """Inside the block the parser of a command calls it ``name``, such as "segtumor train"."""
    token = _typed.set(name)
    try:
        yield
    finally:
        _typed.reset(token)


def make_parser(prog: str, description: str, examples: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Parser of one command.

    Args:
        prog: name shown in the usage line, where the command was not reached by another (``typed_as``).
        description: what the command does; line breaks are kept.
        examples: command lines that run, shown at the end of ``--help``.

    Returns:
        Parser with ``--debug`` already added; it refuses abbreviated options, since an abbreviation in somebody's
        script would change its meaning when an option is added.
    """
    lines = ["examples:", *(f"  {example}" for example in examples), ""] if examples else []
    parser = argparse.ArgumentParser(
        prog=_typed.get() or prog,
        description=description,
        epilog="\n".join([*lines, NOTICE]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    # A group of its own is listed after the command's own options.
    trouble = parser.add_argument_group("when something goes wrong")
    trouble.add_argument(
        "--debug", action="store_true", help="log more, and show where in the code an error was raised"
    )
    return parser


def command(build_parser: Callable[[], argparse.ArgumentParser]) -> Callable[[Body], Main]:
    """Make a function of parsed arguments the ``main(argv=None)`` of a command, which ends as ``run`` does.

    A command's ``build_parser`` needs nothing heavy, so that ``--help`` is quick.
    """

    def main_of(body: Body) -> Main:
        def main(argv: Sequence[str] | None = None) -> int:
            """Run the command; returns its exit code."""
            return run(body, build_parser(), argv)

        return main

    return main_of


def run(body: Body, parser: argparse.ArgumentParser, argv: Sequence[str] | None = None) -> int:
    """Parse ``argv``, call ``body(arguments)`` and turn whatever happens into an exit code.

    Args:
        body: the command; takes the parsed arguments, returns an exit code or None for 0.
        argv: arguments without the program's name; None takes those of the process.

    Returns:
        Exit code, int. Wrong usage and ``--help`` leave by SystemExit (2 and 0), as argparse does.
    """
    with sound_streams():
        try:
            arguments = parser.parse_args(argv)
        except SystemExit as leaving:
            wanted = int(leaving.code or 0)
            code = guarded(lambda: wanted)
            if code != wanted:  # the help could not be written
                return code
            raise
        debug = getattr(arguments, "debug", False)
        with _logging_to_stderr(debug), _libraries_quiet(debug), _signals_raise(), considerate_threads():
            return guarded(lambda: body(_checked(arguments)), debug=debug)


def guarded(work: Callable[[], int | None], *, debug: bool = False) -> int:
    """Call ``work()`` and turn whatever happens into an exit code; needs ``sound_streams``."""
    try:
        code = work()
        check_output()  # here a full disk or a closed pipe can still be reported
        return int(code or 0)
    except KeyboardInterrupt:
        _say("interrupted")
        return EXIT_INTERRUPTED
    except _Terminated as ended:
        _say("terminated")
        return int(ended.code or 0)
    except Exception as error:  # noqa: BLE001 - the one place where errors end; it reports each of them
        return _report(error, debug)


def check_threads(count: int | None) -> None:
    """Refuse a number of ``--threads`` that no machine has, by ConfigError; None passes."""
    if count is not None and not 1 <= count <= _MOST_THREADS:
        raise ConfigError("out of range", where="--threads", got=count, expected=f"1 to {_MOST_THREADS}")


def use_color(stream: Any) -> bool:
    """Whether to colour text on ``stream``: only on a terminal that understands it, never when NO_COLOR is set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def _report(error: Exception, debug: bool) -> int:
    if isinstance(error, ReaderGoneError):
        return EXIT_BROKEN_PIPE
    known = _as_user_error(error)
    if known is None or debug:
        traceback.print_exception(error)
    if known is None:
        _say(
            "error: this is a bug in segtumor, not in what you typed. "
            "Please report it with the lines above and the output of `segtumor doctor`."
        )
        return EXIT_UNEXPECTED
    _say(f"error: {known}")
    return known.exit_code


def _as_user_error(error: Exception) -> SegtumorError | None:
    """The error as one the user can fix, or None if only a programmer can."""
    if type(error).__name__ == "ProcessRaisedException":  # of torch, from one of several processes that train
        error = error_of_text(str(error)) or error
    scarcity = resource_error_of(error)
    if scarcity is not None:
        return scarcity
    if isinstance(error, SegtumorError):
        return error
    if isinstance(error, OSError) and error.errno in _OUT_OF_SPACE:
        remedy = "Free some space, or write to another disk"
        return OutputError("no space left on the disk", where=error.filename or "output", remedy=remedy)
    broken = failed_import(error)
    if broken is not None:
        return broken
    if isinstance(error, OSError) and error.filename is not None:  # the system refuses a path that was typed
        remedy = "Check the path and your rights to it"
        return OutputError(f"cannot be reached: {error.strerror}", where=error.filename, remedy=remedy)
    return None


def _checked(arguments: argparse.Namespace) -> argparse.Namespace:
    """An empty value is most often a variable that was never set; as a path it would mean the current folder."""
    for name, value in vars(arguments).items():
        if value == "":
            raise ConfigError("empty", where=name.replace("_", "-"), remedy="Give it a value, or leave it out")
    return arguments


def _say(text: str) -> None:
    text = printable(text, keep="\n\t")
    if text.startswith("error:") and use_color(sys.stderr):
        text = "\033[31merror:\033[0m" + text.removeprefix("error:")
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _logging_to_stderr(debug: bool) -> Iterator[None]:
    """Show segtumor's log on standard error while a command runs; standard output is for results."""
    logger = logging.getLogger("segtumor")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@contextlib.contextmanager
def _libraries_quiet(debug: bool) -> Iterator[None]:
    """Hide what libraries report to programmers about future releases; users can do nothing about it."""
    with warnings.catch_warnings():
        if not debug:
            for category in (FutureWarning, DeprecationWarning):
                warnings.simplefilter("ignore", category)
            warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\.")
        yield


class _Formatter(logging.Formatter):
    """Messages as plain lines; what is more serious than information is named."""

    def format(self, record: logging.LogRecord) -> str:
        text = printable(super().format(record), keep="\n\t")
        return text if record.levelno == logging.INFO else f"{record.levelname.lower()}: {text}"


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """While a command runs, SIGTERM and the end of its terminal unwind it, so that temporary files are removed,
    checkpoints stay whole and what was found is written."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    previous = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in previous.items():
        if handler is not signal.SIG_IGN:  # nohup lets a command outlive its terminal
            signal.signal(number, _raise_terminated)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _raise_terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated(_ENDING[number])
