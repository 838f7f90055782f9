"""Standard streams that can be used, whatever a command was started with.

Services, schedulers and pythonw start a command without some of them: Python then has None in their place, and the
system gives their numbers to the next files that are opened, into which C libraries and child processes would print.
A disk can also be full and a reader gone. A terminal obeys control characters, which a file or class name may hold.
Not here: what is printed.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from segtumor.errors import OutputError
from segtumor.escaping import without_commands


class ReaderGoneError(BrokenPipeError):
    """The reader of standard output has left; a broken pipe to a worker is none of these."""


@contextlib.contextmanager
def sound_streams() -> Iterator[None]:
    """Inside the block the three standard streams exist, stay open and know whether they are terminals.

    What is written to a stream that is missing goes nowhere. What cannot be written to standard error is lost, since
    messages must not end the work. What cannot be written to standard output is a result: ``check_output`` reports it
    when the work is done, but a reader that is gone ends it at once, by ReaderGoneError.
    """
    _open_standard_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr
    with contextlib.ExitStack() as nowhere:
        sys.stdin = before[0] if _is_open(before[0]) else nowhere.enter_context(open(os.devnull, encoding="utf-8"))
        sys.stdout, sys.stderr = (
            kind.around(stream if _is_open(stream) else nowhere.enter_context(open(os.devnull, "w", encoding="utf-8")))
            for kind, stream in ((_Output, before[1]), (_Messages, before[2]))
        )
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = before


def check_output() -> None:
    """Write out what standard output holds back, and report once what it could not write.

    Raises:
        OutputError: it lost something.
        ReaderGoneError: its reader is gone.
    """
    sys.stdout.flush()
    output: Any = sys.stdout
    failure = getattr(output, "failure", None)
    if failure is not None:
        output.failure = None
        remedy = "Free some space, or send it elsewhere"
        got = getattr(failure, "strerror", None) or failure
        raise OutputError(
            "not everything could be written", where="standard output", got=got, remedy=remedy
        ) from failure


class _Stream:
    """Passes on what it is asked; answers ``isatty`` and ``flush`` for objects that have no such method too."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        if hasattr(stream, "reconfigure"):
            # A name that the stream's encoding lacks is written with escapes, and does not end the work.
            stream.reconfigure(errors="backslashreplace")

    @classmethod
    def around(cls, stream: Any) -> "_Stream":
        return stream if isinstance(stream, cls) else cls(stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        try:
            return bool(self._stream.isatty())
        except (AttributeError, ValueError, OSError):
            return False

    def write(self, text: str) -> int:
        self._pass_on("write", without_commands(text))
        return len(text)

    def flush(self) -> None:
        if hasattr(self._stream, "flush"):
            self._pass_on("flush")

    def _pass_on(self, method: str, *arguments: Any) -> None:
        raise NotImplementedError


class _Messages(_Stream):
    """Standard error: what cannot be written is lost."""

    def _pass_on(self, method: str, *arguments: Any) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: it was closed meanwhile
            getattr(self._stream, method)(*arguments)


class _Output(_Stream):
    """Standard output: the first failure is kept in ``failure``, and what follows is lost."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.failure: OSError | ValueError | None = None

    def _pass_on(self, method: str, *arguments: Any) -> None:
        if self.failure is not None:
            return
        try:
            getattr(self._stream, method)(*arguments)
        except BrokenPipeError as error:
            _lead_nowhere(self._stream)
            raise ReaderGoneError(*error.args) from error
        except (OSError, ValueError) as error:
            self.failure = error


def _is_open(stream: Any) -> bool:
    try:
        return stream is not None and not getattr(stream, "closed", False)
    except ValueError:  # what was below it has been detached
        return False


def _open_standard_descriptors() -> None:
    """Let 0, 1 and 2 lead nowhere where they are closed, for this process and those that it starts."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened == number:
                os.set_inheritable(number, True)
            else:
                os.dup2(opened, number)
                os.close(opened)


def _lead_nowhere(stream: TextIO) -> None:
    # The interpreter writes what it holds back once more on its way out; that should go nowhere, without a complaint.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
