"""The table of annotation formats: what a format is, which there are, and which one a file or folder is in.

A new format is a module or a package of this folder that offers what ``AnnotationFormat`` lists and, to be written as
well, what ``WritableFormat`` adds; one line in ``FORMATS``; an example in ``datasets/examples`` that the tests convert.
Formats are imported only when needed.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from segtumor.errors import ConfigError, DataError

if TYPE_CHECKING:  # this table is read for every --help, and formats need numpy
    from segtumor.annotations.coco import CocoDataset
    from segtumor.annotations.remarks import Remark
    from segtumor.formats import (
        class_folders,
        coco,
        csv_boxes,
        cvat,
        label_studio,
        labelme,
        masks,
        predictions,
        via,
        voc,
        yolo,
    )
    from segtumor.formats.collection import Collection, Unlisted
    from segtumor.formats.sources.image_folder import ImageFolder
    from segtumor.progress import Progress


class AnnotationFormat(Protocol):
    """What the module of a format offers."""

    @property
    def UNLISTED(self) -> "Unlisted":  # noqa: N802 - a constant of a module
        """What an image without any annotation is taken for: NORMAL or NOT_ANNOTATED of ``collection``."""

    def recognises(self, source: Path, /) -> bool:
        """Whether a file or folder is in this format, by its first files; cheap, and never raises."""

    # A format whose images lie elsewhere than ``usual_image_root`` says offers ``image_root(source)`` as well.

    def read(self, source: Path, images: "ImageFolder", *, progress: "Progress" = iter) -> "Collection":
        """Read a file or folder.

        Args:
            source: file or folder.
            images: where the images that it names are looked for.
            progress: wraps what takes long.

        Returns:
            Images with labelled regions; what could not be used is in ``left_out``, by image.

        Raises:
            DataError: nothing of it can be used.
        """


class WritableFormat(AnnotationFormat, Protocol):
    """What the module of a format offers that can be written, too."""

    @property
    def KEEPS_CROWDS(self) -> bool:  # noqa: N802 - a constant of a module
        """Whether ``write`` keeps ``iscrowd``; where not, its loss is reported for the format."""

    def write(self, dataset: "CocoDataset", output: Path, *, progress: "Progress" = iter) -> list["Remark"]:
        """Write a data set into a folder, made if needed.

        Returns:
            Remarks on what the format cannot hold, by image.

        Raises:
            OutputError: a file cannot be written.
        """


#: Name of a format -> its module; in the order in which they are tried, the most telling first.
FORMATS: Mapping[str, str] = {
    "coco": "coco",
    "label-studio": "label_studio",
    "labelme": "labelme",
    "cvat": "cvat",
    "via": "via",
    "voc": "voc",
    "yolo": "yolo",
    "csv": "csv_boxes",
    "masks": "masks",
    "class-folders": "class_folders",
    "predictions": "predictions",
}
#: Those that can be written: predictions come from a model, class folders hold no outlines, nobody has asked for VIA.
WRITABLE = tuple(name for name in FORMATS if name not in ("predictions", "class-folders", "via"))

if TYPE_CHECKING:  # holds every module to its protocol
    _READABLE: tuple[AnnotationFormat, ...] = (class_folders, predictions, via)
    _WRITABLE: tuple[WritableFormat, ...] = (coco, csv_boxes, cvat, label_studio, labelme, masks, voc, yolo)


def load_format(name: str) -> AnnotationFormat:
    """Module of a format; raises ConfigError if there is none of that name."""
    if name not in FORMATS:
        raise ConfigError("unknown format", where="--from / --to", got=name, expected=", ".join(FORMATS))
    module = importlib.import_module(f"segtumor.formats.{FORMATS[name]}")
    return cast(AnnotationFormat, module)  # mypy sees a module of unknown content; _READABLE and _WRITABLE check them


def load_writable_format(name: str) -> WritableFormat:
    """Module of a format of WRITABLE; raises ConfigError for any other name."""
    if name not in WRITABLE:
        raise ConfigError("format that cannot be written", where="--to", got=name, expected=", ".join(WRITABLE))
    return cast(WritableFormat, load_format(name))  # as above


def detect_format(source: str | Path) -> str:
    """Name of the format that a file or folder is in; raises DataError if none fits, or several do."""
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
