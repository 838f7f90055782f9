"""``prepare_btxrd.py``: the BTXRD folder to COCO files, split by case."""

import logging
from pathlib import Path

from segtumor.commands.common.command_line import make_parser, run
from segtumor.commands.common.output_folder import locks_output
from segtumor.commands.common.terminal import print_remarks, progress_bar
from segtumor.commands.data.split_account import split_is_by_case, warn_of_leaks, warn_of_names
from segtumor.errors import DataError
from segtumor.texts import aligned_table

_LOG = logging.getLogger(__name__)


def build_parser():
    """Its arguments."""
    parser = make_parser(
        "prepare_btxrd.py",
        "Convert the BTXRD radiographs (Yao et al. 2025) to COCO files that segtumor and Detectron2 read.\n"
        "Takes the unpacked release as it is: a folder with images, Annotations and dataset.csv or dataset.xlsx.",
        examples=[
            "python datasets/prepare_btxrd.py --source BTXRD --output datasets/btxrd --groups cases.csv",
            "python datasets/prepare_btxrd.py --source BTXRD --output datasets/btxrd_all --split none",
            "python datasets/prepare_btxrd.py --source BTXRD --output datasets/btxrd9 --classes subtype "
            "--split datasets/btxrd/split.json",
            "python datasets/prepare_btxrd.py --source BTXRD --output datasets/btxrd_official --split official "
            "--lists train.xlsx val.xlsx --groups cases.csv",
        ],
    )
    parser.add_argument("--source", required=True, metavar="DIR", help="the BTXRD folder")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="folder to write; its name is the data set's name"
    )
    parser.add_argument("--groups", metavar="CSV", help="table image_id,case_id: which radiographs show the same case")
    _add_split_options(parser)
    parser.add_argument(
        "--classes",
        choices=("entity", "subtype"),
        default="entity",
        help="entity: benign and malignant (default); subtype: the nine labels of BTXRD",
    )
    parser.add_argument(
        "--images",
        choices=("link", "copy"),
        default="link",
        help="OUTPUT/images becomes a link to the source's folder (default), or a copy of the images used",
    )
    parser.add_argument(
        "--no-image-hashes", action="store_true", help="leave the hashes of the images out of split.json"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier conversion in OUTPUT: the files its report lists"
    )
    parser.add_argument("--strict", action="store_true", help="write nothing if anything has to be left out")
    return parser


def _add_split_options(parser) -> None:
    parser.add_argument(
        "--split",
        default="grouped",
        metavar="KIND|FILE",
        help="grouped: by case, needs --groups (default); image: each radiograph by itself, which leaks; "
        "none: one file all.json; official: the authors' lists (--lists, or a column of the table); or a split.json "
        "written earlier, to use its parts again",
    )
    parser.add_argument(
        "--lists",
        nargs="+",
        default=[],
        metavar="FILE",
        help="of the official split: train.xlsx val.xlsx ..., PART=FILE, or one table with columns for image and split",
    )
    parser.add_argument(
        "--fractions",
        type=float,
        nargs=3,
        default=(0.7, 0.1, 0.2),
        metavar=("TRAIN", "VAL", "TEST"),
        help="shares of the images, adding up to 1; 0 leaves a part out (default 0.7 0.1 0.2)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the split (default 0)")


def main(argv=None):
    """Run the command; returns the exit code."""
    return run(locks_output(_body), build_parser(), argv)


