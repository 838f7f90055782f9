"""``segtumor data leaks``: cases and images that stand in several parts of a split, in numbers."""

import argparse
import dataclasses

from segtumor.commands.common.command_line import make_parser, run
from segtumor.commands.common.terminal import print_table, progress_bar

EXIT_LEAKS = 5
_SHOWN = 5
_SPOKEN = {"train": "training", "val": "validation"}
_DESCRIPTION = """Report what stands on both sides of a split: cases (patients), equal images, and nearly equal ones
(also mirrored or inverted), with the share of evaluated images and lesions this affects.

SOURCE is a data set's folder (annotations/*.json beside images/). Parts of folds, such as fold1-train and
fold1-val, are compared within their fold.

Exit code: 0 if no case and no equal image stands on both sides, 5 otherwise; nearly equal images count only
with --strict, since they are a computer's opinion."""


def build_parser():
    """Its arguments."""
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
    parser.add_argument("--split", metavar="JSON", help="a split.json, to judge together with --annotations")
    parser.add_argument("--annotations", metavar="JSON", help="one annotation file with the images of --split")
    parser.add_argument("--images", metavar="DIR", help="folder of the images (default: images beside annotations)")
    parser.add_argument("--cases", metavar="CSV", help="table image_id,case_id, used instead of the files' case_id")
    parser.add_argument("--no-open", action="store_true", help="do not open images: compare cases and file paths only")
    parser.add_argument(
        "--near",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="look for nearly equal images, too; --no-near finds only equal ones",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes that read images (default: processors)")
    parser.add_argument("--json", metavar="FILE", help="write the report, with every case and image, as JSON")
    parser.add_argument("--strict", action="store_true", help="exit code 5 for nearly equal images, too")
    return parser


def main(argv=None):
    """Run the command; returns the exit code."""
    return run(_body, build_parser(), argv)


def _body(args):
    from segtumor.datasets.leaks import find_leaks
    from segtumor.files import write_json

    parts = _with_cases(_parts(args), args.cases)
    prints, failed = (None, {}) if args.no_open else _fingerprints(parts, args.workers)
    report = find_leaks(parts, prints, near=args.near)
    if args.json:
        write_json(args.json, _document(report, failed))
    _print_report(report, failed, near=args.near)
    return EXIT_LEAKS if report.leaks or (args.strict and report.near) else 0


def _document(report, failed):
    """The report as JSON values, with the files that did not open."""
    document = dataclasses.asdict(report)
    for pair in document["pairs"]:
        pair["exact"] = [{"first": first, "second": second} for first, second in pair["exact"]]
        pair["near"] = [near._asdict() for near in pair["near"]]
    return {"schema_version": 1, "leaks": report.leaks, **document, "n_not_opened": len(failed)}


def _parts(args):
    """{part: CocoDataset} from whichever of the three ways was used."""
    from segtumor.datasets.parts import load_parts
    from segtumor.errors import ConfigError

    _check_usage(args)
    check_files = not args.no_open
    if args.source:
        parts = load_parts(args.source, args.images, check_files=check_files)
    elif args.part:
        parts = {name: _load(path, args) for name, path in _named_files(args.part).items()}
    else:
        parts = _divided(_load(args.annotations, args), args.split)
    if len(parts) < 2:
        remedy = "Make several with segtumor data split, or give --split with --annotations"
        raise ConfigError("there is only one part, so nothing to compare", got=", ".join(parts), remedy=remedy)
    return parts


def _check_usage(args):
    from segtumor.errors import ConfigError

    expected = "SOURCE, or --part twice or more, or --split with --annotations"
    if bool(args.split) != bool(args.annotations):
        raise ConfigError("--split and --annotations need each other", expected=expected)
    if sum(map(bool, (args.source, args.part, args.split))) != 1:
        raise ConfigError("say in one way what to compare", expected=expected)
    if args.workers is not None and args.workers < 1:
        raise ConfigError("at least one process is needed", where="--workers", got=args.workers)


def _load(path, args):
    from segtumor.annotations.coco import load_coco

    return load_coco(path, args.images, check_files=not args.no_open, require_masks=False)


def _named_files(texts):
    from segtumor.errors import ConfigError

    files = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not (name and equals and path) or name in files:
            what = "is given twice" if name in files else "is not a name and a file"
            raise ConfigError(what, where="--part", got=text, expected="for example train=annotations/train.json")
        files[name] = path
    return files


def _divided(dataset, split_path):
    """The parts that a split file makes of one annotation file; images without a case get that of the split."""
    from segtumor.cases import case_of, is_own_case
    from segtumor.datasets.splits import read_split_document
    from segtumor.errors import DataError

    document = read_split_document(split_path)
    assignment = document["assignment"]
    missing = [image["file_name"] for image in dataset.images if image["file_name"] not in assignment]
    if missing:
        what = f"{len(missing)} images are not in the split, the first {missing[0]}"
        raise DataError(what, where=split_path, remedy="Give the split of these annotations")
    composition = document.get("composition") or {part: (part,) for part in document["fractions"]}
    images_of_fold = {}
    for image in dataset.images:
        entry = assignment[image["file_name"]]
        keeps_its_own = case_of(image) is not None or is_own_case(entry["case_id"])
        known = image if keeps_its_own else {**image, "case_id": entry["case_id"]}
        images_of_fold.setdefault(entry["part"], []).append(known)
    return {
        part: dataclasses.replace(
            dataset, images=tuple(image for fold in folds for image in images_of_fold.get(fold, ()))
        )
        for part, folds in composition.items()
    }


def _with_cases(parts, table):
    if table is None:
        return parts
    from segtumor.datasets.splits.cases import read_case_table

    replaced = {}
    for part, dataset in parts.items():
        cases, _ = read_case_table(table, [image["file_name"] for image in dataset.images])
        images = ({**image, "case_id": cases.get(index)} for index, image in enumerate(dataset.images))
        replaced[part] = dataclasses.replace(dataset, images=tuple(images))
    return replaced


def _fingerprints(parts, workers):
    """{path: Fingerprint} and {path: error} of every image, each opened once."""
    from segtumor.datasets.fingerprints import fingerprint_images
    from segtumor.datasets.leaks import image_key

    paths = list(dict.fromkeys(image_key(dataset, image) for dataset in parts.values() for image in dataset.images))
    return fingerprint_images(paths, "/", progress=progress_bar("reading"), workers=workers)


def _print_report(report, failed, *, near) -> None:
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
    for sentence in _caveats(report, failed, near):
        print(sentence)


def _print_pairs(report) -> None:
    header = ["evaluated against", "shared cases", "images by case", "equal", "nearly equal", "any"]
    header += ["lesions by case", "equal", "nearly equal", "any"]
    rows = [
        [f"{pair.second} against {pair.first}", len(pair.cases), *pair.images.values(), *pair.lesions.values()]
        for pair in report.pairs
    ]
    print_table(header, rows)


def _sentences(pair, counts):
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


def _spoken(name) -> str:
    fold, hyphen, role = name.rpartition("-")
    return f"{fold}{hyphen}{_SPOKEN.get(role, role)}"


def _share(n, total, noun: str = "") -> str:
    percent = f" ({'<1' if 0 < n <= total / 200 else f'{100 * n / total:.0f}'}%)" if total else ""
    return f"{n} of {total}{' ' + noun if noun else ''}{percent}"


def _caveats(report, failed, near):
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
        yield f"Nearly equal is a computer's opinion: {LIMIT}."
    if failed:
        yield f"{len(failed)} images do not open and were compared by their path only; segtumor data check names them."
