"""Image entries: what can only mean one thing is put right. Not here: width and height (``sizes``), leaving images
out (``omission``)."""

import math
import os
from pathlib import Path
from typing import Any

from segtumor.annotations.file_names import file_name_fault
from segtumor.annotations.repair.ledger import Ledger
from segtumor.annotations.repair.numbering import as_id
from segtumor.annotations.segmentations import is_number


def repair_image(image: dict[str, Any], where: str, image_root: Path | str | None, ledger: Ledger) -> None:
    """Put one entry right, in place: file name, size and spacing, numbers that are not finite."""
    name = image.get("file_name")
    if image_root is not None and isinstance(name, str):
        _repair_name(image, name, where, Path(image_root), ledger)
    for key in ("width", "height"):
        value = as_id(image.get(key))
        if value is not None and type(image[key]) is not int:
            ledger.set(image, where, key, "read as an integer", value)
    if "spacing_mm" in image and not _is_spacing(image["spacing_mm"]):
        ledger.set(image, where, "spacing_mm", "made null: it was no spacing", None)
        if image.get("spacing_source") is not None:
            ledger.set(image, where, "spacing_source", "made null: there is no spacing", None)
    for key, value in image.items():
        if type(value) is float and not math.isfinite(value) and key not in ("id", "width", "height"):
            ledger.set(image, where, key, "made null: not a finite number", None)


def _repair_name(image: dict[str, Any], name: str, where: str, root: Path, ledger: Ledger) -> None:
    """Backslashes, and folders down to the image root's own, are taken off if the file is there and no other fits."""
    if _is_there(name, root):
        return
    parts = name.replace("\\", "/").split("/")
    below = ["/".join(parts[i + 1 :]) for i, part in enumerate(parts) if part == root.resolve().name]
    found = [better for better in ("/".join(parts), *below) if _is_there(better, root)]
    if len(found) == 1:
        what = "backslashes written as /" if found[0] == "/".join(parts) else "made relative to the image root"
        ledger.set(image, where, "file_name", what, found[0])


def _is_there(name: str, root: Path) -> bool:
    return file_name_fault(name) is None and os.path.isfile(root / name)


def _is_spacing(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, list) and len(value) == 2 and all(is_number(n) and n > 1e-6 for n in value)
