"""The table of annotation formats, and which one a folder or file is in.

Every module named here has ``SUMMARY``, ``UNLISTED`` (what an image without annotation means), ``recognises(source)``,
``read(source, images, *, progress)`` and, if ``WRITABLE``, ``write(dataset, output, *, progress)``. They are imported
only when needed.
"""

import importlib
from pathlib import Path

from segtumor.errors import ConfigError, DataError

#: Name of a format -> its module; in the order in which they are tried, the most telling first.
FORMATS = {
    "coco": "coco",
    "label-studio": "label_studio.reader",
    "labelme": "labelme.reader",
    "cvat": "cvat.reader",
    "via": "via",
    "voc": "voc",
    "yolo": "yolo.reader",
    "csv": "csv_boxes.reader",
    "masks": "masks.reader",
    "predictions": "predictions",
}
#: Those that can be written: predictions are what a model makes, and nobody has asked for VIA.
WRITABLE = tuple(name for name in FORMATS if name not in ("predictions", "via"))


def load_format(name):
    """Module of a format; raises ConfigError if there is none of that name."""
    if name not in FORMATS:
        raise ConfigError("unknown format", where="--from / --to", got=name, expected=", ".join(FORMATS))
    return importlib.import_module(f"segtumor.formats.{FORMATS[name]}")


def detect_format(source):
    """Name of the format that a file or folder is in.

    Raises:
        DataError: there is nothing there, no format fits, or several do.
    """
    source = Path(source)
    if not source.exists():
        raise DataError("there is no such file or folder", where=source, remedy="Check --source")
    if not (source.is_file() or source.is_dir()):
        raise DataError("is not an ordinary file", where=source, remedy="Check --source")
    fitting = [name for name in FORMATS if load_format(name).recognises(source)]
    if len(fitting) == 1:
        return fitting[0]
    remedy = "Name the format with --from"
    if fitting:
        what = f"could be in several formats: {', '.join(fitting)}"
        raise DataError(what, where=source, expected=", ".join(FORMATS), remedy=remedy)
    from segtumor.formats.unrecognised import reasons  # it imports what reads every format

    odd = "; ".join(reasons(source)) or None
    raise DataError(
        "is in none of the known formats", where=source, got=odd, expected=", ".join(FORMATS), remedy=remedy
    )
