"""``segtumor data convert``: any annotation format to COCO, and back."""

from pathlib import Path

from segtumor.commands.common.command_line import make_parser, run
from segtumor.commands.common.output_folder import locks_output
from segtumor.commands.common.terminal import print_remarks, print_table, progress_bar

#: --unannotated -> what it makes of an image that no annotation mentions.
_UNANNOTATED = {"normal": "normal", "leave-out": "not annotated"}


def build_parser():
    """Its arguments."""
    from segtumor.formats.table import FORMATS, WRITABLE

    parser = make_parser(
        "segtumor data convert",
        "Convert annotated radiographs to the COCO form that segtumor trains on, or from it to another format.\n"
        "Nothing is lost in silence: what could not be used is left out with its reason, by image.",
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
        "--from", dest="source_format", choices=FORMATS, metavar="FORMAT", help=f"{names}; detected if not given"
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
    _add_doubt(parser.add_argument_group("where the annotations leave doubt"))
    return parser


def _add_classes(group) -> None:
    group.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="LABEL=CLASS",
        help="class that a label belongs to; LABEL= alone drops the regions of that label. May be repeated",
    )
    group.add_argument(
        "--table", metavar="FILE", help="CSV or Excel table with image, case_id, age, sex, site, view, center, ..."
    )
    group.add_argument(
        "--salt-file", metavar="FILE", help="secret for the case_id of DICOM files (default: kept in your settings)"
    )


def _add_doubt(group) -> None:
    group.add_argument(
        "--unannotated",
        choices=_UNANNOTATED,
        help="images that no annotation mentions: normal radiographs, or left out (default: the format's custom)",
    )
    group.add_argument("--boxes-as-masks", action="store_true", help="a box without an outline becomes its own outline")
    group.add_argument(
        "--crowds-as-lesions",
        action="store_true",
        help="a COCO crowd region (iscrowd 1) with an outline becomes one lesion: CVAT exports those of its brush so",
    )
    group.add_argument("--strict", action="store_true", help="write nothing if anything has to be left out")


def main(argv=None):
    """Run the command; returns the exit code."""
    return run(locks_output(_body), build_parser(), argv)


def _body(args) -> int:
    from segtumor.formats.assemble import NothingLeftError, assemble
    from segtumor.formats.earlier_output import check_no_earlier
    from segtumor.formats.table import detect_format

    check_no_earlier(args.output, overwrite=args.overwrite)
    classes, dropped = _class_options(args.classes)
    source_format = args.source_format or detect_format(args.source)
    collection = _read(args, source_format, dropped)
    attributes = _attributes(args, collection)
    try:
        assembled = assemble(
            collection,
            classes=classes,
            attributes=attributes,
            boxes_as_masks=args.boxes_as_masks,
            crowds_as_lesions=args.crowds_as_lesions,
        )
    except NothingLeftError as error:
        _tell_failure(args, source_format, error)
        raise
    _check_strict(args, assembled)
    _check_crowds(args, assembled)
    lost = _write(args, collection, assembled, source_format)
    _print_account(args, source_format, assembled, lost)
    return 0


def _class_options(options):
    """({label: class}, labels to drop) of ``LABEL=CLASS``."""
    from segtumor.errors import ConfigError

    classes = {}
    for option in options:
        label, equals, name = option.partition("=")
        if not equals or not label.strip():
            raise ConfigError("not a label and its class", where="--class", got=option, expected="LABEL=CLASS")
        classes[label.strip()] = name.strip()
    return {label: name for label, name in classes.items() if name}, [
        label for label, name in classes.items() if not name
    ]


def _read(args, format_name, dropped):
    from segtumor.annotations.remarks import Remark
    from segtumor.errors import DataError
    from segtumor.formats.assemble import add_unlisted, drop_labels, leave_out_contested
    from segtumor.formats.dicom_headers import add_dicom_headers
    from segtumor.formats.sources.image_folder import ImageFolder, usual_image_root
    from segtumor.formats.table import load_format

    source, format_module = Path(args.source), load_format(format_name)
    if source.exists() and not (source.is_file() or source.is_dir()):
        raise DataError("is not an ordinary file", where=source, remedy="Check --source")
    images = ImageFolder(args.images or usual_image_root(args.source))
    try:
        collection = format_module.read(source, images, progress=progress_bar("reading"))
    except DataError as error:
        _report_failure(args, format_name, [Remark(source.name, "cannot be read", str(error))], [])
        raise
    _name_links(collection, source, images)
    leave_out_contested(collection, images.contested())
    drop_labels(collection, dropped)
    meaning = _UNANNOTATED[args.unannotated] if args.unannotated else format_module.UNLISTED
    add_unlisted(collection, images.names, images.size_hw, meaning)
    add_dicom_headers(collection, args.salt_file)
    return collection


def _name_links(collection, source, images) -> None:
    """Links that lead out of the folders are left out, and named: what they lead to may be anybody's.

    An image whose annotation may be such a link is not normal for want of one, and is left out, too.
    """
    from segtumor.annotations.image_names import stem_of
    from segtumor.annotations.remarks import Remark
    from segtumor.formats.sources.files import links_out_of

    links = []
    for folder in dict.fromkeys(path.resolve() for path in (source, images.root) if path.is_dir()):
        links += links_out_of(folder)
    collection.left_out += [Remark(name, "link that leads out of its folder, not followed") for name in links]
    stems = {stem_of(name).casefold() for name in links}
    known = {image.file_name for image in collection.images}
    for name in images.names if stems else ():
        own = stem_of(name).casefold()
        if name not in known and any(stem == own or stem.startswith((f"{own}_", f"{own}-")) for stem in stems):
            collection.left_out.append(Remark(name, "its annotation may be a link that is not followed"))


