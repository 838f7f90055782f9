"""The output folder of a command: locked while the command runs; earlier results are replaced only with --overwrite."""

import argparse
import contextlib
import functools
from collections.abc import Iterable
from pathlib import Path

from segtumor.commands.common.command_line import Body
from segtumor.errors import ConfigError
from segtumor.system.locks import lock_folder

_NAMES_SHOWN = 3


def locks_output(body: Body) -> Body:
    """``body`` of a command (``command_line.run``), refused where another command is writing into ``--output``.

    Without ``--output``, where that is optional, nothing is locked.
    """

    @functools.wraps(body)
    def locked(arguments: argparse.Namespace) -> int | None:
        with lock_folder(arguments.output) if arguments.output else contextlib.nullcontext():
            return body(arguments)

    return locked


def add_overwrite_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--overwrite``, for ``refuse_earlier``."""
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results in --output")


def refuse_earlier(arguments: argparse.Namespace, patterns: Iterable[str]) -> None:
    """Refuse an output folder that holds files of these names, patterns such as "curve_*.csv", which the command would
    replace; unless ``--overwrite`` is given.

    Raises:
        ConfigError: there are such files.
    """
    if arguments.overwrite:
        return
    folder = Path(arguments.output)
    found = [path.name for pattern in patterns for path in sorted(folder.glob(pattern))]
    if found:
        more = f" and {len(found) - _NAMES_SHOWN} more" if len(found) > _NAMES_SHOWN else ""
        raise ConfigError(
            "the folder holds earlier results, which would be replaced",
            where=folder,
            got=", ".join(found[:_NAMES_SHOWN]) + more,
            remedy="Choose another --output, or replace them with --overwrite",
        )