def _body(args) -> int:
    from segtumor.datasets.splits.output import check_no_earlier_split
    from segtumor.formats.btxrd.convert import convert
    from segtumor.formats.btxrd.dataset_table import read_cases
    from segtumor.formats.btxrd.writer import write_dataset
    from segtumor.formats.earlier_output import check_no_earlier
    from segtumor.taxonomy import BINARY, SUBTYPES

    check_no_earlier(args.output, overwrite=args.overwrite)
    check_no_earlier_split(args.output, (), overwrite=args.overwrite)
    saved = _saved_split(args)
    taxonomy = SUBTYPES if args.classes == "subtype" else BINARY
    cases = read_cases(args.groups) if args.groups else _cases_of(saved)
    conversion = convert(args.source, taxonomy=taxonomy, cases=cases, progress=progress_bar("reading"))
    _check_usable(args, conversion)
    listing = _listing(args, conversion)
    split = saved or _new_split(args, conversion, listing)
    if saved:
        _check_saved(args, saved, conversion)
    _warn_of_leaks(split, conversion)
    summaries = write_dataset(
        args.output,
        args.source,
        conversion,
        split,
        taxonomy=taxonomy,
        images=args.images,
        tables=_tables(args),
        progress=progress_bar("copying"),
        hashing=None if args.no_image_hashes else progress_bar("hashing"),
    )
    _print_account(args, conversion, split, summaries)
    return 0


def _saved_split(args):
    """The split of an earlier run, or None where a new one is to be made. Usage is checked before any long work."""
    from segtumor.datasets.splits import GROUPED, IMAGE, NONE, OFFICIAL, check_fractions, read_split
    from segtumor.errors import ConfigError

    check_fractions(_fractions(args))
    if args.seed < 0:
        raise ConfigError("seed is negative", where="--seed", got=args.seed, expected="0 or more")
    if args.split == GROUPED and not args.groups:
        remedy = "Give --groups CSV; or --split image, which leaks; or --split none for one file"
        raise ConfigError("a split by case needs the table of cases", where="--split grouped", remedy=remedy)
    kinds = (GROUPED, IMAGE, NONE, OFFICIAL)
    if args.lists and args.split != OFFICIAL:
        raise ConfigError("lists are for --split official", where="--lists", got=f"--split {args.split}")
    if args.split in kinds:
        return None
    if not Path(args.split).is_file():
        expected = f"{', '.join(kinds)} or a split file"
        raise ConfigError("neither a kind of split nor a file", where="--split", got=args.split, expected=expected)
    return read_split(args.split, allow_shared_cases=True)


def _fractions(args):
    named = zip(("train", "val", "test"), args.fractions, strict=True)
    return {part: fraction for part, fraction in named if fraction != 0}


def _cases_of(saved):
    from segtumor.annotations.image_names import stem_of

    return {stem_of(name): entry["case_id"] for name, entry in saved.assignment.items()} if saved else None


def _check_usable(args, conversion):
    if not conversion.images or (args.strict and conversion.left_out):
        print_remarks("Left out", conversion.left_out)
        what = "nothing could be used" if not conversion.images else f"{len(conversion.left_out)} things are left out"
        raise DataError(what, where=args.source, remedy="See the reasons above; nothing was written")


def _listing(args, conversion):
    """The official lists brought together with the images; those in no list are left out, and reported."""
    from segtumor.annotations.remarks import Remark
    from segtumor.cases import is_own_case
    from segtumor.datasets.splits.official import match, read_lists
    from segtumor.formats.btxrd.dataset_table import find_table, read_parts

    if args.split != "official":
        return None
    listed = read_lists(args.lists) if args.lists else read_parts(find_table(args.source))
    listing = match(listed, [image["file_name"] for image in conversion.images])
    warn_of_names(len(listing.unknown), listing.unknown, "listed images are not there, or could not be used")
    conversion.left_out += [Remark(name, "image in no official list") for name in listing.unlisted]
    kept = {image["id"] for index, image in enumerate(conversion.images) if index in listing.part_of_index}
    listing.part_of_index = dict(enumerate(part for _, part in sorted(listing.part_of_index.items())))
    conversion.images = [image for image in conversion.images if image["id"] in kept]
    conversion.annotations = [a for a in conversion.annotations if a["image_id"] in kept]
    conversion.images_without_case = sum(is_own_case(image["case_id"]) for image in conversion.images)
    if args.strict and listing.unknown:
        raise DataError("lists and images do not fit", where="--lists", remedy="Nothing was written; drop --strict")
    _check_usable(args, conversion)
    return listing


