"""The annotation files of one data set: a single file, or the parts in a folder's ``annotations``.

Not here: comparing parts (``segtumor.datasets.leaks``) and making them (``segtumor.datasets.splits``).
"""

from pathlib import Path

from segtumor.annotations.coco import CocoDataset, load_coco
from segtumor.errors import DataError

#: The part that holds every image, as conversions write it; left aside where other parts divide it.
WHOLE = "all"


def load_parts(
    source: Path | str, image_root: Path | str | None = None, *, check_files: bool = False
) -> dict[str, CocoDataset]:
    """Read one annotation file, or all of a data set's folder.

    Args:
        source: annotation file, or folder with ``annotations/<part>.json``.
        image_root: folder of the images; None takes ``images`` beside the annotations' folder.
        check_files: whether every image must be on disk.

    Returns:
        {part: CocoDataset}, in the order of their names, training first. ``all`` stands alone or not at all.

    Raises:
        DataError: there is nothing, or a file is malformed.
    """
    source = Path(source)
    paths = sorted((source / "annotations").glob("[!.]*.json")) if source.is_dir() else [source]
    if len(paths) > 1:
        paths = [path for path in paths if path.stem != WHOLE]
    if not paths:
        expected = "an annotation file, or a folder with annotations/<part>.json in it"
        raise DataError("no annotation files", where=source, expected=expected, remedy="Try segtumor data convert")
    order = {"train": 0, "val": 1, "test": 2}
    paths.sort(key=lambda path: (order.get(path.stem.rpartition("-")[2], 3), path.stem))
    return {path.stem: load_coco(path, image_root, check_files=check_files, require_masks=False) for path in paths}
