"""The models that come with segtumor: ``segtumor models``."""

import argparse
import logging
from collections.abc import Iterable, Sequence

from segtumor.commands.common.command_line import command, make_parser
from segtumor.errors import ConfigError, ModelError, SomeInputsFailedError
from segtumor.escaping import printable
from segtumor.shipped.entry import Entry, Measured
from segtumor.shipped.fetching import fetch_model
from segtumor.shipped.registry import DEFAULT, find_model, model_folders
from segtumor.texts import aligned_table

logger = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    """Parser of this command."""
    parser = make_parser(
        "segtumor models",
        "List the models that can be named in infer and train, describe one, or fetch one.",
        examples=[
            "segtumor models",
            "segtumor models fetch large --from /media/usb/large",
            "segtumor models show btxrd-lite",
            "segtumor models fetch large --from https://example.org/models/large",
        ],
    )
    parser.add_argument("action", nargs="?", choices=("list", "show", "fetch"), default="list", help="default: list")
    parser.add_argument("name", nargs="?", metavar="NAME", help="of the model to show or fetch")
    parser.add_argument(
        "--from",
        dest="source",
        metavar="DIR|URL",
        help="folder, or https address of a folder, that holds model.json and its files; kept in $SEGTUMOR_MODELS, by"
        " default ~/.cache/segtumor/models",
    )
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> int:
    _check(arguments)
    if arguments.action == "list":
        return _list()
    if arguments.action == "show":
        print(printable(describe(find_model(arguments.name)), keep="\n"))
    else:
        entry = fetch_model(arguments.name, arguments.source)
        print(f"{entry.name} {entry.version} is in {entry.folder}; use it with: segtumor infer --run {entry.name}")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    action, name, source = arguments.action, arguments.name, arguments.source
    if (action == "list") != (name is None):
        remedy = "segtumor models lists the names" if name is None else "Leave it out, or type show before it"
        raise ConfigError(f"{action} needs {'a' if name is None else 'no'} name", where="NAME", got=name, remedy=remedy)
    if (action == "fetch") != (source is not None):
        raise ConfigError("fetch, and only fetch, needs a source", where="--from", got=source)


def _list() -> int:
    """Print what there is; of a model that cannot be used a warning tells, and the exit code."""
    entries, folders = [], model_folders()
    for name in folders:
        try:
            entries.append(find_model(name))
        except ModelError as error:
            logger.warning("%s", error)
    print(printable(_table(entries), keep="\n"))
    return SomeInputsFailedError.exit_code if len(entries) < len(folders) else 0


def _table(entries: Iterable[Entry]) -> str:
    rows = [(entry.name, "default" if entry.name == DEFAULT else "", entry.version, entry.summary) for entry in entries]
    return _lines([("name", "", "version", "what it is"), *rows]) if rows else "There are no models."


def describe(entry: Entry) -> str:
    """All that the registry says of a model, as text."""
    facts = (
        ("version", entry.version),
        ("licence", entry.licence),
        ("trained on", entry.trained_on),
        ("started from", entry.started_from),
        ("measured on", entry.evaluated_on),
        ("folder", str(entry.folder)),
    )
    measured = [(m.name, _shown(m), m.n) for m in entry.measured]
    points = [
        (p.name, p.of, f"{p.score_threshold:.3f}", f"{p.sensitivity:.3f}", f"{p.specificity:.3f}")
        for p in entry.operating_points
    ]
    return "\n\n".join(
        (
            f"{entry.name}: {entry.summary}",
            _lines(facts),
            _lines([("measure", "value (95% interval)", "of"), *measured]),
            _lines([("operating point", "score of", "from", "sensitivity", "specificity"), *points]),
        )
    )


def _lines(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(aligned_table(rows, align="<"))


def _shown(measured: Measured) -> str:
    unit = {"1": ""}.get(measured.unit, f" {measured.unit}")
    if measured.low == measured.high:
        return f"{measured.value:.3g}{unit}"
    return f"{measured.value:.3g}{unit} ({measured.low:.3g} to {measured.high:.3g})"
