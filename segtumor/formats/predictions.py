"""Findings of a model as annotations to correct: segtumor's predictions.json, read only.

Findings below the threshold of the run (from ``summary.json`` beside the file, else 0.5) are left out and counted;
the others keep their score as ``description``, not as ``score``: what is corrected is truth. What failed is left out.
Not supported: COCO results lists, which name neither images nor classes.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from segtumor import runs
from segtumor.annotations.json_input import parse_json, read_bytes
from segtumor.annotations.predictions.document import read_objects
from segtumor.annotations.predictions.images import is_id, own_id
from segtumor.annotations.predictions.items import finding_of
from segtumor.annotations.remarks import LeftOutError, Remark, remark_if_any
from segtumor.errors import DataError
from segtumor.formats.collection import NOT_ANNOTATED, Collection, Region, SourceImage
from segtumor.formats.sources.files import head_of
from segtumor.formats.sources.image_folder import ImageFolder
from segtumor.progress import Progress
from segtumor.structures.lesions import Finding
from segtumor.structures.outcomes import STATUS_OK

#: What was not predicted was not looked at.
UNLISTED = NOT_ANNOTATED

_USUAL_THRESHOLD = 0.5
_LISTS_PREDICTED_IMAGES = re.compile(rb'"images"\s*:\s*\[\s*\{\s*"image_id"')


def recognises(source: Path) -> bool:
    """Whether it is a predictions.json, or the folder of one."""
    return bool(_LISTS_PREDICTED_IMAGES.search(head_of(_file_of(source))))


def read(source: Path, images: ImageFolder, *, progress: Progress = iter) -> Collection:
    """Read a predictions.json, or that of a folder of infer; ``labels`` are its categories in the order of ids."""
    path = _file_of(source)
    listed, items, names = read_objects(path)
    threshold, collection = _threshold(path), Collection(images.root, labels=tuple(names.values()))
    items_of: dict[Any, list[Any]] = {own_id(image): [] for image in listed if is_id(own_id(image))}
    if len(items_of) < len(listed):
        raise DataError("images without an id, or two of one id", where=path)
    for index, item in enumerate(items):
        image_id = item.get("image_id")
        if not is_id(image_id) or image_id not in items_of:
            raise DataError(
                "a finding of no listed image", where=f"{path}: annotations[{index}]", got=f"{image_id!r:.60}"
            )
        items_of[image_id].append(item)
    for image in progress(listed):
        name = str(image.get("file_name"))
        try:
            collection.images.append(_image(image, items_of[own_id(image)], names, threshold, images, collection))
        except LeftOutError as reason:
            collection.left_out.append(reason.remark(name))
    return collection


def _file_of(source: Path) -> Path:
    return source / runs.PREDICTIONS if source.is_dir() else source


def _threshold(path: Path) -> float:
    """The score from which infer showed findings."""
    try:
        threshold = parse_json(read_bytes(path.parent / runs.SUMMARY), path)["settings"]["confidence_threshold"]
    except (DataError, KeyError, TypeError):
        return _USUAL_THRESHOLD
    return threshold if isinstance(threshold, (int, float)) else _USUAL_THRESHOLD


def _image(
    image: Mapping[str, Any],
    items: Iterable[Mapping[str, Any]],
    names: Mapping[int, str],
    threshold: float,
    images: ImageFolder,
    collection: Collection,
) -> SourceImage:
    if image.get("status", STATUS_OK) != STATUS_OK:
        raise LeftOutError("not predicted", str(image["status"]))
    found = images.find(str(image.get("file_name")))
    name, size_hw = found.file_name, images.size_hw(found.file_name)
    collection.notes += remark_if_any(name, found.unusual, str(image.get("file_name")))
    predicted_hw = (image.get("height"), image.get("width"))
    if predicted_hw != size_hw:
        raise LeftOutError("predicted at another size than the image has", f"{predicted_hw}, {size_hw}")
    classes, labels = {category_id: index for index, category_id in enumerate(names)}, tuple(names.values())
    try:
        findings = [finding_of(item, size_hw, classes, labels) for item in items]
    except DataError as error:
        raise LeftOutError("a finding cannot be read", str(error)) from error
    shown = [finding for finding in findings if finding.score >= threshold]
    if len(shown) < len(findings):
        kind = f"findings with a score below {threshold:.2f} left out"
        collection.notes.append(Remark(name, kind, str(len(findings) - len(shown))))
    placed = [finding for finding in shown if finding.is_placed]
    if len(placed) < len(shown):
        collection.notes.append(Remark(name, "findings without a place left out", str(len(shown) - len(placed))))
    return SourceImage(name, size_hw, tuple(_region(finding, labels) for finding in placed))


def _region(finding: Finding, labels: tuple[str, ...]) -> Region:
    x0, y0, x1, y1 = finding.box_xyxy
    return Region(
        labels[finding.class_id],
        finding.rle,
        None if finding.rle is not None else (x0, y0, x1 - x0, y1 - y0),
        {"description": f"predicted, score {finding.score:.2f}"},
    )