def _attributes(args, collection):
    """{file name: fields} of --table; rows without an image and images without a row are told."""
    from segtumor.annotations.remarks import Remark
    from segtumor.annotations.tables.image_tables import match_images, read_image_table

    if not args.table:
        return None
    names = [image.file_name for image in collection.images]
    unread, elsewhere, kind = [], [], "cell of the table that cannot be read, left blank"
    table = read_image_table(args.table, unread)
    fields, unknown = match_images(table, names, where=args.table, elsewhere=elsewhere)
    collection.notes += [Remark(image, "in another folder in the table", name) for image, name in elsewhere]
    collection.notes += [Remark(name, kind, what) for name, what in unread]
    collection.notes += [Remark(name, "in the table, but no image that is used") for name in unknown]
    collection.notes += [Remark(name, "not in the table") for name in names if name not in fields]
    return fields


def _tell_failure(args, source_format, error) -> None:
    """The reasons by image, printed and in a report, where there is nothing else to write."""
    print_remarks("Left out", error.left_out)
    print_remarks("Worth knowing", error.notes)
    _report_failure(args, source_format, error.left_out, error.notes)


def _report_failure(args, source_format, left_out, notes) -> None:
    from segtumor.formats.output import write_failure

    if not args.strict:
        report = {"source": str(args.source), "format": source_format}
        print(f"every remark by image: {write_failure(args.output, report=report, left_out=left_out, notes=notes)}")


def _check_strict(args, assembled):
    from segtumor.errors import DataError

    if args.strict and assembled.left_out:
        print_remarks("Left out", assembled.left_out)
        count = len(assembled.left_out)
        raise DataError(f"{count} things are left out", where=args.source, remedy="See above; nothing was written")


def _check_crowds(args, assembled):
    """Raise for a set without a lesion whose lesions were perhaps drawn with a brush, and exported as crowds."""
    from segtumor.annotations.regions import CROWDS_AS_LESIONS, count_crowds, regions_by_image
    from segtumor.errors import DataError

    crowds = count_crowds(regions_by_image(assembled.document["images"], assembled.document["annotations"]))
    if crowds.all_regions:
        got = f"{crowds.n_regions} regions in {len(crowds.images)} images"
        remedy = f"If each is one lesion, as CVAT exports those of its brush, add {CROWDS_AS_LESIONS}"
        raise DataError("all regions are crowds: there is no lesion", where=args.source, got=got, remedy=remedy)


def _write(args, collection, assembled, source_format):
    from segtumor.formats.output import write_conversion
    from segtumor.formats.table import load_writable_format

    return write_conversion(
        args.output,
        collection,
        assembled,
        target=None if args.to == "coco" else load_writable_format(args.to),
        report={"source": str(args.source), "format": source_format},
        placing=args.place,
        progress=progress_bar("writing"),
    )


def _print_account(args, source_format, assembled, lost) -> None:
    from collections import Counter

    from segtumor.formats.assemble import UNLISTED_LEFT_OUT

    print(f"{args.source}: {source_format}")
    _print_counts(assembled.document)
    print_remarks("Left out", assembled.left_out)
    if any(remark.kind == UNLISTED_LEFT_OUT for remark in assembled.left_out) and not args.unannotated:
        print("         If images without annotation are normal radiographs, add --unannotated normal")
    print_remarks("Used, but worth knowing", assembled.notes)
    if lost:
        print_remarks(f"Lost, since {args.to} cannot hold it", lost)
    output = Path(args.output)
    print(f"every remark by image: {output / 'conversion_report.json'}")
    parts = Counter(image["part"] for image in assembled.document["images"] if isinstance(image.get("part"), str))
    if parts and args.to == "coco":
        counts = ", ".join(f"{part} {count}" for part, count in parts.items())
        print(f"parts that the source tells: {counts}; keep them with segtumor data split --kind column")
    if (output / "split.json").is_file():
        print(
            "split.json and its parts are of the earlier conversion: divide anew with segtumor data split --overwrite"
        )
    if args.to == "coco":
        print(f"annotations: {output / 'annotations' / 'all.json'}")
        print(f"next: segtumor data check {output / 'annotations' / 'all.json'}; then segtumor data split")


def _print_counts(document) -> None:
    """Images and lesions by class, and what of the regions cannot be trained on."""
    from segtumor.annotations.regions import boxes_sentence, count_crowds, is_crowd, regions_by_image

    regions = regions_by_image(document["images"], document["annotations"])
    lesions = [annotation for annotation in document["annotations"] if not is_crowd(annotation)]
    own = {c["id"]: [a for a in lesions if a["category_id"] == c["id"]] for c in document["categories"]}
    rows = [[c["name"], len({a["image_id"] for a in own[c["id"]]}), len(own[c["id"]])] for c in document["categories"]]
    crowds = count_crowds(regions)
    normal = len(document["images"]) - len({a["image_id"] for a in document["annotations"]})
    rows += [["crowds only", len(crowds.only), 0]] if crowds.only else []
    rows += [["no lesion", normal, 0], ["total", len(document["images"]), len(lesions)]]
    print_table(["class", "images", "lesions"], rows)
    if crowds.sentence:
        print(f"{crowds.sentence}; if each is one lesion drawn with a brush, add --crowds-as-lesions")
    if boxes_sentence(regions):
        print(boxes_sentence(regions))