def _tables(args):
    """The files that the conversion was made from, for their hashes."""
    from segtumor.datasets.splits.official import path_of
    from segtumor.formats.btxrd.dataset_table import find_table

    groups = [args.groups] if args.groups else []
    return [find_table(args.source), *groups, *(path_of(spec) for spec in args.lists)]


def _new_split(args, conversion, listing):
    from segtumor.datasets.splits import OFFICIAL, SEVERITY, make_split, split_from_parts
    from segtumor.taxonomy import NORMAL, SUBTYPE_ENTITY

    if listing is not None:
        names, cases = ([image[key] for image in conversion.images] for key in ("file_name", "case_id"))
        return split_from_parts(OFFICIAL, listing.part_of_index, names, cases)
    severity, key = (SEVERITY, "image_label")
    if args.classes == "subtype":  # nine classes need their own balance; the malignant ones come last in the list
        severity, key = (NORMAL, *SUBTYPE_ENTITY), "subtype"
    return make_split(
        args.split,
        [image["file_name"] for image in conversion.images],
        [image["case_id"] for image in conversion.images],
        [image[key] or _fallback_stratum(image, conversion) for image in conversion.images],
        seed=args.seed,
        fractions=_fractions(args),
        severity=severity,
    )


def _fallback_stratum(image, conversion):
    """Stratum of an image without one subtype: normal, or the subtype of the first of its several lesions."""
    if image["image_label"] == "normal":
        return "normal"
    return next(a["subtype"] for a in conversion.annotations if a["image_id"] == image["id"])


def _check_saved(args, saved, conversion) -> None:
    from segtumor.datasets.splits import reuse_split

    names = [image["file_name"] for image in conversion.images]
    case_ids = {image["file_name"]: image["case_id"] for image in conversion.images}
    reuse_split(saved, names, case_ids, where=args.split)


def _warn_of_leaks(split, conversion) -> None:
    if split_is_by_case(split):
        return
    case_of = {image["file_name"]: image["case_id"] for image in conversion.images}
    warn_of_leaks(
        split.kind, {name: {"case_id": case_of[name], "part": split.assignment[name]["part"]} for name in case_of}
    )


def _print_account(args, conversion, split, summaries) -> None:
    classes = list(next(iter(summaries.values()))["lesions_by_class"])
    labels = ["normal", "benign", "malignant"]
    of_classes = [f"{name} lesions" if name in labels else name for name in classes]
    header = ["part", "images", "cases", *labels, "lesions", *of_classes]
    rows = [_table_row(part, summary) for part, summary in summaries.items()]
    if len(rows) > 1 and split.composition is None:  # training parts of folds overlap
        totals = [sum(column) for column in zip(*(row[1:] for row in rows), strict=True)]
        # Parts of a split by image share cases, so that their numbers must not be added.
        totals[1] = len({image["case_id"] for image in conversion.images})
        rows.append(["total", *totals])
    print(f"{conversion.listed} images listed in the table, {len(conversion.images)} used")
    print(*aligned_table([header, *rows], ">"), sep="\n")
    if conversion.images_without_case:
        missing = f"not in {args.groups}" if args.groups else "without a known case (no --groups)"
        print(f"{conversion.images_without_case} images are {missing}; each counts as a case of its own")
    print_remarks("Left out", conversion.left_out)
    print_remarks("Used, but worth knowing", conversion.notes)
    _print_places(Path(args.output), split, summaries)


def _table_row(part, summary):
    labels, classes = summary["images_by_label"].values(), summary["lesions_by_class"].values()
    return [part, summary["images"], summary["cases"], *labels, summary["lesions"], *classes]


def _print_places(output, split, summaries) -> None:
    print(f"split {split.kind}, sha256 {split.sha256[:16]}..., in {output / 'split.json'}")
    print(f"every remark by image: {output / 'conversion_report.json'}")
    print(f"data sets: {', '.join(f'{output.resolve().name}_{part}' for part in summaries)}")
    stale = [p.name for p in sorted((output / "annotations").glob("*.json")) if p.stem not in summaries]
    if stale:
        _LOG.warning("%s: left from an earlier conversion, not part of this split", ", ".join(stale))
