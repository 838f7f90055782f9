"""``segtumor data split``: split COCO files by case, into folds, with one centre left out, or by official lists."""

import argparse
import contextlib
import dataclasses
import gc
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.output_folder import locks_output
from segtumor.commands.common.shared_options import add_fractions, add_image_folder
from segtumor.commands.common.terminal import progress_bar
from segtumor.commands.data.split_report import positive_fractions, print_split_report
from segtumor.errors import ConfigError

if TYPE_CHECKING:  # would delay --help
    from segtumor.datasets.splits.making import SplitRequest

_LOG = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "segtumor data split",
        "Split annotated radiographs so that no case is in two parts, and record the split with hashes.\n"
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
        "a part for each centre; column: parts named by a field of the images; official: by --lists; image: each "
        "radiograph separately, which leaks; or an existing split.json, to reuse its parts",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier split in OUTPUT: split.json and the parts it names"
    )
    _add_making(parser.add_argument_group("how to split"))
    _add_cases(parser.add_argument_group("cases"))
    _add_images(parser.add_argument_group("images"))
    parser.add_argument("--strict", action="store_true", help="write nothing unless lists and images match exactly")
    return parser


def _add_making(group: argparse._ArgumentGroup) -> None:
    add_fractions(group, (0.7, 0.1, 0.2))
    group.add_argument("--folds", type=int, default=5, metavar="K", help="number of folds of kfold (default 5)")
    group.add_argument(
        "--test-fraction", type=float, default=0.0, metavar="F", help="kfold: share taken out first as part test"
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the split (default 0)")
    group.add_argument(
        "--stratify",
        nargs="+",
        default=["label"],
        metavar="KEY",
        help="fields to balance over the parts, the most important first: label (always first), center, age_group, "
        "site, sex, subtype or another field; strata of fewer than 10 cases lose their last key",
    )
    group.add_argument("--leave-out", default="center", metavar="KEY", help="field of leave-one-out (default center)")
    group.add_argument("--column", default="part", metavar="FIELD", help="field of kind column (default part)")
    group.add_argument(
        "--lists",
        nargs="+",
        default=[],
        metavar="FILE",
        help="for kind official: train.xlsx val.txt ..., PART=FILE, or one table with columns for image and split",
    )


def _add_cases(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--by", default="case_id", metavar="FIELD", help="field that names the case (default case_id)")
    group.add_argument(
        "--cases", metavar="CSV", help="table image_id,case_id; an image that is in neither is a case of its own"
    )
    group.add_argument(
        "--join-duplicates",
        action="store_true",
        help="equal and nearly equal images count as one case and stay together; opens all images",
    )


def _add_images(group: argparse._ArgumentGroup) -> None:
    add_image_folder(group)
    group.add_argument(
        "--place",
        choices=("link", "copy", "none"),
        default="link",
        help="OUTPUT/images becomes a link to the folder of the images (default) or a copy of them; none: images "
        "are not needed",
    )
    group.add_argument(
        "--no-image-hashes", action="store_true", help="leave the hashes of the images out of split.json"
    )


@command(build_parser)
@locks_output
def main(arguments: argparse.Namespace) -> None:
    from segtumor.datasets.splits.making import split_images
    from segtumor.datasets.splits.merging import merge_coco
    from segtumor.datasets.splits.output import write_split

    _check_usage(arguments)
    with _no_garbage_collection():
        with _timed("loading"):
            image_root, in_place = arguments.images, arguments.place == "none"
            merged = merge_coco(arguments.annotations, image_root=image_root, check_files=not in_place)
        with _timed("splitting"):
            made = split_images(merged, _request(arguments), progress=progress_bar("comparing"))
        with _timed("writing"):
            written = write_split(
                made,
                arguments.output,
                tables=_tables(arguments),
                placing=None if in_place else arguments.place,
                hashed=not arguments.no_image_hashes,
                overwrite=arguments.overwrite,
                copying=progress_bar("copying"),
                hashing=progress_bar("hashing"),
            )
    print_split_report(arguments, made, written.summaries, written.changed)


@contextlib.contextmanager
def _timed(what: str) -> Iterator[None]:
    started, worked = time.perf_counter(), time.process_time()
    yield
    seconds = time.perf_counter() - started, time.process_time() - worked
    _LOG.debug("%s took %.2f s, of the processor %.2f s", what, *seconds)


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Nothing here makes cycles; looking for them among millions of points takes seconds."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _check_usage(arguments: argparse.Namespace) -> None:
    from segtumor.datasets.splits.deal import check_fractions
    from segtumor.datasets.splits.making import NEW_KINDS
    from segtumor.datasets.splits.output import check_no_earlier_split

    check_no_earlier_split(Path(arguments.output), (), overwrite=arguments.overwrite)
    check_fractions(positive_fractions(arguments.fractions))
    if arguments.seed < 0:
        raise ConfigError("seed is negative", where="--seed", got=arguments.seed, expected="0 or more")
    if arguments.kind not in NEW_KINDS and not Path(arguments.kind).is_file():
        expected = f"{', '.join(NEW_KINDS)} or a split file"
        raise ConfigError("neither a kind of split nor a file", where="--kind", got=arguments.kind, expected=expected)
    if arguments.kind == "official" and not arguments.lists:
        remedy = "Give --lists train.xlsx val.xlsx; or --kind column if a field of the images names their part"
        raise ConfigError("an official split needs its lists", where="--kind official", remedy=remedy)
    if arguments.stratify != ["label"] and arguments.kind not in ("grouped", "kfold", "image"):
        raise ConfigError(
            "nothing is drawn at random that could be stratified", where="--stratify", got=f"--kind {arguments.kind}"
        )
    if arguments.test_fraction and arguments.kind != "kfold":
        remedy = "Give --fractions"
        raise ConfigError("is for --kind kfold", where="--test-fraction", got=f"--kind {arguments.kind}", remedy=remedy)
    if arguments.join_duplicates and (
        arguments.place == "none" or arguments.kind not in ("grouped", "kfold", "leave-one-out")
    ):
        expected = "--kind grouped, kfold or leave-one-out, and images to open"
        raise ConfigError("cannot be used here", where="--join-duplicates", expected=expected)
    if arguments.lists and arguments.kind != "official":
        raise ConfigError("lists are for --kind official", where="--lists", got=f"--kind {arguments.kind}")


def _request(arguments: argparse.Namespace) -> "SplitRequest":
    """What to make, from the options of the same names."""
    from segtumor.datasets.splits.making import SplitRequest

    given = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(SplitRequest)}
    return SplitRequest(**{**given, "fractions": positive_fractions(arguments.fractions)})


def _tables(arguments: argparse.Namespace) -> list[Path]:
    """Files beside the annotations that the split is made from."""
    from segtumor.datasets.splits.official import path_of

    return [*([Path(arguments.cases)] if arguments.cases else []), *(path_of(spec) for spec in arguments.lists)]
