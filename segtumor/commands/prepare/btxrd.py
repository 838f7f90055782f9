"""``prepare_btxrd.py``: the BTXRD folder to COCO files, split by case."""

import argparse
import logging
from collections.abc import Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.output_folder import locks_output
from segtumor.commands.common.shared_options import add_fractions
from segtumor.commands.common.terminal import print_remarks, progress_bar
from segtumor.commands.data.split_report import positive_fractions, print_places, split_is_by_case, warn_of_leaks
from segtumor.texts import aligned_table

if TYPE_CHECKING:  # would delay --help
    from segtumor.formats.btxrd.prepare import Prepared, PrepareOptions

_LOG = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
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
    parser.add_argument(
        "--groups", metavar="CSV", help="table image_id,case_id: which radiographs belong to the same case"
    )
    _add_split_options(parser)
    parser.add_argument(
        "--classes",
        choices=("entity", "graded", "subtype"),
        default="entity",
        help="entity: benign and malignant (default); graded: benign, intermediate (giant cell tumour) and malignant; "
        "subtype: the nine labels of BTXRD",
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


def _add_split_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--split",
        default="grouped",
        metavar="KIND|FILE",
        help="grouped: by case, needs --groups (default); image: each radiograph separately, which leaks; "
        "none: one file all.json; official: the authors' lists (--lists, or a column of the table); or an "
        "existing split.json, to reuse its parts",
    )
    parser.add_argument(
        "--lists",
        nargs="+",
        default=[],
        metavar="FILE",
        help="for --split official: train.xlsx val.xlsx ..., PART=FILE, or one table with columns image and split",
    )
    add_fractions(parser, (0.7, 0.1, 0.2))
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the split (default 0)")


@command(build_parser)
@locks_output
def main(arguments: argparse.Namespace) -> None:
    from segtumor.formats.btxrd.prepare import Bars, prepare
    from segtumor.formats.conversion import ConversionError

    progress = Bars(progress_bar("reading"), progress_bar("copying"), progress_bar("hashing"))
    try:
        prepared = prepare(arguments.source, arguments.output, _options(arguments), progress=progress)
    except ConversionError as error:
        print_remarks("Left out", error.left_out)
        raise
    _warn_of_leaks(prepared)
    _print_account(arguments, prepared)


def _options(arguments: argparse.Namespace) -> "PrepareOptions":
    from segtumor.formats.btxrd.prepare import PrepareOptions
    from segtumor.taxonomy import BINARY, GRADED, SUBTYPES

    return PrepareOptions(
        split=arguments.split,
        groups=arguments.groups,
        lists=arguments.lists,
        fractions=positive_fractions(arguments.fractions),
        seed=arguments.seed,
        taxonomy={"entity": BINARY, "graded": GRADED, "subtype": SUBTYPES}[arguments.classes],
        images=arguments.images,
        hash_images=not arguments.no_image_hashes,
        strict=arguments.strict,
        overwrite=arguments.overwrite,
    )


def _warn_of_leaks(prepared: "Prepared") -> None:
    split = prepared.split
    if split_is_by_case(split):
        return
    case_of = {image["file_name"]: image["case_id"] for image in prepared.conversion.images}
    warn_of_leaks(
        split.kind, {name: {"case_id": case_of[name], "part": split.assignment[name]["part"]} for name in case_of}
    )


def _print_account(arguments: argparse.Namespace, prepared: "Prepared") -> None:
    conversion, split, summaries = prepared.conversion, prepared.split, prepared.summaries
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
        missing = f"not in {arguments.groups}" if arguments.groups else "without a known case (no --groups)"
        print(f"{conversion.images_without_case} images are {missing}; each counts as a case of its own")
    print_remarks("Left out", conversion.left_out)
    print_remarks("Used, but worth knowing", conversion.notes)
    output = Path(arguments.output)
    print_places(output, split, summaries, f"every remark by image: {output / 'conversion_report.json'}")
    _warn_of_stale(output, summaries)


def _table_row(part: str, summary: Mapping[str, Any]) -> list[Any]:
    labels, classes = summary["images_by_label"].values(), summary["lesions_by_class"].values()
    return [part, summary["images"], summary["cases"], *labels, summary["lesions"], *classes]


def _warn_of_stale(output: Path, summaries: Container[str]) -> None:
    stale = [p.name for p in sorted((output / "annotations").glob("*.json")) if p.stem not in summaries]
    if stale:
        _LOG.warning("%s: left from an earlier conversion, not part of this split", ", ".join(stale))
