"""``segtumor data split``: COCO files to parts by case, folds, one centre left out, or parts that others listed."""

import contextlib
import dataclasses
import gc
import logging
import time
from pathlib import Path

from segtumor.commands.common.command_line import make_parser, run
from segtumor.commands.common.output_folder import locks_output

_LOG = logging.getLogger(__name__)


def build_parser():
    """Its arguments."""
    parser = make_parser(
        "segtumor data split",
        "Divide annotated radiographs into parts so that no case is in two of them, and keep the split with hashes.\n"
        "Takes COCO files, e.g. those of `segtumor data convert`; writes OUTPUT/annotations/<part>.json,\n"
        "OUTPUT/images and, last, OUTPUT/split.json.",
        examples=[
            "segtumor data split --annotations datasets/mine/annotations/all.json --output datasets/mine",
            "segtumor data split --annotations all.json --output datasets/cv --kind kfold --folds 5 "
            "--test-fraction 0.2 --stratify center age_group",
            "segtumor data split --annotations all.json --output datasets/loco --kind leave-one-out --leave-out center",
            "segtumor data split --annotations all.json --output datasets/official --kind official "
            "--lists train.xlsx val.xlsx",
            "segtumor data split --annotations all.json --output datasets/again --kind datasets/mine/split.json",
        ],
    )
    parser.add_argument("--annotations", required=True, nargs="+", metavar="FILE", help="COCO files, with all images")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder to write; its name is the data set's")
    parser.add_argument(
        "--kind",
        default="grouped",
        metavar="KIND|FILE",
        help="grouped: train, val and test by case (default); kfold: parts fold1-train, fold1-val, ...; leave-one-out: "
        "a part for each centre; column: parts told by a field of the images; official: by --lists; image: each "
        "radiograph by itself, which leaks; or a split.json written earlier, to use its parts again",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier split in OUTPUT: split.json and the parts it names"
    )
    _add_making(parser.add_argument_group("how to divide"))
    _add_cases(parser.add_argument_group("cases"))
    _add_images(parser.add_argument_group("images"))
    parser.add_argument("--strict", action="store_true", help="write nothing if lists and images do not fit exactly")
    return parser


