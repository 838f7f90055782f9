"""A converted collection to files: the standard tree of datasets/README.md, or another format; and its report.

The report is written last: where there is one, the conversion is complete. Not here: parts of a split
(``segtumor.datasets.splits``).
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor import __version__
from segtumor.annotations.coco import dataset_of
from segtumor.annotations.regions import is_crowd
from segtumor.annotations.remarks import Remark, kinds_of
from segtumor.datasets.image_placement import place_images
from segtumor.errors import ConfigError
from segtumor.files import prepare_output_folder, sha256_of_file, write_bytes, write_json
from segtumor.formats.collection import Collection
from segtumor.formats.conversion.assemble import Assembled
from segtumor.formats.conversion.earlier_output import REPORT, names_of_files, new_files, remove_earlier
from segtumor.formats.table import WritableFormat
from segtumor.progress import Progress


def write_conversion(
    output: str | Path,
    collection: Collection,
    assembled: Assembled,
    *,
    target: WritableFormat | None = None,
    report: Mapping[str, Any],
    placing: str = "link",
    progress: Progress = iter,
) -> list[Remark]:
    """Write a conversion and, last, its report, which lists the files; after a failure nothing of it is left.

    Args:
        output: folder, made if needed; an earlier conversion in it is removed (``earlier.check_no_earlier`` refuses).
        target: format to write; None writes ``annotations/all.json`` and makes the images reachable in
            ``images``.
        report: fields of the report beyond what is counted here, among them ``source``.
        placing: of COCO: link (``images`` becomes a link to the source's folder) or copy; pictures that were embedded
            in annotation files are always written, and the others then copied.

    Returns:
        Remarks on what the format cannot hold.

    Raises:
        ConfigError: a file of the user's would be replaced, or a source removed.
        OutputError: something cannot be written, or ``output/images`` holds something else.
    """
    output, lost = prepare_output_folder(output), list[Remark]()
    used = [collection.root / image.file_name for image in collection.images if image.content is None]
    remove_earlier(output, keep=[report["source"], *used])
    if target is not None and target.recognises(output):
        what, remedy = "annotations of that format are there that no conversion has written", "Choose another --output"
        raise ConfigError(what, where=output, remedy=remedy)
    with new_files(output) as written:
        if target is None:
            _write_coco(output, collection, assembled, placing, progress, written)
        else:
            lost = _write_other(output, target, collection, assembled, progress)
        files = names_of_files(output, written)
        write_json(output / REPORT, {**report, **_report(output, assembled, lost), "files": files})
    return lost


def write_failure(
    output: str | Path, *, report: Mapping[str, Any], left_out: Sequence[Remark], notes: Sequence[Remark]
) -> Path:
    """Report of a conversion that came to nothing, with every reason by image, unless there is another report."""
    path = Path(output) / REPORT
    if not os.path.lexists(path):
        nothing = Assembled({"images": [], "annotations": []}, list(left_out), list(notes))
        write_json(path, {**report, **_report(Path(output), nothing, ()), "files": []})
    return path


def _write_coco(
    output: Path, collection: Collection, assembled: Assembled, placing: str, progress: Progress, written: list[Path]
) -> None:
    target, names = output / "images", [image["file_name"] for image in assembled.document["images"]]
    embedded = _embedded(collection, names)
    on_disk = [name for name in names if name not in embedded]
    mode = "copy" if embedded else placing
    if place_images(collection.root, target, on_disk, mode=mode, progress=progress):
        written.append(target)
    _write_embedded(target, embedded)
    info = {"description": f"{output.resolve().name}, converted to COCO by segtumor", "segtumor_version": __version__}
    write_json(output / "annotations" / "all.json", {"info": info, **assembled.document}, indent=None)


def _write_other(
    output: Path, target: WritableFormat, collection: Collection, assembled: Assembled, progress: Progress
) -> list[Remark]:
    names = [image["file_name"] for image in assembled.document["images"]]
    _write_embedded(output / "images", _embedded(collection, names))
    dataset = dataset_of(assembled.document, collection.root)
    lost = target.write(dataset, output, progress=progress)
    if not target.KEEPS_CROWDS:
        lost = lost + [Remark(name, "crowd flag left out") for name in dataset.crowds.images]
    return lost


def _report(output: Path, assembled: Assembled, lost: Iterable[Remark]) -> dict[str, Any]:
    """What was converted, left out and unusual, by image; ``lost`` are the Remarks on what the target cannot hold."""
    document, annotations = assembled.document, output / "annotations" / "all.json"
    crowds = sum(map(is_crowd, document["annotations"]))
    report: dict[str, Any] = {
        "schema_version": 1,
        "converted": {"images": len(document["images"]), "lesions": len(document["annotations"]) - crowds},
        "crowd_regions": crowds,
        "annotations_sha256": sha256_of_file(annotations) if annotations.is_file() else None,
    }
    for name, remarks in (("left_out", assembled.left_out), ("notes", assembled.notes), ("lost", lost)):
        report[f"{name}_by_kind"] = kinds_of(remarks)
        report[name] = [remark._asdict() for remark in remarks]
    return report


def _embedded(collection: Collection, names: Iterable[str]) -> dict[str, bytes]:
    """{file name: bytes} of the images that are embedded in annotation files."""
    used = set(names)
    return {image.file_name: image.content for image in collection.images if image.content and image.file_name in used}


def _write_embedded(target: Path, embedded: Mapping[str, bytes]) -> None:
    for name, content in embedded.items():
        write_bytes(target / name, content)
