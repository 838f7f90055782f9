"""What is predicted in a benchmark: a folder's radiographs, or phantoms, and one image without anything on it."""

import itertools

import numpy as np

from segtumor.errors import DataError
from segtumor.imaging import Radiograph, list_images, read_radiograph
from segtumor.synthesis.phantoms import make_phantoms

_SEED = 0


def benchmark_images(folder, *, count, size_px):
    """``count`` radiographs.

    Args:
        folder: with image files, the first of which are taken, evenly over the folder; None for phantoms.
        count: from 1; of phantoms, the last is blank if there is more than one.
        size_px: of phantoms.

    Returns:
        (list of Radiograph, a sentence that says what they are).

    Raises:
        DataError: a folder without images.
    """
    if folder is None:
        radiographs = [*phantom_radiographs(max(1, count - 1), size_px), blank_radiograph(size_px)]
        return radiographs[:count], f"{count} synthetic ones (phantoms) of {size_px} px, the last of several is blank"
    paths = list_images(folder)
    if not paths:
        raise DataError("folder without images", where=folder, remedy="Check --images")
    chosen = [paths[i * len(paths) // min(count, len(paths))] for i in range(min(count, len(paths)))]
    return [read_radiograph(path) for path in chosen], f"{len(chosen)} of the {len(paths)} images of the folder"


def phantom_radiographs(count, size_px):
    """Synthetic radiographs, the same every time; both views of a case count."""
    cases = make_phantoms((count + 1) // 2, _SEED, size_px=size_px)
    views = itertools.chain.from_iterable(case.views for case in cases)
    return [
        Radiograph(view.pixels.astype(np.float32) / 255, None, None, f"phantom{number}", "uint8")
        for number, view in enumerate(itertools.islice(views, count))
    ]


def blank_radiograph(size_px):
    """A square image of one gray value."""
    return Radiograph(np.full((size_px, size_px), 0.5, dtype=np.float32), None, None, "blank", "float32")
