"""``segtumor data check``: every problem of an annotation file and its images in one pass, and a repaired copy."""

import argparse
import hashlib
from collections import Counter
from pathlib import Path

from segtumor.commands.common.command_line import make_parser, run
from segtumor.commands.common.terminal import progress_bar
from segtumor.commands.data.check_fix import fix

_DESCRIPTION = """Check a COCO annotation file: everything that is wrong or odd, with entry, id, field and remedy.

Exit code 0 if the file can be used, 5 if it has errors (with --strict: or warnings). With --fix, 0 if the repaired copy
can be used. Training, evaluation and inference refuse a file for the same errors."""

_EXAMPLES = (
    "segtumor data check datasets/phantoms/annotations/train.json",
    "segtumor data check train.json --images radiographs --strict --json output/problems.json",
    "segtumor data check train.json --images radiographs --fix output/annotations/train.json",
)
_SHOWN = 5
_EXIT_PROBLEMS = 5
_SCHEMA_VERSION = 1


def build_parser():
    """Parser of this command; ``--help`` needs nothing heavy."""
    parser = make_parser("segtumor data check", _DESCRIPTION, examples=_EXAMPLES)
    parser.add_argument("annotations", metavar="GT.json", help="COCO file")
    parser.add_argument(
        "--images",
        metavar="DIR",
        help="folder that file names are relative to (default: images beside the annotations' folder, if it is there)",
    )
    parser.add_argument("--no-open", action="store_true", help="look whether the images are there, but open none")
    parser.add_argument("--boxes-only", action="store_true", help="accept lesions without an outline")
    parser.add_argument(
        "--train-size",
        type=_positive,
        nargs=2,
        metavar=("SHORT", "LONG"),
        help="training size: shorter edge, and limit of the longer one, in px; warns of lesions too small for it",
    )
    parser.add_argument("--strict", action="store_true", help="warnings fail as well")
    parser.add_argument("--all", action="store_true", help=f"name every entry, not the first {_SHOWN} of each kind")
    parser.add_argument("--json", metavar="OUT", help="write all problems as JSON")
    parser.add_argument("--fix", metavar="OUT", help="write a repaired copy, and what was changed beside it")
    parser.add_argument(
        "--crowds-as-lesions",
        action="store_true",
        help="--fix: each crowd region (iscrowd 1) is one lesion, as drawing tools mean that export masks",
    )
    parser.add_argument(
        "--boxes-as-masks", action="store_true", help="--fix: a box without an outline becomes its own outline"
    )
    parser.add_argument("--changes", metavar="OUT", help="list of changes (default: <OUT of --fix>.changes.json)")
    return parser


def _positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def main(argv=None):
    """Run the command; returns its exit code."""
    return run(_body, build_parser(), argv)


def _body(args):
    from segtumor.annotations.json_input import parse_json_leniently, read_bytes
    from segtumor.commands.data.problem_table import problem_table

    _check_usage(args)
    data = read_bytes(args.annotations)
    sha256 = hashlib.sha256(data).hexdigest()
    coco, repeated = parse_json_leniently(data, args.annotations)
    del data  # as large as the file, and no longer needed
    image_root = _image_root(args)
    found, n_opened = _find(args, coco, repeated, image_root)
    for line in problem_table(found, coco, None if args.all else _SHOWN):
        print(line)
    _print_summary(args, coco, found, image_root, n_opened)
    if args.json:
        _write_report(args, found, sha256, image_root, n_opened)
    if args.fix:
        return fix(args, coco, repeated, image_root)
    return _EXIT_PROBLEMS if any(args.strict or _is_error(p) for p in found) else 0


