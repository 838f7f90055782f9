"""``prepare_btxrd.py``: the BTXRD folder to COCO files, split by case."""

import logging
import sys
from pathlib import Path

from segtumor.commands.shell import make_parser, run

_EXAMPLES_SHOWN = 3
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
        ],
    )
    parser.add_argument("--source", required=True, metavar="DIR", help="the BTXRD folder")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="folder to write; its name is the data set's name"
    )
    parser.add_argument("--groups", metavar="CSV", help="table image_id,case_id: which radiographs show the same case")
    parser.add_argument(
        "--split",
        default="grouped",
        metavar="KIND|FILE",
        help="grouped: by case, needs --groups (default); image: each radiograph by itself, which leaks; "
        "none: one file all.json; or a split.json written earlier, to use its parts again",
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
    parser.add_argument("--strict", action="store_true", help="write nothing if anything has to be left out")
    return parser


def main(argv=None):
    """Run the command; returns the exit code."""
    return run(_body, build_parser(), argv)


def _body(args):
    from segtumor.data.btxrd.convert import convert
    from segtumor.data.btxrd.output import write_dataset
    from segtumor.data.btxrd.table import read_cases
    from segtumor.taxonomy import BINARY, SUBTYPES

    saved = _saved_split(args)
    taxonomy = SUBTYPES if args.classes == "subtype" else BINARY
    cases = read_cases(args.groups) if args.groups else _cases_of(saved)
    conversion = convert(args.source, taxonomy=taxonomy, cases=cases, progress=_progress("reading"))
    _check_usable(args, conversion)
    split = saved or _new_split(args, conversion)
    if saved:
        _check_saved(args, saved, conversion)
    _warn_of_leaks(split, conversion, cases)
    summaries = write_dataset(
        args.output,
        args.source,
        conversion,
        split,
        taxonomy=taxonomy,
        images=args.images,
        progress=_progress("copying"),
    )
    _print_account(args, conversion, split, summaries)
    return 0


def _saved_split(args):
    """The split of an earlier run, or None where a new one is to be made. Usage is checked before any long work."""
    from segtumor.data.splits import GROUPED, KINDS, check_fractions, read_split
    from segtumor.errors import ConfigError

    check_fractions(_fractions(args))
    if args.seed < 0:
        raise ConfigError("seed is negative", where="--seed", got=args.seed, expected="0 or more")
    if args.split == GROUPED and not args.groups:
        remedy = "Give --groups CSV; or --split image, which leaks; or --split none for one file"
        raise ConfigError("a split by case needs the table of cases", where="--split grouped", remedy=remedy)
    if args.split in KINDS:
        return None
    if not Path(args.split).is_file():
        expected = f"{', '.join(KINDS)} or a split file"
        raise ConfigError("neither a kind of split nor a file", where="--split", got=args.split, expected=expected)
    return read_split(args.split, allow_shared_cases=True)


def _fractions(args):
    named = zip(("train", "val", "test"), args.fractions, strict=True)
    return {part: fraction for part, fraction in named if fraction != 0}


def _cases_of(saved):
    from segtumor.data.btxrd.table import stem_of

    return {stem_of(name): entry["case_id"] for name, entry in saved.assignment.items()} if saved else None


def _check_usable(args, conversion):
    from segtumor.errors import DataError

    if not conversion.images or (args.strict and conversion.left_out):
        _print_remarks("Left out", conversion.left_out)
        what = "nothing could be used" if not conversion.images else f"{len(conversion.left_out)} things are left out"
        raise DataError(what, where=args.source, remedy="See the reasons above; nothing was written")


def _new_split(args, conversion):
    from segtumor.data.splits import SEVERITY, make_split
    from segtumor.taxonomy import NORMAL, SUBTYPE_ENTITY

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


def _check_saved(args, saved, conversion):
    from segtumor.data.splits import reuse_split

    names = [image["file_name"] for image in conversion.images]
    case_ids = {image["file_name"]: image["case_id"] for image in conversion.images}
    reuse_split(saved, names, case_ids, where=args.split)


def _warn_of_leaks(split, conversion, cases):
    from segtumor.data.splits import IMAGE, groups_in_several_parts

    if split.kind != IMAGE:
        return
    if not cases:
        _LOG.warning("a split by image leaks where cases have several radiographs; without --groups nobody can tell")
        return
    case_of = {image["file_name"]: image["case_id"] for image in conversion.images}
    current = {name: {"case_id": case_of[name], "part": split.assignment[name]["part"]} for name in case_of}
    leaking = groups_in_several_parts(current)
    _LOG.warning(
        "a split by image leaks: %d of %d cases are in several parts", len(leaking), len(set(case_of.values()))
    )


def _progress(what):
    """A bar on a terminal; elsewhere the work is silent, since it takes seconds."""
    if not sys.stderr.isatty():
        return iter
    from tqdm import tqdm

    return lambda items: tqdm(items, desc=what, unit="image")


def _print_account(args, conversion, split, summaries):
    classes = list(next(iter(summaries.values()))["lesions_by_class"])
    labels = ["normal", "benign", "malignant"]
    of_classes = [f"{name} lesions" if name in labels else name for name in classes]
    header = ["part", "images", "cases", *labels, "lesions", *of_classes]
    rows = [_table_row(part, summary) for part, summary in summaries.items()]
    if len(rows) > 1:
        totals = [sum(column) for column in zip(*(row[1:] for row in rows), strict=True)]
        # Parts of a split by image share cases, so that their numbers must not be added.
        totals[1] = len({image["case_id"] for image in conversion.images})
        rows.append(["total", *totals])
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
    print(f"{conversion.listed} images listed in the table, {len(conversion.images)} used")
    for row in [header, *rows]:
        print("  ".join(str(cell).rjust(width) for cell, width in zip(row, widths, strict=True)))
    if conversion.images_without_case:
        missing = f"not in {args.groups}" if args.groups else "without a known case (no --groups)"
        print(f"{conversion.images_without_case} images are {missing}; each counts as a case of its own")
    _print_remarks("Left out", conversion.left_out)
    _print_remarks("Used, but worth knowing", conversion.notes)
    _print_places(Path(args.output), split, summaries)


def _table_row(part, summary):
    labels, classes = summary["images_by_label"].values(), summary["lesions_by_class"].values()
    return [part, summary["images"], summary["cases"], *labels, summary["lesions"], *classes]


def _print_remarks(title, remarks):
    if not remarks:
        print(f"{title}: nothing")
        return
    print(f"{title}:")
    by_kind = {}
    for remark in remarks:
        by_kind.setdefault(remark.kind, []).append(remark)
    for kind, group in by_kind.items():
        shown = [f"{r.image} ({r.detail})" if r.detail else r.image for r in group[:_EXAMPLES_SHOWN]]
        more = ", ..." if len(group) > _EXAMPLES_SHOWN else ""
        print(f"  {len(group):>5}  {kind}: {', '.join(shown)}{more}")


def _print_places(output, split, summaries):
    print(f"split {split.kind}, sha256 {split.sha256[:16]}..., in {output / 'split.json'}")
    print(f"every remark by image: {output / 'conversion_report.json'}")
    print(f"data sets: {', '.join(f'{output.resolve().name}_{part}' for part in summaries)}")
    stale = [p.name for p in sorted((output / "annotations").glob("*.json")) if p.stem not in summaries]
    if stale:
        _LOG.warning("%s: left from an earlier conversion, not part of this split", ", ".join(stale))
