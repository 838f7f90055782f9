"""``segtumor data convert``: any annotation format to COCO, and back."""

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.output_folder import locks_output
from segtumor.commands.common.terminal import print_remarks, print_table, progress_bar

if TYPE_CHECKING:  # would delay --help
    from segtumor.formats.collection import Unlisted
    from segtumor.formats.conversion import ConversionError, ConversionOptions, Converted

#: --unannotated -> what it makes of an image that no annotation mentions.
_UNANNOTATED: dict[str, "Unlisted"] = {"normal": "normal", "leave-out": "not annotated"}


def build_parser() -> argparse.ArgumentParser:
    from segtumor.formats.table import FORMATS, WRITABLE

    parser = make_parser(
        "segtumor data convert",
        "Convert annotated radiographs to the COCO form that segtumor trains on, or from it to another format.\n"
        "Nothing is lost silently: what cannot be used is left out, and the reason is reported for each image.",
        examples=[
            "segtumor data convert --source datasets/examples/labelme --images datasets/examples/images "
            "--output output/converted",
            "segtumor data convert --from csv --source boxes.csv --images radiographs --output datasets/mine "
            "--boxes-as-masks",
            "segtumor data convert --source exports --output datasets/mine --class osteosarcoma=malignant "
            "--class cyst=benign --table patients.csv",
            "segtumor data convert --source datasets/examples/coco --images datasets/examples/images --to yolo "
            "--output output/yolo",
            "segtumor data convert --source output/found/predictions.json --images scans --to labelme "
            "--output output/to_correct",
        ],
    )
    names = ", ".join(FORMATS)
    parser.add_argument("--source", required=True, metavar="PATH", help="annotation file, or folder of them")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder to write; its name is the data set's")
    parser.add_argument(
        "--from", dest="source_format", choices=FORMATS, metavar="FORMAT", help=f"{names}; default: detected"
    )
    parser.add_argument(
        "--to", default="coco", choices=WRITABLE, metavar="FORMAT", help="format to write (default coco)"
    )
    parser.add_argument(
        "--images", metavar="DIR", help="folder of the images (default: images beside or in the source)"
    )
    parser.add_argument(
        "--place",
        choices=("link", "copy"),
        default="link",
        help="OUTPUT/images becomes a link to the source's folder (default), or a copy of the images used",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier conversion in OUTPUT: the files its report lists"
    )
    _add_classes(parser.add_argument_group("classes and cases"))
    _add_doubt(parser.add_argument_group("where annotations are ambiguous"))
    return parser


def _add_classes(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="LABEL=CLASS",
        help="class that a label belongs to; LABEL= drops the regions of that label; repeatable",
    )
    group.add_argument(
        "--table", metavar="FILE", help="CSV or Excel table with image, case_id, age, sex, site, view, center, ..."
    )
    group.add_argument(
        "--salt-file", metavar="FILE", help="secret for the case_id of DICOM files (default: kept in your settings)"
    )
    group.add_argument(
        "--keep-device",
        action="store_true",
        help="take maker and model of the X-ray device from DICOM headers, as manufacturer and device, to compare "
        "devices; a rare one may tell where a radiograph was taken",
    )


def _add_doubt(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--unannotated",
        choices=_UNANNOTATED,
        help="images that no annotation mentions: normal radiographs, or left out (default: depends on the format)",
    )
    group.add_argument("--boxes-as-masks", action="store_true", help="a box without an outline becomes its own outline")
    group.add_argument(
        "--crowds-as-lesions",
        action="store_true",
        help="a COCO crowd region (iscrowd 1) with an outline becomes one lesion: CVAT exports brush masks like this",
    )
    group.add_argument("--strict", action="store_true", help="write nothing if anything has to be left out")


@command(build_parser)
@locks_output
def main(arguments: argparse.Namespace) -> None:
    from segtumor.formats.conversion import ConversionError, convert

    try:
        converted = convert(
            arguments.source,
            arguments.output,
            _options(arguments),
            reading=progress_bar("reading"),
            writing=progress_bar("writing"),
        )
    except ConversionError as error:
        _print_failure(error)
        raise
    _print_account(arguments, converted)


