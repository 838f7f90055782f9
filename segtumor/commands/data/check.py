"""``segtumor data check``: all problems of an annotation file and its images in one pass, and a repaired copy."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.shared_options import positive
from segtumor.commands.common.terminal import progress_bar
from segtumor.errors import ConfigError, DataError

if TYPE_CHECKING:  # would delay --help
    from segtumor.annotations.repair import Repaired
    from segtumor.datasets.file_check import CheckedFile

_DESCRIPTION = """Check a COCO annotation file: list all errors and oddities with entry, id, field and remedy.

Exit code 0 if the file can be used, 5 if it has errors (with --strict: or warnings). With --fix, 0 if the repaired copy
can be used. Training, evaluation and inference refuse a file for the same errors."""

_EXAMPLES = (
    "segtumor data check datasets/phantoms/annotations/train.json",
    "segtumor data check train.json --images radiographs --strict --json output/problems.json",
    "segtumor data check train.json --images radiographs --fix output/annotations/train.json",
)
_SHOWN = 5


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser("segtumor data check", _DESCRIPTION, examples=_EXAMPLES)
    parser.add_argument("annotations", metavar="GT.json", help="COCO file")
    parser.add_argument(
        "--images",
        metavar="DIR",
        help="folder that file names are relative to (default: images beside the annotations' folder, if it is there)",
    )
    parser.add_argument("--no-open", action="store_true", help="check that the images exist, but do not open them")
    parser.add_argument("--boxes-only", action="store_true", help="accept lesions without an outline")
    parser.add_argument(
        "--train-size",
        type=positive,
        nargs=2,
        metavar=("SHORT", "LONG"),
        help="training size: shorter edge, and limit of the longer one, in px; warn of lesions too small for it",
    )
    parser.add_argument("--strict", action="store_true", help="treat warnings as errors")
    parser.add_argument("--all", action="store_true", help=f"name every entry, not the first {_SHOWN} of each kind")
    parser.add_argument("--json", metavar="OUT", help="write all problems as JSON")
    parser.add_argument("--fix", metavar="OUT", help="write a repaired copy, and a list of the changes")
    parser.add_argument(
        "--crowds-as-lesions",
        action="store_true",
        help="--fix: each crowd region (iscrowd 1) is one lesion, as in the mask exports of drawing tools",
    )
    parser.add_argument(
        "--boxes-as-masks", action="store_true", help="--fix: a box without an outline becomes its own outline"
    )
    parser.add_argument("--changes", metavar="OUT", help="list of changes (default: <OUT of --fix>.changes.json)")
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> int:
    from segtumor.commands.data.problem_table import problem_table
    from segtumor.datasets.file_check import check_file
    from segtumor.files import write_json

    _check_usage(arguments)
    checked = check_file(
        arguments.annotations,
        image_root=arguments.images,
        require_masks=not arguments.boxes_only,
        train_size=arguments.train_size,
        open_images=not arguments.no_open,
        progress=progress_bar("opening images"),
    )
    for line in problem_table(checked.problems, checked.coco, None if arguments.all else _SHOWN):
        print(line)
    _print_summary(checked)
    if arguments.json:
        write_json(arguments.json, checked.as_json())
        print(f"all problems: {arguments.json}")
    if arguments.fix:
        return _fix(arguments, checked)
    return DataError.exit_code if checked.n_errors or (arguments.strict and checked.problems) else 0


def _check_usage(arguments: argparse.Namespace) -> None:
    outputs = {"--json": arguments.json, "--fix": arguments.fix, "--changes": arguments.changes}
    for option in ("changes", "crowds_as_lesions", "boxes_as_masks"):
        if getattr(arguments, option) and not arguments.fix:
            raise ConfigError("belongs to --fix, which is not given", where=f"--{option.replace('_', '-')}")
    if arguments.fix and not arguments.changes:
        outputs["--changes"] = arguments.changes = str(Path(arguments.fix).with_suffix(".changes.json"))
    seen: dict[Path, str] = {Path(arguments.annotations).resolve(): "the file to be checked"}
    for option, path in outputs.items():
        if path is not None:
            other = seen.setdefault(Path(path).resolve(), option)
            if other != option:
                raise ConfigError(f"would overwrite {other}", where=option, got=path, remedy="Choose another name")


def _print_summary(checked: "CheckedFile") -> None:
    from segtumor.annotations.regions import counted_regions

    coco = checked.coco if isinstance(checked.coco, dict) else {}
    lists = {name: coco[name] for name in ("images", "annotations") if isinstance(coco.get(name), list)}
    what = " and ".join(
        counted_regions(v) if name == "annotations" else f"{len(v)} images" for name, v in lists.items()
    )
    n_warnings = len(checked.problems) - checked.n_errors
    print(f"{checked.path}: {checked.n_errors} errors, {n_warnings} warnings" + (f" in {what}" if what else ""))
    if checked.image_root is None:
        print("image files were not looked for: give --images DIR")
    elif checked.n_opened is None:
        print(f"image files were looked for in {checked.image_root}, but not opened")
    else:
        print(f"{checked.n_opened} images in {checked.image_root} were opened")


def _fix(arguments: argparse.Namespace, checked: "CheckedFile") -> int:
    """Write the repaired copy and the list of changes; returns the exit code: whether the copy can be trained on."""
    from segtumor.annotations.regions import CROWDS_AS_LESIONS
    from segtumor.datasets.file_check import changes_document, repaired_copy, untrainable
    from segtumor.files import write_json

    repaired = repaired_copy(
        checked,
        keep_boxes=arguments.boxes_only,
        crowds_as_lesions=arguments.crowds_as_lesions,
        boxes_as_masks=arguments.boxes_as_masks,
        open_images=not arguments.no_open,
        progress=progress_bar("opening images of the copy"),
    )
    write_json(arguments.changes, changes_document(repaired, original=arguments.annotations, copy=arguments.fix))
    write_json(
        arguments.fix, repaired.coco, indent=None
    )  # last: a full disk leaves no copy without its list of changes
    crowds, boxes, useless = untrainable(repaired.coco, keep_boxes=arguments.boxes_only)
    _print_repaired(arguments, repaired, "" if useless else ", no errors")
    if crowds:
        print(f"{crowds}; if each is one lesion, drawn with a brush, add {CROWDS_AS_LESIONS}")
    if boxes:
        print(boxes)
    return DataError.exit_code if useless else 0


def _print_repaired(arguments: argparse.Namespace, repaired: "Repaired", verdict: str) -> None:
    from segtumor.annotations.problems import ProblemKind
    from segtumor.annotations.regions import BOXES_AS_MASKS, counted_regions
    from segtumor.annotations.remarks import kinds_of
    from segtumor.datasets.file_check import kinds_of_changes

    n_images, regions = len(repaired.coco["images"]), counted_regions(repaired.coco["annotations"])
    print(f"repaired copy: {arguments.fix}, {n_images} images with {regions}{verdict}")
    print(f"changed: {len(repaired.changes)} values, listed in {arguments.changes}")
    for kind, number in kinds_of_changes(repaired).items():
        print(f"{number:>7}  {kind}")
    print(f"left out: {len(repaired.left_out)} entries")
    for kind, number in kinds_of(repaired.left_out).items():
        print(f"{number:>7}  {kind}")
    if ProblemKind.BOX_ALONE in repaired.kinds:
        print(f"         to keep boxes without an outline, add --boxes-only, or {BOXES_AS_MASKS}")