def _add_making(group) -> None:
    group.add_argument(
        "--fractions",
        type=float,
        nargs=3,
        default=(0.7, 0.1, 0.2),
        metavar=("TRAIN", "VAL", "TEST"),
        help="shares of the images, adding up to 1; 0 leaves a part out (default 0.7 0.1 0.2)",
    )
    group.add_argument("--folds", type=int, default=5, metavar="K", help="of kfold (default 5)")
    group.add_argument(
        "--test-fraction", type=float, default=0.0, metavar="F", help="kfold: share taken out first as part test"
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of the split (default 0)")
    group.add_argument(
        "--stratify",
        nargs="+",
        default=["label"],
        metavar="KEY",
        help="what the parts shall be alike in, the most important first: label (always first), center, age_group, "
        "site, sex, subtype or another field; strata of fewer than 10 cases lose their last key",
    )
    group.add_argument("--leave-out", default="center", metavar="KEY", help="of leave-one-out (default center)")
    group.add_argument("--column", default="part", metavar="FIELD", help="of kind column (default part)")
    group.add_argument(
        "--lists",
        nargs="+",
        default=[],
        metavar="FILE",
        help="of kind official: train.xlsx val.txt ..., PART=FILE, or one table with columns for image and split",
    )


def _add_cases(group) -> None:
    group.add_argument("--by", default="case_id", metavar="FIELD", help="field that names the case (default case_id)")
    group.add_argument(
        "--cases", metavar="CSV", help="table image_id,case_id; an image that is in neither is a case of its own"
    )
    group.add_argument(
        "--join-duplicates",
        action="store_true",
        help="images of the same picture, equal or nearly so, count as one case and stay together; opens all images",
    )


def _add_images(group) -> None:
    group.add_argument("--images", metavar="DIR", help="folder of the images (default: images beside the annotations)")
    group.add_argument(
        "--place",
        choices=("link", "copy", "none"),
        default="link",
        help="OUTPUT/images becomes a link to the folder of the images (default) or a copy of them; none: the images "
        "are not looked at",
    )
    group.add_argument(
        "--no-image-hashes", action="store_true", help="leave the hashes of the images out of split.json"
    )


def main(argv=None):
    """Run the command; returns the exit code."""
    return run(locks_output(_body), build_parser(), argv)


def _body(args) -> int:
    from segtumor.commands.common.terminal import progress_bar
    from segtumor.commands.data.split_account import print_account
    from segtumor.datasets.splits.making import split_images
    from segtumor.datasets.splits.merging import merge_coco

    _check_usage(args)
    with _no_garbage_collection():
        with _timed("loading"):
            merged = merge_coco(args.annotations, image_root=args.images, check_files=args.place != "none")
        with _timed("splitting"):
            made = split_images(merged, _request(args), progress=progress_bar("comparing"))
        with _timed("writing"):
            summaries, changed = _write(args, made)
    print_account(args, made, summaries, changed)
    return 0


@contextlib.contextmanager
def _timed(what):
    started, worked = time.perf_counter(), time.process_time()
    yield
    seconds = time.perf_counter() - started, time.process_time() - worked
    _LOG.debug("%s took %.2f s, of the processor %.2f s", what, *seconds)


@contextlib.contextmanager
def _no_garbage_collection():
    """Nothing here makes cycles; looking for them among millions of points takes seconds."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _check_usage(args):
    from segtumor.datasets.splits import check_fractions
    from segtumor.datasets.splits.making import NEW_KINDS
    from segtumor.datasets.splits.output import check_no_earlier_split
    from segtumor.errors import ConfigError

    check_no_earlier_split(args.output, (), overwrite=args.overwrite)
    check_fractions(_fractions(args))
    if args.seed < 0:
        raise ConfigError("seed is negative", where="--seed", got=args.seed, expected="0 or more")
    if args.kind not in NEW_KINDS and not Path(args.kind).is_file():
        expected = f"{', '.join(NEW_KINDS)} or a split file"
        raise ConfigError("neither a kind of split nor a file", where="--kind", got=args.kind, expected=expected)
    if args.kind == "official" and not args.lists:
        remedy = "Give --lists train.xlsx val.xlsx; or --kind column if the images have a field that tells their part"
        raise ConfigError("an official split needs its lists", where="--kind official", remedy=remedy)
    if args.stratify != ["label"] and args.kind not in ("grouped", "kfold", "image"):
        raise ConfigError("nothing is drawn that could be stratified", where="--stratify", got=f"--kind {args.kind}")
    if args.test_fraction and args.kind != "kfold":
        remedy = "Give --fractions"
        raise ConfigError("is for --kind kfold", where="--test-fraction", got=f"--kind {args.kind}", remedy=remedy)
    if args.join_duplicates and (args.place == "none" or args.kind not in ("grouped", "kfold", "leave-one-out")):
        expected = "--kind grouped, kfold or leave-one-out, and images to open"
        raise ConfigError("cannot be used here", where="--join-duplicates", expected=expected)
    if args.lists and args.kind != "official":
        raise ConfigError("lists are for --kind official", where="--lists", got=f"--kind {args.kind}")


def _fractions(args):
    """{part: share} of the parts whose share is not 0."""
    named = zip(("train", "val", "test"), args.fractions, strict=True)
    return {part: fraction for part, fraction in named if fraction != 0}


def _request(args):
    """What to make, from the options of the same names."""
    from segtumor.datasets.splits.making import SplitRequest

    given = {field.name: getattr(args, field.name) for field in dataclasses.fields(SplitRequest)}
    return SplitRequest(**{**given, "fractions": _fractions(args)})


def _write(args, made):
    """Write the parts; returns {part: counts}, and the names of images that have changed since a split was made."""
    from segtumor.commands.common.terminal import progress_bar
    from segtumor.datasets.splits import output as parts_output
    from segtumor.datasets.splits import split_document
    from segtumor.files import prepare_output_folder, write_json

    output, merged = Path(args.output), made.merged
    folder, split_path = output / "annotations", output / "split.json"
    parts_output.check_not_overwritten(merged.paths, folder, made.split.parts)
    parts_output.check_no_earlier_split(output, made.split.parts, overwrite=args.overwrite)
    prepare_output_folder(output)
    hashes = _images_in_place(args, made, progress_bar)
    parts_output.remove_earlier_parts(split_path, keep=merged.paths)
    documents = parts_output.part_documents(
        merged.images, merged.annotations, merged.categories, made.split, info=merged.info
    )
    label_of = dict(zip((image["id"] for image in merged.images), made.labels, strict=True))
    summaries = parts_output.write_parts(folder, documents, label_of=label_of, severity=made.severity)
    document = split_document(made.split, summaries, sources=_sources(args, merged), image_sha256=hashes)
    write_json(split_path, document)
    return summaries, [name for name, own in (hashes or {}).items() if made.saved_hashes.get(name, own) != own]


def _sources(args, merged):
    from segtumor.datasets.splits.official import path_of
    from segtumor.files import sha256_of_file

    further = [*([Path(args.cases)] if args.cases else []), *(path_of(spec) for spec in args.lists)]
    return [*merged.sources, *({"file": path.name, "sha256": sha256_of_file(path)} for path in further)]


def _images_in_place(args, made, progress_bar):
    """Link or copy the images; returns their hashes, or None."""
    from segtumor.datasets.image_placement import place_images
    from segtumor.datasets.splits import hash_images
    from segtumor.errors import ConfigError

    if args.place == "none":
        return None
    target, merged = Path(args.output) / "images", made.merged
    if len(merged.roots) > 1 and args.place == "link":
        got = ", ".join(map(str, merged.roots))
        raise ConfigError("several folders of images cannot be one link", got=got, remedy="Give --place copy")
    used = made.split.assignment.keys()
    for root, names in merged.roots.items():
        used_here = [name for name in names if name in used]
        place_images(root, target, used_here, mode=args.place, progress=progress_bar("copying"))
    if args.no_image_hashes:
        return None
    names = [name for name in made.file_names if name in used]
    return hash_images(target, names, progress=progress_bar("hashing"))