def _options(arguments: argparse.Namespace) -> "ConversionOptions":
    from segtumor.formats.conversion import ConversionOptions

    classes, dropped = _class_options(arguments.classes)
    return ConversionOptions(
        source_format=arguments.source_format,
        target=arguments.to,
        images=arguments.images,
        classes=classes,
        dropped=dropped,
        table=arguments.table,
        salt_file=arguments.salt_file,
        keep_device=arguments.keep_device,
        unlisted=_UNANNOTATED[arguments.unannotated] if arguments.unannotated else None,
        boxes_as_masks=arguments.boxes_as_masks,
        crowds_as_lesions=arguments.crowds_as_lesions,
        placing=arguments.place,
        strict=arguments.strict,
        overwrite=arguments.overwrite,
    )


def _class_options(options: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """({label: class}, labels to drop) of ``LABEL=CLASS``."""
    from segtumor.annotations.class_scheme import label_and_class

    classes = dict(label_and_class(option, where="--class") for option in options)
    return {label: name for label, name in classes.items() if name}, [
        label for label, name in classes.items() if not name
    ]


def _print_failure(error: "ConversionError") -> None:
    """The reasons by image, where there is nothing else to show."""
    if error.left_out:
        print_remarks("Left out", error.left_out)
    if error.notes:
        print_remarks("Worth knowing", error.notes)
    if error.report is not None:
        print(f"every remark by image: {error.report}")


def _print_account(arguments: argparse.Namespace, converted: "Converted") -> None:
    assembled = converted.assembled
    print(f"{arguments.source}: {converted.source_format}")
    _print_counts(assembled.document)
    print_remarks("Left out", assembled.left_out)
    if converted.n_unlisted and not arguments.unannotated:
        print("         If images without annotation are normal radiographs, add --unannotated normal")
    print_remarks("Used, but worth knowing", assembled.notes)
    if converted.lost:
        print_remarks(f"Lost, since {arguments.to} cannot hold it", converted.lost)
    output = Path(arguments.output)
    print(f"every remark by image: {output / 'conversion_report.json'}")
    parts = Counter(image["part"] for image in assembled.document["images"] if isinstance(image.get("part"), str))
    if parts and arguments.to == "coco":
        counts = ", ".join(f"{part} {count}" for part, count in parts.items())
        print(f"parts named in the source: {counts}; keep them with segtumor data split --kind column")
    if (output / "split.json").is_file():
        print(
            "split.json and its parts are from the earlier conversion: split again with segtumor data split --overwrite"
        )
    if arguments.to == "coco":
        print(f"annotations: {output / 'annotations' / 'all.json'}")
        print(f"next: segtumor data check {output / 'annotations' / 'all.json'}; then segtumor data split")


def _images_by_label(document: Mapping[str, Any]) -> list[list[Any]]:
    """Of a data set without outlines, for classifiers."""
    from segtumor.taxonomy import NORMAL

    counts = Counter(str(image.get("image_label")) for image in document["images"])
    names = dict.fromkeys([NORMAL, *(category["name"] for category in document["categories"]), *counts])
    return [*([name, counts[name]] for name in names), ["total", len(document["images"])]]


def _print_counts(document: Mapping[str, Any]) -> None:
    """Images and lesions by class, and regions that cannot be trained on."""
    from segtumor.annotations.regions import boxes_sentence, count_crowds, is_crowd, regions_by_image

    regions = regions_by_image(document["images"], document["annotations"])
    lesions = [annotation for annotation in document["annotations"] if not is_crowd(annotation)]
    own = {c["id"]: [a for a in lesions if a["category_id"] == c["id"]] for c in document["categories"]}
    rows: list[list[Any]] = [
        [c["name"], len({a["image_id"] for a in own[c["id"]]}), len(own[c["id"]])] for c in document["categories"]
    ]
    if not document["annotations"]:
        print_table(["class", "images"], _images_by_label(document))
        return
    crowds = count_crowds(regions)
    normal = len(document["images"]) - len({a["image_id"] for a in document["annotations"]})
    rows += [["crowds only", len(crowds.only), 0]] if crowds.only else []
    rows += [["no lesion", normal, 0], ["total", len(document["images"]), len(lesions)]]
    print_table(["class", "images", "lesions"], rows)
    if crowds.sentence:
        print(f"{crowds.sentence}; if each is one lesion drawn with a brush, add --crowds-as-lesions")
    if boxes_sentence(regions):
        print(boxes_sentence(regions))
