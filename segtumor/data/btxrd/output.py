"""A converted data set to files: images, one annotation file per part, the report and, last, the split file.

The split file stands for a complete conversion: an older one is removed first and the new one written when all else is
there. Not here: reading the source (``convert``) and dividing it (``segtumor.data.splits``).
"""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

from segtumor import __version__
from segtumor.data.btxrd.convert import kinds_of
from segtumor.data.splits import split_document
from segtumor.errors import OutputError
from segtumor.files import atomic_path, prepare_output_folder, sha256_of_file, write_json
from segtumor.taxonomy import BENIGN, MALIGNANT, NORMAL

INFO = {
    "description": "BTXRD, radiographs of primary bone tumors, converted to COCO by segtumor",
    "version": "1",
    "reference": "Yao et al., Scientific Data 2025, doi 10.1038/s41597-024-04311-y",
    "licence": "as stated by the authors: article CC BY-NC-ND 4.0, data deposit CC BY 4.0",
    "segtumor_version": __version__,
}


def write_dataset(output, source, conversion, split, *, taxonomy, images="link", progress=iter):
    """Write everything below ``output``.

    Args:
        output: folder, made if needed.
        source: BTXRD folder.
        conversion: from ``convert``.
        split: ``segtumor.data.splits.Split`` that assigns every image of the conversion.
        taxonomy: that of the conversion.
        images: link (``output/images`` becomes a link to the source's folder) or copy.
        progress: wraps the images copied, as tqdm does.

    Returns:
        {part: summary}: counts of images, cases, labels and lesions by class, and annotations_sha256.

    Raises:
        OutputError: something cannot be written, or ``output/images`` holds something else.
    """
    output = prepare_output_folder(output)
    split_path = output / "split.json"
    names = [image["file_name"] for image in conversion.images]
    place_images(Path(source) / "images", output / "images", names, mode=images, progress=progress)
    _remove_earlier_parts(split_path)
    summaries = {}
    for part, document in part_documents(conversion, split, taxonomy).items():
        path = output / "annotations" / f"{part}.json"
        write_json(path, document, indent=None)
        summaries[part] = {**summarize(document), "annotations_sha256": sha256_of_file(path)}
    write_json(output / "conversion_report.json", _report(source, conversion, split, summaries))
    write_json(split_path, split_document(split, summaries))
    return summaries


def _remove_earlier_parts(split_path):
    """Remove an earlier split and its annotation files: a part left over would share cases with the new ones."""
    try:
        parts = list(json.loads(split_path.read_text(encoding="utf-8"))["parts"])
    except (OSError, ValueError, KeyError, TypeError):  # none there, or not one of ours
        parts = []
    for part in parts:
        _remove(split_path.parent / "annotations" / f"{Path(part).name}.json")
    _remove(split_path)


def _remove(path):
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot remove the earlier one: {error.strerror}", where=path) from error


def part_documents(conversion, split, taxonomy):
    """{part: COCO object}; ids stay those of the conversion, so that an image has one id in every part and split."""
    info = {**INFO, "split_kind": split.kind, "split_sha256": split.sha256}
    documents = {
        part: {
            "info": {**info, "part": part},
            "images": [],
            "annotations": [],
            "categories": taxonomy.coco_categories(),
        }
        for part in split.parts
    }
    part_of_image = {}
    for image in conversion.images:
        part = split.assignment[image["file_name"]]["part"]
        part_of_image[image["id"]] = part
        documents[part]["images"].append(image)
    for annotation in conversion.annotations:
        documents[part_of_image[annotation["image_id"]]]["annotations"].append(annotation)
    return documents


def summarize(document):
    """Counts of one COCO object: images, cases, images by label, lesions, lesions by class."""
    labels = Counter(image["image_label"] for image in document["images"])
    classes = Counter(annotation["category_id"] for annotation in document["annotations"])
    return {
        "images": len(document["images"]),
        "cases": len({image["case_id"] for image in document["images"]}),
        "images_by_label": {label: labels[label] for label in (NORMAL, BENIGN, MALIGNANT)},
        "lesions": len(document["annotations"]),
        "lesions_by_class": {category["name"]: classes[category["id"]] for category in document["categories"]},
    }


def place_images(source, target, names, *, mode, progress=iter):
    """Make the images reachable at ``target``: by a link to the folder ``source``, or by copies of ``names``.

    What is already right is left as it is; something else in its place is never overwritten.
    """
    if target.exists() and target.samefile(source):
        return
    if mode == "link":
        _link(source, target, names)
        return
    if target.is_symlink():
        raise OutputError("is a link, not a folder to copy into", where=target, remedy="Remove the link")
    for name in progress(names):
        if not _same_size(source / name, target / name):
            with atomic_path(target / name) as temporary:
                shutil.copyfile(source / name, temporary)


def _link(source, target, names):
    if target.is_symlink() or target.exists():
        if all(_same_size(source / name, target / name) for name in names):
            return
        remedy = "Remove it, choose another --output, or give --images copy to complete it"
        raise OutputError("exists and does not hold the images of the source", where=target, remedy=remedy)
    try:
        os.symlink(source.resolve(), target, target_is_directory=True)
    except OSError as error:
        raise OutputError(f"cannot link: {error.strerror}", where=target, remedy="Give --images copy") from error


def _same_size(first, second):
    return second.is_file() and first.stat().st_size == second.stat().st_size


def _report(source, conversion, split, summaries):
    return {
        "schema_version": 1,
        "source": str(source),
        "listed_in_table": conversion.listed,
        "converted": {"images": len(conversion.images), "lesions": len(conversion.annotations)},
        "images_without_case": conversion.images_without_case,
        "split": {"kind": split.kind, "seed": split.seed, "split_sha256": split.sha256},
        "parts": summaries,
        "left_out_by_kind": kinds_of(conversion.left_out),
        "notes_by_kind": kinds_of(conversion.notes),
        "left_out": [remark._asdict() for remark in conversion.left_out],
        "notes": [remark._asdict() for remark in conversion.notes],
    }
