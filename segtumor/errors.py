"""The exceptions of segtumor, one tree.

Each is raised where bad input enters and says what is wrong, where, what was expected and how to fix it, in one
or two lines. ``exit_code`` is what a command returns when the exception reaches it
(``segtumor.commands.common.command_line``). Not here: programming mistakes, which stay ordinary Python exceptions and
keep their traceback.
"""

import collections.abc
import contextlib
import linecache
import os
import re
import traceback
from typing import Any

_OURS = ("segtumor", "__main__")
_IMPORT = re.compile(r"\s*(?:import|from)\s+([A-Za-z_][\w.]*)")


class SegtumorError(Exception):
    """Base of every error a user can cause and fix.

    Args:
        what: what is wrong, a phrase without a full stop.
        where: the file, record id or config key it was found at.
        got: the offending value, shown as it is.
        expected: what would have been right.
        remedy: what to type or change.
    """

    exit_code = 1

    def __init__(
        self, what: str, *, where: Any = None, got: Any = None, expected: Any = None, remedy: str | None = None
    ) -> None:
        self.what, self.where, self.got, self.expected, self.remedy = what, where, got, expected, remedy
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        text = f"{self.where}: {self.what}" if self.where is not None else str(self.what)
        details = [f"got {self.got}"] if self.got is not None else []
        if self.expected is not None:
            details.append(f"expected {self.expected}")
        if details:
            text += f" ({'; '.join(details)})"
        if self.remedy is None:
            return f"{text}."
        return f"{text}. {self.remedy}" if str(self.remedy).endswith("?") else f"{text}. {self.remedy}."

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword arguments are not in ``args``; without this the error would be lost on its way out of a data worker.
        details = {key: getattr(self, key) for key in ("where", "got", "expected", "remedy")}
        return _rebuild, (type(self), self.what, details)


def _rebuild(error_class: type[SegtumorError], what: str, details: dict[str, Any]) -> SegtumorError:
    return error_class(what, **details)


class ConfigError(SegtumorError):
    """A command line or configuration that cannot be run."""

    exit_code = 2


class ModelError(SegtumorError):
    """Weights that are unreadable, untrusted or do not fit the model."""

    exit_code = 3


class InstallationError(SegtumorError):
    """A package or runtime that is missing or too old."""

    exit_code = 4


class OutputError(SegtumorError):
    """An output that cannot be written: no permission, no space, not a folder."""

    exit_code = 4


class PacsError(SegtumorError):
    """An archive of radiographs that does not answer, refuses, or is none."""

    exit_code = 4


class DataError(SegtumorError):
    """Data that cannot be used: annotations, tables, splits."""

    exit_code = 5


class BadImageError(DataError):
    """An image file that is missing, unreadable, truncated, too large or not what its name says."""


class NonFiniteLossError(DataError):
    """A training whose losses, weights or statistics are NaN or infinite; names the images where a batch is known."""


class NonFiniteOutputError(DataError):
    """A radiograph on which the model computes NaN, infinities or numbers beyond all sense: nothing is known of it."""


class SomeInputsFailedError(SegtumorError):
    """Several inputs were asked for; some failed and the others finished."""

    exit_code = 6


def error_of_text(traceback_text: str) -> SegtumorError | None:
    """The error of segtumor that ends a traceback which another process has sent as text; None if none does."""
    last = next(iter(traceback_text.rstrip().splitlines()[-1:]), "")
    name, colon, text = last.partition(": ")
    kind = globals().get(name.removeprefix("segtumor.errors.")) if name.startswith("segtumor.errors.") else None
    if isinstance(kind, type) and issubclass(kind, SegtumorError) and colon:
        return kind(text.removesuffix("."))
    return None


#: Where to look next: the one command that knows every package and how to get it.
_DOCTOR = "`segtumor doctor` says what is missing or broken, and what to type"


def failed_import(error: BaseException) -> InstallationError | None:
    """What ``error`` says of the installation, if it was raised while a package of others was imported; else None.

    A broken package raises anything: ImportError and OSError for a shared library that is missing, SyntaxError and
    ValueError for files half written, AttributeError and RuntimeError for versions that do not belong together.
    """
    if isinstance(error, (SegtumorError, MemoryError)) or not isinstance(error, Exception):
        return None
    package = _imported_package(error)
    if package is None:
        return None
    reason = (str(error).strip().splitlines() or [""])[0][:200]
    if isinstance(error, ModuleNotFoundError) and error.name == package:
        return InstallationError(f"{package} is not installed", remedy=_DOCTOR)
    kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
    return InstallationError(f"{package} cannot be imported", got=f"{kind}{reason}", remedy=_DOCTOR)


@contextlib.contextmanager
def needed(package: str, what: str, *, remedy: str) -> collections.abc.Iterator[None]:
    """Around the import of a package that not everybody has.

    Args:
        package: what is imported.
        what: what is said where it is missing, such as "onnxruntime is not installed".
        remedy: what gets it.

    Raises:
        InstallationError: it is missing, or broken.
    """
    try:
        yield
    except Exception as error:
        failure = failed_import(error)
        if failure is None:
            raise
        is_missing = isinstance(error, ModuleNotFoundError) and error.name == package
        raise (InstallationError(what, remedy=remedy) if is_missing else failure) from error


def check_current_folder() -> None:
    """To be called before torch is imported: without a current folder its arithmetic library ends the process.

    Raises:
        InstallationError: there is no current folder.
    """
    try:
        os.getcwd()
    except OSError as error:
        raise InstallationError("the current folder no longer exists", remedy="Go to another one: cd") from error


def _imported_package(error: BaseException) -> str | None:
    """Name of the package during whose import ``error`` was raised, or that was not found; None if it is neither."""
    name = last = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        last, code = str(frame.f_globals.get("__name__")), frame.f_code
        if last.partition(".")[0] in _OURS:
            # A file that is damaged, or no library at all, leaves no frame of its own.
            statement = _IMPORT.match(linecache.getline(code.co_filename, line))
            name = statement[1] if statement else None
        elif code.co_name == "<module>":
            name = last
    if isinstance(error, ModuleNotFoundError):
        name = error.name or name
    elif isinstance(error, ImportError):
        name = name or error.name or last
    package = str(name).partition(".")[0]
    return None if package in ("None", "", *_OURS) else package
