"""``segtumor data leaks``: cases and images that are in several parts of a split, in numbers."""

import argparse
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.terminal import print_table, progress_bar
from segtumor.errors import ConfigError, DataError

if TYPE_CHECKING:  # would delay --help
    from segtumor.annotations.coco import CocoDataset
    from segtumor.datasets.leaks import LeakReport, PairLeak, PartCounts

_SHOWN = 5
_SPOKEN = {"train": "training", "val": "validation"}
_DESCRIPTION = """Report what is on both sides of a split: cases (patients), equal images, and nearly equal ones (also
mirrored or inverted), with the share of evaluated images and lesions this affects.

SOURCE is a data set's folder (annotations/*.json beside images/). Parts of folds, such as fold1-train and
fold1-val, are compared within their fold.

Exit code: 0 if no case and no equal image is on both sides, 5 otherwise; nearly equal images count only with
--strict, since similarity is a computer's estimate."""


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "segtumor data leaks",
        _DESCRIPTION,
        examples=[
            "segtumor data leaks datasets/btxrd",
            "segtumor data leaks --part train=a.json --part val=b.json --images radiographs --cases cases.csv",
            "segtumor data leaks --split split.json --annotations all.json --no-open",
        ],
    )
    parser.add_argument("source", nargs="?", metavar="SOURCE", help="folder of a data set")
    parser.add_argument(
        "--part", action="append", default=[], metavar="NAME=JSON", help="one part and its annotation file; repeatable"
    )
    parser.add_argument("--split", metavar="JSON", help="a split.json, with --annotations")
    parser.add_argument("--annotations", metavar="JSON", help="one annotation file with the images of --split")
    parser.add_argument("--images", metavar="DIR", help="folder of the images (default: images beside annotations)")
    parser.add_argument("--cases", metavar="CSV", help="table image_id,case_id, used instead of the files' case_id")
    parser.add_argument("--no-open", action="store_true", help="compare cases and file paths only; open no image")
    parser.add_argument(
        "--near",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also look for nearly equal images; --no-near finds equal ones only",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes that read images (default: processors)")
    parser.add_argument("--json", metavar="FILE", help="write the report, with every case and image, as JSON")
    parser.add_argument("--strict", action="store_true", help="exit code 5 for nearly equal images, too")
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> int:
    from segtumor.datasets.leaks import find_leaks, fingerprints_of_parts
    from segtumor.files import write_json

    parts, workers = _parts(arguments), arguments.workers
    reading = progress_bar("reading")
    prints, failed = (
        (None, {}) if arguments.no_open else fingerprints_of_parts(parts, progress=reading, workers=workers)
    )
    report = find_leaks(parts, prints, near=arguments.near)
    if arguments.json:
        write_json(arguments.json, {**report.as_json(), "n_not_opened": len(failed)})
    _print_report(report, len(failed), near=arguments.near)
    return DataError.exit_code if report.leaks or (arguments.strict and report.near) else 0


def _parts(arguments: argparse.Namespace) -> dict[str, "CocoDataset"]:
    """{part: CocoDataset} from whichever of the three ways was used."""
    from segtumor.datasets.annotation_files import load_parts, parts_of_split, with_case_table

    _check_usage(arguments)
    check_files = not arguments.no_open
    if arguments.source:
        parts = load_parts(arguments.source, arguments.images, check_files=check_files)
    elif arguments.part:
        parts = {name: _load(path, arguments) for name, path in _named_files(arguments.part).items()}
    else:
        parts = parts_of_split(_load(arguments.annotations, arguments), arguments.split)
    if len(parts) < 2:
        remedy = "Make several with segtumor data split, or give --split with --annotations"
        raise ConfigError("there is only one part, so nothing to compare", got=", ".join(parts), remedy=remedy)
    return with_case_table(parts, arguments.cases) if arguments.cases else parts


