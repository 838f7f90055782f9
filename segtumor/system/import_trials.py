"""Whether packages can be imported, tried in a process of its own: a broken one may end it, or not come back.

Not here: which packages (``installation``).
"""

import faulthandler
import importlib
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from segtumor.errors import SegtumorError, failed_import
from segtumor.system.imports import offline_imports

#: For one package; torch on a slow disk takes half a minute.
LONGEST_S = 120

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from segtumor.system.import_trials import report; report(json.loads(sys.argv[2]))"
)


@dataclass(frozen=True)
class Outcome:
    """What became of an import.

    Attributes:
        error: why it failed, in a line; None if it did not.
        remedy: what to do about it, where that is known.
        value: what the function returned that was called for it.
    """

    error: str | None = None
    remedy: str | None = None
    value: str | None = None


def try_imports(names: Iterable[str], probes: Mapping[str, str] = MappingProxyType({})) -> dict[str, Outcome]:
    """Import modules one after another, as a command would that needs them all.

    Args:
        probes: {name: "module:function"} of what takes more than an import; the function's text is the value.
    """
    outcomes: dict[str, Outcome] = {}
    waiting = {name: probes.get(name, name) for name in names}
    while waiting:
        reported, ended = _tried(waiting)
        outcomes.update(reported)
        waiting = {name: target for name, target in waiting.items() if name not in outcomes}
        if waiting:  # the first of them ended the process
            first = next(iter(waiting))
            outcomes[first] = Outcome(error=ended)
            del waiting[first]
    return outcomes


def report(targets: Mapping[str, str]) -> None:
    """In the process of its own: write an Outcome for each target, as a line of JSON, and end."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (1, 2):  # what packages print must not mix with the lines
        os.dup2(nowhere, standard)
    warnings.simplefilter("ignore")  # of which PYTHONWARNINGS may make errors
    for name, target in targets.items():
        faulthandler.dump_traceback_later(LONGEST_S, exit=True, file=nowhere)
        with offline_imports():
            outcome = _outcome(name, target)
        lines.write(json.dumps({name: vars(outcome)}) + "\n")
        lines.flush()
    os._exit(0)  # how a package leaves is not what is asked


def _tried(targets: Mapping[str, str]) -> tuple[dict[str, Outcome], str]:
    """({name: Outcome}, how the process ended) of as many as came to an end."""
    command = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), json.dumps(targets)]
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
        )
    except OSError as error:
        return {}, f"no process can be started: {error.strerror}"
    found: dict[str, Outcome] = {}
    for line in result.stdout.decode("utf-8", "replace").splitlines():
        found.update({name: Outcome(**values) for name, values in json.loads(line).items()})
    if result.returncode >= 0:
        return found, f"its import did not come back within {LONGEST_S} s, or ended the process"
    return found, f"its import ends the process ({_signal_name(-result.returncode)})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _outcome(name: str, target: str) -> Outcome:
    try:
        return Outcome(value=_imported(target))
    except SegtumorError as error:
        return Outcome(error=error.what if error.got is None else f"{error.what} ({error.got})", remedy=error.remedy)
    except Exception as error:  # noqa: BLE001 - a broken package raises anything; the reason is reported
        failure = failed_import(error)
        if failure is None:
            return Outcome(error=f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}")
        if failure.got is not None and failure.what.startswith(f"{name.partition('.')[0]} "):
            return Outcome(error=failure.got)
        reason = "" if failure.got is None else f": {failure.got}"
        return Outcome(error=f"{failure.what}{reason}", remedy="Fix that first")


def _imported(target: str) -> str | None:
    module, _, function = target.partition(":")
    imported = importlib.import_module(module)
    value = getattr(imported, function)() if function else None
    return value if isinstance(value, str) else None
