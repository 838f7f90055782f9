"""8-bit PNG copies of radiographs of any format, as every command here sees them, under names that say nothing.

A DICOM file is windowed as the reader windows it (``imaging``), and nothing of its header goes along. What is burnt
into the pixels does. Which copy was made of which file is in a table, which is not to be passed on.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segtumor.errors import BadImageError
from segtumor.files import atomic_path
from segtumor.imaging import MAX_PIXELS, read_radiograph

IMAGES, NAMES = "images", "names.csv"
COLUMNS = (*("file", "source", "width_px", "height_px", "row_mm", "column_mm", "spacing_source", "remarks", "failed"),)


def copy_names(count: int) -> list[str]:
    """000001.png, 000002.png, ...: nothing but a number."""
    return [f"{number:06d}.png" for number in range(1, count + 1)]


def write_png_copies(
    paths: Sequence[Path], output: str | Path, *, max_pixels: int = MAX_PIXELS
) -> Iterator[dict[str, Any]]:
    """Write ``output/images/000001.png``, ...; one after the other, as the rows are taken.

    Yields:
        a row of ``names.csv`` for each path, by ``COLUMNS``; of a file that cannot be read with the reason and no copy.

    Raises:
        OutputError: a copy cannot be written.
    """
    for path, name in zip(paths, copy_names(len(paths)), strict=True):
        row: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {"source": str(path)}
        try:
            radiograph = read_radiograph(path, max_pixels=max_pixels, log=False)
        except BadImageError as error:
            yield row | {"failed": str(error)}
            continue
        pixels = np.rint(radiograph.pixels * 255).astype(np.uint8)
        with atomic_path(Path(output) / IMAGES / name) as temporary:
            Image.fromarray(pixels).save(temporary, format="PNG")
        row_mm, column_mm = radiograph.spacing_mm or ("", "")
        yield row | {
            "file": name,
            "width_px": pixels.shape[1],
            "height_px": pixels.shape[0],
            "row_mm": row_mm,
            "column_mm": column_mm,
            "spacing_source": radiograph.spacing_source or "",
            "remarks": "; ".join(radiograph.remarks),
        }


def renamed(document: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """A COCO document with these file names for its images, in their order."""
    images = [{**image, "file_name": name} for image, name in zip(document["images"], names, strict=True)]
    return {**document, "images": images}
