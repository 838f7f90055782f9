"""Whether packages can be imported, tried in a process of its own: a broken one may end it, or not come back.

Not here: what is said of them (``doctor``).
"""

import faulthandler
import importlib
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from segtumor.errors import SegtumorError, failed_import
from segtumor.system.imports import offline_imports

#: For one package; torch on a slow disk takes half a minute.
LONGEST_S = 120

#: What functions of evaluation, reporting and training import.
_NEEDED_LATER = ("scipy.ndimage", "scipy.optimize", "scipy.special", "scipy.stats", "jinja2", "tensorboard")

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from segtumor.commands.common.import_trials import report; report(sys.argv[2:])"
)


@dataclass(frozen=True)
class Outcome:
    """What became of an import.

    Attributes:
        error: why it failed, in a line; None if it did not.
        remedy: what to do about it, where that is known.
        value: what was found out by it.
    """

    error: str | None = None
    remedy: str | None = None
    value: str | None = None


def try_imports(names: Iterable[str]) -> dict[str, Outcome]:
    """Import modules one after another, as a command would that needs them all.

    Args:
        names: of modules; "detectron2" finds out which one it is, "gpu" which GPUs torch sees.
    """
    outcomes, waiting = {}, list(names)
    while waiting:
        reported, ended = _tried(waiting)
        outcomes.update(reported)
        waiting = [name for name in waiting if name not in outcomes]
        if waiting:  # the first of them ended the process
            outcomes[waiting.pop(0)] = Outcome(error=ended)
    return outcomes


def import_what_evaluates() -> None:
    """Import what is needed when a training has ended: a broken package is reported now rather than after hours.

    Raises:
        ImportError, InstallationError: one is missing or broken.
    """
    for module in ("segtumor.evaluation.study.study", "segtumor.reporting.pages.study_page", *_NEEDED_LATER):
        importlib.import_module(module)
    importlib.import_module("segtumor.reporting.figures.plotting_library").import_matplotlib()


def report(names: list[str]) -> None:
    """In the process of its own: write an Outcome for each name, as a line of JSON, and end."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (1, 2):  # what packages print must not mix with the lines
        os.dup2(nowhere, standard)
    warnings.simplefilter("ignore")  # of which PYTHONWARNINGS may make errors
    for name in names:
        faulthandler.dump_traceback_later(LONGEST_S, exit=True, file=nowhere)
        with offline_imports():
            outcome = _outcome(name)
        lines.write(json.dumps({name: vars(outcome)}) + "\n")
        lines.flush()
    os._exit(0)  # how a package leaves is not what is asked


def _tried(names):
    """({name: Outcome}, how the process ended) of as many as came to an end."""
    command = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), *names]
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
        )
    except OSError as error:
        return {}, f"no process can be started: {error.strerror}"
    found = {}
    for line in result.stdout.decode("utf-8", "replace").splitlines():
        found.update({name: Outcome(**values) for name, values in json.loads(line).items()})
    if result.returncode >= 0:
        return found, f"its import did not come back within {LONGEST_S} s, or ended the process"
    return found, f"its import ends the process ({_signal_name(-result.returncode)})"


def _signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _outcome(name):
    try:
        return Outcome(value=_STEPS.get(name, lambda: importlib.import_module(name) and None)())
    except SegtumorError as error:
        return Outcome(error=error.what if error.got is None else f"{error.what} ({error.got})", remedy=error.remedy)
    except Exception as error:  # noqa: BLE001 - a broken package raises anything; the reason is reported
        failure = failed_import(error)
        if failure is None:
            return Outcome(error=f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}")
        if failure.got is not None and failure.what.startswith(f"{name.partition('.')[0]} "):
            return Outcome(error=failure.got)
        reason = "" if failure.got is None else f": {failure.got}"
        return Outcome(error=f"{failure.what}{reason}", remedy="Mend that first")


def _detectron2() -> str:
    # It knows the exact command, adapts the PyPI build and imports Detectron2, which is the only real proof.
    compat = importlib.import_module("segtumor.compat")
    versions = importlib.import_module("segtumor.system.versions")
    importlib.import_module("detectron2.modeling")
    build = "Python part only, adapted by segtumor" if compat.is_adapted() else "used as it is"
    return f"{versions.detectron2_version()} ({build})"


def _gpu():
    cuda = importlib.import_module("torch").cuda
    return ", ".join(cuda.get_device_name(i) for i in range(cuda.device_count())) if cuda.is_available() else None


def _by(module: str, function: str) -> Callable[[], None]:
    def step() -> None:
        getattr(importlib.import_module(module), function)()

    return step


#: What is imported in a way of its own: names that are no modules, and packages that segtumor imports with precautions.
_STEPS = {
    "detectron2": _detectron2,
    "gpu": _gpu,
    "matplotlib": _by("segtumor.reporting.figures.plotting_library", "import_matplotlib"),
    "openvino": _by("segtumor.runtime.sessions.openvino_graphs", "import_openvino"),
}
