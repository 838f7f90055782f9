"""``segtumor doctor``: what is installed and can be imported, what is missing or broken, and exactly how to get it."""

import argparse
import importlib
import platform
import sys
from collections.abc import Sequence

import segtumor
from segtumor.commands.common.command_line import command, make_parser, use_color
from segtumor.errors import InstallationError
from segtumor.system.installation import BROKEN, MISSING, NOTE, OK, Check, check_installation

_COLOR_CODES = {OK: 32, NOTE: 33, MISSING: 31, BROKEN: 31}
#: What takes more than an import: names that are no modules, and packages that segtumor imports with precautions.
_PROBES = {
    "detectron2": "segtumor.commands.doctor:detectron2_build",
    "gpu": "segtumor.commands.doctor:gpu_names",
    "matplotlib": "segtumor.reporting.figures.plotting_library:import_matplotlib",
    "openvino": "segtumor.runtime.sessions.openvino_graphs:import_openvino",
}


def build_parser() -> argparse.ArgumentParser:
    return make_parser(
        "segtumor doctor",
        "Show what is installed and can be imported, what is missing or broken, and exactly how to get it.\n"
        "Exit code 4 if something needed is missing, or something installed is broken.",
        examples=["segtumor doctor", "python -m segtumor doctor"],
    )


@command(build_parser)
def main(_: argparse.Namespace) -> int:
    checks = check_installation(_PROBES)
    print(f"segtumor {segtumor.__version__} on {platform.platform()}")
    print(report(checks, color=use_color(sys.stdout)))
    failed = [check.title for check in checks if check.state in (MISSING, BROKEN)]
    print(
        f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}."
        if failed
        else "Everything that is needed is installed."
    )
    return InstallationError.exit_code if failed else 0


def report(checks: Sequence[Check], *, color: bool = False) -> str:
    """The checks as aligned lines, each remedy below its line."""
    width = max(len(check.title) for check in checks)
    lines = []
    for check in checks:
        state = f"{check.state:<7}"
        state = f"\033[{_COLOR_CODES[check.state]}m{state}\033[0m" if color else state
        lines.append(f"{state}  {check.title:<{width}}  {check.detail}")
        if check.remedy:
            lines.append(f"{'':7}  {'':{width}}  -> {check.remedy}")
    return "\n".join(lines)


def detectron2_build() -> str:
    """Which Detectron2 it is, once it has been imported, the only real proof; ``segtumor.compat`` knows the builds."""
    compat = importlib.import_module("segtumor.compat")
    importlib.import_module("detectron2.modeling")
    build = "Python part only, adapted by segtumor" if compat.is_adapted() else "used as it is"
    return f"{compat.detectron2_version()} ({build})"


def gpu_names() -> str | None:
    """The GPUs that torch can use; None without one."""
    cuda = importlib.import_module("torch").cuda
    return ", ".join(cuda.get_device_name(i) for i in range(cuda.device_count())) if cuda.is_available() else None
