"""Options of ``evaluate`` about operating points: choosing them on validation, and measuring at one of them."""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.errors import ConfigError
from segtumor.runs import OPERATING_POINTS, RUN_RECORD, find_run

if TYPE_CHECKING:  # NumPy and SciPy would delay --help
    from segtumor.evaluation.facts.settings import StudySettings
    from segtumor.evaluation.pairing import Pairing

_CHOOSE = "--choose-operating-points"
_GOALS = ("sensitivity", "specificity", "false_positives", "risk")


def add_point_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser; ``at_point`` and ``choose`` read them."""
    group = parser.add_argument_group("operating points")
    group.add_argument(
        _CHOOSE,
        metavar="RUN|FILE",
        help="choose thresholds on these images, which must be of the validation part, and keep them with a training"
        " run or an export, or in a file",
    )
    group.add_argument("--sensitivity", type=float, metavar="P", help="of images, wished (0.9)")
    group.add_argument("--specificity", type=float, metavar="P", help="of images, wished (0.9)")
    group.add_argument("--false-positives", type=float, metavar="N", help="findings per normal image, at most (0.3)")
    group.add_argument(
        "--risk",
        type=float,
        metavar="P",
        help="expected share of missed tumour images, of missed lesions and of prediction sets without the true class"
        " (0.1)",
    )
    group.add_argument("--operating-point", metavar="NAME", help="measure at this one, in place of --score-threshold")
    group.add_argument("--points", metavar="RUN|FILE", help="where --operating-point is kept")


def check_point_options(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together, before anything is read."""
    if (arguments.operating_point is None) != (arguments.points is None):
        raise ConfigError("--operating-point and --points belong together", where="command line")
    given = [f"--{name.replace('_', '-')}" for name in _GOALS if getattr(arguments, name) is not None]
    if given and not arguments.choose_operating_points:
        raise ConfigError("goals of operating points, and none are chosen", where=given[0], remedy=f"Add {_CHOOSE}")


def at_point(arguments: argparse.Namespace, pairing: "Pairing", settings: "StudySettings") -> "StudySettings":
    """The settings with the threshold of ``--operating-point``.

    Raises:
        ConfigError: it was chosen on these annotations, or is of another model's classes, or there is none.
    """
    from segtumor.evaluation.operating_points import read_points, refuse_chosen_on

    if arguments.operating_point is None:
        return settings
    points = read_points(arguments.points, class_names=pairing.truth.taxonomy.names)
    refuse_chosen_on(points, pairing.truth.sha256, where="--operating-point")
    point = points.point(arguments.operating_point)
    print(f"operating point {point.key}: score threshold {point.score_threshold:.3f}, chosen for {point.name}")
    return dataclasses.replace(settings, score_threshold=point.score_threshold)


def choose(arguments: argparse.Namespace, pairing: "Pairing", settings: "StudySettings") -> None:
    """Choose by ``--choose-operating-points``, write the file and print a table.

    Raises:
        ConfigError: the run was trained on these annotations or is tested on them.
        DataError: images of one kind only.
    """
    from segtumor.commands.common.terminal import print_table
    from segtumor.evaluation.facts.operating_points import Goals
    from segtumor.evaluation.operating_points import choose_points, point_rows
    from segtumor.files import write_json

    place = Path(arguments.choose_operating_points)
    weights_sha256 = _weights_of(place, pairing.truth.sha256) if place.is_dir() else ""
    given = {name: getattr(arguments, name) for name in _GOALS if getattr(arguments, name) is not None}
    points = choose_points(
        pairing.results,
        pairing.truth.taxonomy.names,
        Goals(**given),
        annotations_sha256=pairing.truth.sha256,
        weights_sha256=weights_sha256,
        iou_threshold=settings.iou_threshold,
    )
    path = place / OPERATING_POINTS if place.is_dir() else place
    write_json(path, points.as_dict())
    header = ("operating point", "chosen for", "score of", "from", "sensitivity", "specificity")
    print_table(header, point_rows(points))
    print(f"chosen on {points.n_images} images of {points.n_cases} cases; kept in {path}")


def _weights_of(folder: Path, annotations_sha256: str) -> str:
    """SHA-256 of the weights of a run, or of those that an export was made of."""
    from segtumor.files import read_ordinary, sha256_of_file
    from segtumor.runtime.exported import is_export, read_manifest

    if is_export(folder):
        return str(read_manifest(folder)["source"].get("weights_sha256") or "")
    weights = find_run(folder)[1]
    record: Any = json.loads(read_ordinary(folder / RUN_RECORD)) if (folder / RUN_RECORD).is_file() else {}
    datasets = record.get("datasets", {}) if isinstance(record, dict) else {}
    for part, done in (("train", "trained"), ("test", "tested")):
        if any(entry.get("annotations_sha256") == annotations_sha256 for entry in datasets.get(part) or []):
            what, expected = f"operating points chosen on what the run is {done} on", "the validation part"
            raise ConfigError(what, where=_CHOOSE, expected=expected)
    return sha256_of_file(weights)