def _check_usage(arguments: argparse.Namespace) -> None:
    expected = "SOURCE, or --part twice or more, or --split with --annotations"
    if bool(arguments.split) != bool(arguments.annotations):
        raise ConfigError("--split and --annotations need each other", expected=expected)
    if sum(map(bool, (arguments.source, arguments.part, arguments.split))) != 1:
        raise ConfigError("give exactly one way of naming what to compare", expected=expected)
    if arguments.workers is not None and arguments.workers < 1:
        raise ConfigError("at least one process is needed", where="--workers", got=arguments.workers)


def _load(path: str, arguments: argparse.Namespace) -> "CocoDataset":
    from segtumor.annotations.coco import load_coco

    return load_coco(path, arguments.images, check_files=not arguments.no_open, require_masks=False)


def _named_files(texts: Iterable[str]) -> dict[str, str]:
    files: dict[str, str] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not (name and equals and path) or name in files:
            what = "is given twice" if name in files else "is not a name and a file"
            raise ConfigError(what, where="--part", got=text, expected="for example train=annotations/train.json")
        files[name] = path
    return files


def _print_report(report: "LeakReport", n_failed: int, *, near: bool) -> None:
    print_table(
        ["part", "images", "lesions", "cases", "without case"],
        [[part, c.images, c.lesions, c.cases, c.images_without_case] for part, c in report.parts.items()],
    )
    print()
    _print_pairs(report)
    print()
    for pair in report.pairs:
        for sentence in _sentences(pair, report.parts[pair.second]):
            print(sentence)
    for sentence in _caveats(report, n_failed, near):
        print(sentence)


def _print_pairs(report: "LeakReport") -> None:
    header = ["evaluated against", "shared cases", "images by case", "equal", "nearly equal", "any"]
    header += ["lesions by case", "equal", "nearly equal", "any"]
    rows = [
        [f"{pair.second} against {pair.first}", len(pair.cases), *pair.images.values(), *pair.lesions.values()]
        for pair in report.pairs
    ]
    print_table(header, rows)


def _sentences(pair: "PairLeak", counts: "PartCounts") -> Iterator[str]:
    first, second = (_spoken(name) for name in (pair.first, pair.second))
    reasons = {
        "case": f"share a case with {first}",
        "exact": f"are in {first} as well, pixel by pixel",
        "near": f"are nearly equal to one in {first}",
    }
    for reason, words in reasons.items():
        n = pair.images[reason]
        if n:
            lesions = _share(pair.lesions[reason], counts.lesions)
            yield f"{_share(n, counts.images, f'{second} images')} {words}; with them {lesions} of its lesions."
    if not pair.images["any"]:
        yield f"{second} and {first}: nothing in common was found."
    named = [f"{first} = {second}" for first, second in pair.exact]
    named += [f"{near.first} ~ {near.second} ({near.kind})" for near in pair.near]
    if named:
        more = f", and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        yield f"  {', '.join(named[:_SHOWN])}{more}"


def _spoken(name: str) -> str:
    fold, hyphen, role = name.rpartition("-")
    return f"{fold}{hyphen}{_SPOKEN.get(role, role)}"


def _share(n: int, total: int, noun: str = "") -> str:
    percent = f" ({'<1' if 0 < n <= total / 200 else f'{100 * n / total:.0f}'}%)" if total else ""
    return f"{n} of {total}{' ' + noun if noun else ''}{percent}"


def _caveats(report: "LeakReport", n_failed: int, near: bool) -> Iterator[str]:
    from segtumor.datasets.duplicates import LIMIT

    for sentence in report.doubts:
        yield f"{sentence[0].upper()}{sentence[1:]}."
    without = sum(counts.images_without_case for counts in report.parts.values())
    if without:
        yield f"{without} images have no case_id, each counted as its own case; --cases gives a table of them."
    if not report.opened:
        yield "No image was opened: equal means the same file, and nearly equal ones were not looked for."
    elif not near:
        yield "Nearly equal images were not looked for."
    else:
        yield f"Nearly equal is a computer's estimate: {LIMIT}."
    if n_failed:
        yield f"{n_failed} images do not open and were compared by their path only; segtumor data check names them."
