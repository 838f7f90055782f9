"""Lesions to mask images that ``masks`` reads back: a file for each lesion, a black one for a normal image."""

import io
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from segtumor.annotations.coco import CocoDataset
from segtumor.annotations.remarks import LeftOutError, Remark
from segtumor.arrays import Mask, Rle
from segtumor.files import prepare_output_folder, write_bytes, write_text
from segtumor.formats.masks.names import safe_names
from segtumor.progress import Progress
from segtumor.structures.masks import mask_from_rle, rle_area, rle_from_segmentation

_LONGEST_NAME = 255  # bytes, of a file


def write(dataset: CocoDataset, output: Path, *, progress: Progress = iter) -> list[Remark]:
    """Write ``masks/<image>_<class>_<number>.png`` (0 and 255) for each lesion, a black ``masks/<image>.png`` for a
    normal image, and ``classes.txt``; in the images' subfolders.

    Where the names of two images could be confused or a name would be too long, ``<image>/<class>_<number>.png`` and
    ``<image>_mask.png``.

    Returns:
        Remarks on outlines that were cut to pixels, and on images left out because a lesion has no mask.
    """
    output, remarks = prepare_output_folder(output), list[Remark]()
    names = dataset.taxonomy.names
    safe = {name: text for text, name in safe_names(names).items()}
    stems = _Stems(dataset.images, safe.values())
    for image in progress(dataset.images):
        annotations = dataset.annotations_of(image)
        try:
            stem = stems.claim(image["file_name"])
            rles = [_rle_of(annotation, image) for annotation in annotations]
        except LeftOutError as reason:
            remarks.append(reason.remark(image["file_name"]))
            continue
        for number, (annotation, rle) in enumerate(zip(annotations, rles, strict=True), start=1):
            name = safe[dataset.label_of(annotation)]
            target = f"{stem}_{name}_{number}.png"
            if stems.is_confusable(stem) or len(os.fsencode(PurePosixPath(target).name)) > _LONGEST_NAME:
                target = f"{stem}/{name}_{number}.png"
            _write_mask(output / "masks" / target, mask_from_rle(rle))
        if not annotations:
            target = f"{stem}_mask.png" if stems.is_confusable(stem) else f"{stem}.png"
            _write_mask(output / "masks" / target, np.zeros((image["height"], image["width"]), dtype=bool))
        if any(isinstance(annotation.get("segmentation"), list) for annotation in annotations):
            remarks.append(Remark(image["file_name"], "outlines cut to whole pixels"))
    write_text(output / "classes.txt", "".join(f"{value} {name}\n" for value, name in enumerate(names, start=1)))
    return remarks


class _Stems:
    """The images' names without suffix: each once, and which of them a lesion of another could be taken for."""

    def __init__(self, images: Iterable[Mapping[str, Any]], classes: Iterable[str]) -> None:
        names = {PurePosixPath(image["file_name"]).stem for image in images}  # readers look in all folders
        self._confusable: set[str] = set()
        self._claimed: set[str] = set()
        beginnings = tuple(classes)
        for name in names:
            for match in re.finditer("_", name):
                rest = name[match.end() :]
                if name[: match.start()] in names and rest.startswith(beginnings):
                    self._confusable |= {name, name[: match.start()]}

    def claim(self, file_name: str) -> str:
        """The name without suffix; raises LeftOutError if an image before had the same."""
        stem = str(PurePosixPath(file_name).with_suffix(""))
        if stem.casefold() in self._claimed:
            raise LeftOutError("left out: another image differs only in its suffix")
        self._claimed.add(stem.casefold())
        return stem

    def is_confusable(self, stem: str) -> bool:
        return PurePosixPath(stem).name in self._confusable


def _rle_of(annotation: Mapping[str, Any], image: Mapping[str, Any]) -> Rle:
    if not annotation.get("segmentation"):
        raise LeftOutError("left out: a box alone has no mask")
    rle = rle_from_segmentation(annotation["segmentation"], (image["height"], image["width"]))
    if rle_area(rle) == 0:
        raise LeftOutError("left out: an outline smaller than a pixel has no mask")
    return rle


def _write_mask(path: Path, mask: Mask) -> None:
    buffer = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, "PNG", optimize=False)
    write_bytes(path, buffer.getvalue())
