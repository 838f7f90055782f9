"""``segtumor data png``: radiographs as 8-bit PNG files without names or headers."""

import argparse
from pathlib import Path

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.output_folder import add_overwrite_option, locks_output, refuse_earlier
from segtumor.commands.common.shared_options import add_image_folder
from segtumor.commands.common.terminal import progress_bar
from segtumor.errors import ConfigError, DataError, SomeInputsFailedError
from segtumor.texts import counted


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "segtumor data png",
        "Write radiographs, DICOM too, as 8-bit PNG files in the window that segtumor reads them with. They are\n"
        "called 000001.png, ... and hold nothing of a header. What is burnt into the picture stays; names.csv says\n"
        "which file each was: keep it to yourself.",
        examples=[
            "segtumor data png --source scans --output output/png",
            "segtumor data png --source mine/annotations/all.json --images mine/images --output output/png",
        ],
    )
    parser.add_argument("--source", required=True, metavar="PATH", help="folder of radiographs, a file, or a COCO file")
    add_image_folder(parser)
    parser.add_argument("--output", required=True, metavar="DIR", help="folder to write, created if needed")
    add_overwrite_option(parser)
    return parser


@command(build_parser)
@locks_output
def main(arguments: argparse.Namespace) -> None:
    from segtumor.annotations.coco import load_coco
    from segtumor.annotations.json_input import parse_json, read_bytes
    from segtumor.datasets.png_copies import COLUMNS, IMAGES, NAMES, copy_names, renamed, write_png_copies
    from segtumor.files import is_inside, write_csv, write_json
    from segtumor.imaging.listing import list_images

    source, output, document = Path(arguments.source), Path(arguments.output), None
    refuse_earlier(arguments, (NAMES, f"{IMAGES}/*.png", "annotations/all.json"))
    if source.suffix.lower() == ".json":
        dataset = load_coco(source, arguments.images, require_masks=False)
        document = parse_json(read_bytes(source), source)
        paths = [dataset.image_root / image["file_name"] for image in dataset.images]
    else:
        paths = list_images(source) if source.is_dir() else [source]
    if not paths:
        raise DataError("no radiographs", where=source, remedy="Check --source")
    if any(is_inside(path, output / IMAGES) for path in paths):
        raise ConfigError(
            "the radiographs are where the copies would go", where=output, remedy="Choose another --output"
        )
    rows = list(progress_bar("writing")(write_png_copies(paths, output)))
    write_csv(output / NAMES, rows, COLUMNS)
    failed = [row for row in rows if row["failed"]]
    print(f"{counted(len(rows) - len(failed), 'images')} in {output / IMAGES}; which file each was: {output / NAMES}")
    if failed:
        kind = DataError if len(failed) == len(rows) else SomeInputsFailedError
        raise kind(f"{len(failed)} of {counted(len(rows), 'files')} failed, first: {failed[0]['failed']}".rstrip("."))
    if document is not None:
        write_json(output / "annotations" / "all.json", renamed(document, copy_names(len(paths))), indent=None)
        print(f"annotations: {output / 'annotations' / 'all.json'}")
