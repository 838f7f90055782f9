"""How matplotlib is imported and set, so that plots are the same whatever a user's environment says.

MPLBACKEND, which a notebook sets for every process started from it, and the user's matplotlibrc are made for that
user's own plots. They may name a backend that is not installed here, ask for LaTeX, or be damaged. Neither the
environment nor the settings of a program that uses segtumor as a library are changed. Left out: pyplot, which is never
imported.
"""

import contextlib
import importlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from segtumor.errors import InstallationError

_SETTINGS_FILE = "matplotlibrc"


def import_matplotlib() -> ModuleType:
    """matplotlib; where it refuses the settings that it finds, it is imported once more with its own.

    Raises:
        ImportError: it is not installed, or broken.
        InstallationError: it refuses its own settings too, since it finds no folder that it can write to.
    """
    if sys.modules.get("matplotlib") is not None:
        return sys.modules["matplotlib"]
    try:
        return importlib.import_module("matplotlib")
    except ImportError:
        raise
    except Exception:  # noqa: BLE001 - whatever is wrong with settings: ValueError, UnicodeDecodeError, PermissionError
        with _without_the_users_settings():
            return _import_again()


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """Inside the block everything is drawn with matplotlib's own settings; the user's come back after it."""
    matplotlib = import_matplotlib()
    settings = dict(matplotlib.rcParamsDefault)
    del settings["backend"]  # decides nothing without pyplot, and is the user's
    with matplotlib.rc_context(settings):
        yield


def _import_again() -> ModuleType:
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        del sys.modules[name]  # parts that the first try left behind are not bound to the new package
    try:
        return importlib.import_module("matplotlib")
    except OSError as error:
        remedy = "Set MPLCONFIGDIR or TMPDIR to a folder that can be written to"
        raise InstallationError("matplotlib cannot be used", got=error, remedy=remedy) from error


@contextlib.contextmanager
def _without_the_users_settings() -> Iterator[None]:
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise ImportError("matplotlib cannot be found")
    own_file = Path(spec.origin).parent / "mpl-data" / _SETTINGS_FILE
    before = {name: os.environ.pop(name, None) for name in ("MPLBACKEND", "MATPLOTLIBRC")}
    os.environ["MATPLOTLIBRC"] = str(own_file)
    try:
        with contextlib.ExitStack() as stack:
            if os.path.isfile(_SETTINGS_FILE):  # in the current folder, where matplotlib looks first
                stack.enter_context(contextlib.chdir(stack.enter_context(tempfile.TemporaryDirectory())))
            yield
    finally:
        del os.environ["MATPLOTLIBRC"]
        os.environ.update({name: value for name, value in before.items() if value is not None})