def _check_usage(args):
    from segtumor.errors import ConfigError

    outputs = {"--json": args.json, "--fix": args.fix, "--changes": args.changes}
    for option in ("changes", "crowds_as_lesions", "boxes_as_masks"):
        if getattr(args, option) and not args.fix:
            raise ConfigError("belongs to --fix, which is not given", where=f"--{option.replace('_', '-')}")
    if args.fix and not args.changes:
        outputs["--changes"] = args.changes = str(Path(args.fix).with_suffix(".changes.json"))
    seen = {Path(args.annotations).resolve(): "the file to be checked"}
    for option, path in outputs.items():
        if path is not None:
            other = seen.setdefault(Path(path).resolve(), option)
            if other != option:
                raise ConfigError(f"would overwrite {other}", where=option, got=path, remedy="Choose another name")


def _image_root(args):
    """The folder of the images; None, so that no file is looked for, where none is given or found."""
    from segtumor.errors import DataError

    if args.images is not None:
        if not Path(args.images).is_dir():
            raise DataError("is not a folder", where=f"--images {args.images}")
        return Path(args.images)
    beside = Path(args.annotations).resolve().parent.parent / "images"
    return beside if beside.is_dir() else None


def _find(args, coco, repeated, image_root):
    """All problems, and the number of images opened (None if none was to be)."""
    from segtumor.annotations.problems import ERROR, ProblemKind, error
    from segtumor.annotations.validation import find_problems

    short, long = args.train_size or (None, None)
    found = [error("file" + where, f"{key!r:.40}", ProblemKind.KEY_TWICE) for key, where in repeated]
    found += find_problems(
        coco,
        require_masks=not args.boxes_only,
        image_root=image_root,
        short_edge_px=short,
        max_long_edge_px=long,
    )
    found = [p._replace(severity=ERROR) if p.kind is ProblemKind.ALL_CROWDS else p for p in found]
    if image_root is None or args.no_open or not isinstance(coco, dict):
        return found, None
    images = _openable(coco, found)
    return found + _problems_of_images(images, image_root), len(images)


def _openable(coco, found):
    """Entries of images whose name and size are sound and whose file is there."""
    images = coco.get("images") if isinstance(coco.get("images"), list) else []
    wrong = {p.where.partition(" ")[0] for p in found if p.field in ("file_name", "width", "height") and _is_error(p)}
    return [image for i, image in enumerate(images) if isinstance(image, dict) and f"images[{i}]" not in wrong]


def _is_error(problem):
    from segtumor.annotations.problems import ERROR

    return problem.severity == ERROR


def _problems_of_images(images, image_root):
    from segtumor.datasets.image_checks import image_problems

    return list(image_problems(images, image_root, progress=progress_bar("opening images"))[0])


def _print_summary(args, coco, found, image_root, n_opened) -> None:
    from segtumor.annotations.regions import counted_regions

    counts = Counter(_is_error(problem) for problem in found)
    known = [name for name in ("images", "annotations") if isinstance(coco, dict) and _is_list(coco, name)]
    what = " and ".join(counted_regions(coco[k]) if k == "annotations" else f"{len(coco[k])} images" for k in known)
    print(f"{args.annotations}: {counts[True]} errors, {counts[False]} warnings" + (f" in {what}" if what else ""))
    if image_root is None:
        print("image files were not looked for: give --images DIR")
    elif n_opened is None:
        print(f"image files were looked for in {image_root}, but not opened")
    else:
        print(f"{n_opened} images in {image_root} were opened")


def _is_list(coco, name):
    return isinstance(coco.get(name), list)


def _write_report(args, found, sha256, image_root, n_opened) -> None:
    from segtumor.files import write_json

    n_errors = sum(map(_is_error, found))
    report = {
        "schema_version": _SCHEMA_VERSION,
        "file": Path(args.annotations).name,
        "sha256": sha256,
        "image_files_looked_for": image_root is not None,
        "images_checked": n_opened or 0,
        "counts": {"error": n_errors, "warning": len(found) - n_errors},
        "problems": [problem.as_json() for problem in found],
    }
    write_json(args.json, report)
    print(f"all problems: {args.json}")
