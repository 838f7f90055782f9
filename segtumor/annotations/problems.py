"""What can be wrong with an annotation file: every kind of problem, its words, and what to do about it.

Not here: finding them (``validation``, ``plausibility``, ``segmentations``, ``file_names``,
``segtumor.datasets.image_checks``), and repairing them (``repair``).
"""

import reprlib
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from segtumor.annotations.regions import BOXES_AS_MASKS, CROWDS_AS_LESIONS

#: An error keeps a file from being used; a warning is reported; the file is still used.
ERROR, WARNING = "error", "warning"
#: pycocotools walks along each edge in steps of 0.2 px, in memory.
LONGEST_OUTLINE_PX = 5_000_000

_FIX = "--fix does it"
_CROWDS = f"if each was drawn as one lesion, with a brush: {CROWDS_AS_LESIONS}, with --fix or in data convert"
_REDRAW = "draw the outline again; --fix leaves the image out"
_REDRAW_ONE = f"{_REDRAW}, unless the lesion has other sound polygons"
_ENCODE = "encode the mask again"
_TIGHT_BOX = f"make bbox [x, y, width, height] of the outline; {_FIX}"
_RENAME = "rename the file"
_LOOK = "look at both: if they are one picture, remove one or keep both in one part of the split"
_LONGEST = 60

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = _LONGEST
_SHORT.maxlist = _SHORT.maxdict = 8


class ProblemKind(Enum):
    """A kind of problem: what is wrong, the same words each time but for a {limit} or {reason}; and its remedy.

    The remedy is empty where it depends on the field (``_REMEDY_OF_FIELD``).
    """

    def __init__(self, words: str, remedy: str = "") -> None:
        self.words, self.remedy = words, remedy

    # The file, its lists and entries.
    NO_COCO = (
        "is not a JSON object with images, annotations and categories",
        "give a COCO file; `segtumor data convert` makes one from other formats",
    )
    NO_OBJECT = "is not a JSON object", "remove the entry"
    NO_LIST = "is not a list of entries", "make it a list of entries"
    EMPTY = "is empty", "if it is a part of a split, split again, with more cases or fewer parts"
    MISSING = ("is missing",)
    MISSING_EVERYWHERE = ("is missing in every image",)
    KEY_TWICE = "is a duplicate key", "remove one of the two; JSON readers silently keep the last"
    TWICE = ("is used twice",)
    NO_INTEGER = ("is not an integer",)
    ID_TOO_LARGE = ("is beyond 2^53",)
    NO_SUCH_ID = "is not the id of any entry", "add the missing entry, or correct the id"
    UNUSED = "is used by no annotation", "remove it, unless other parts of the data set use it"
    NO_NAME = ("is not a name",)

    # Further fields.
    NESTED_TOO_DEEPLY = "is nested too deeply", "flatten or remove it"
    NOT_UNICODE = "holds text that is not Unicode", "write the file as UTF-8 again"
    NOT_FINITE = "holds a number that is not finite", "write null for unknown; --fix does it"
    NUMBER_TOO_LARGE = "holds a number that is too large", "write it as text"

    # Names of image files.
    NO_FILE_NAME = "is not a file name", "name an image file below the image root"
    ABSOLUTE = "is absolute; names are relative to the image root", "write the name relative to the image root"
    BACKSLASH = "has a backslash; separate folders by /", f"write / for \\; {_FIX} where that file exists"
    LEAVES_ROOT = "leaves the image root", "move the image into the image root; remove .. from the name"
    CONTROL_CHARACTER = "has a control character", _RENAME
    DEVICE_NAME = "is a device name on Windows", "rename the file; Windows cannot open it"
    ENDS_IN_DOT = "has a part that ends in a dot or blank", "rename the file; Windows drops such endings"
    TOO_LONG = "is too long", _RENAME
    DIFFERS_IN_CAPITALS = (
        "differs from another only in upper and lower case",
        "rename one; on Windows and macOS they are one file",
    )

    # Image files.
    NO_FOLDER = ("is not a folder",)
    NOT_FOUND = (
        "cannot be found below the image root ({reason})",
        "give the right folder with --images, or remove the entry",
    )
    LINK_LEAVES_ROOT = "is a link that leaves the image root", "copy the image into the image root"
    NO_FILE = "is not a file", "name an image file below the image root"
    DOES_NOT_OPEN = "does not open", "copy or export the image again, or remove its entry"
    OTHER_SIZE = (
        "is not the size of the file",
        "--fix scales the outlines to the file where both have the same shape, and leaves the image out where not",
    )
    TURNED = (
        "is not the size of the file",
        "width and height are exchanged: the file is stored turned (EXIF orientation); outlines must fit it upright",
    )
    SAME_PICTURE_OTHER_LABEL = (
        "is the same picture as another, with another label",
        "find out which label is right",
    )
    SAME_PICTURE = (
        "is the same picture as another",
        "remove one of the two, or keep both in one part of the split",
    )
    NEARLY_SAME_PICTURE = "shows nearly the same picture as another", _LOOK
    MIRRORED_PICTURE = "shows the mirrored picture of another", _LOOK
    INVERTED_PICTURE = "shows the inverted picture of another", _LOOK
    #: Of a file whose own name says who it shows; its name is then not repeated anywhere.
    NAMES_THE_PATIENT = "holds the name or number of the patient", "rename the file; names end up in every output"

    # Image entries.
    NO_LENGTH = ("is not a whole number from 1 to {limit:,}",)
    TOO_MANY_PIXELS = "image has more than 2^30 px", "annotate and look at smaller images"
    TOO_MANY_REGIONS = (
        "image has more than {limit:,} regions",
        "these are no lesions: remove noise from the masks, or the image",
    )
    NO_CASE = ("is neither text nor a number",)
    NO_SPACING = ("is not [row, column] of two positive numbers",)
    LABEL_BUT_NO_LESION = (
        "contradicts the annotations, of which it has none",
        "correct the label, or add or remove the lesions",
    )
    NORMAL_BUT_LESIONS = (
        "contradicts the annotations, of which it has some",
        "correct the label, or add or remove the lesions",
    )
    OTHER_LABEL = ("is none of normal, benign, intermediate, malignant and the classes",)

    # Boxes and flags of annotations.
    NO_BOX = ("is not [x, y, width, height]",)
    NO_NUMBERS = ("holds something that is not a finite number",)
    NO_EXTENT = ("has no extent",)
    BOX_OUTSIDE = ("is wholly outside the image",)
    CORNERS = (
        "is [x0, y0, x1, y1] of the outline, not [x, y, width, height]",
        f"write [x, y, width, height]; {_FIX}",
    )
    NO_FLAG = ("is neither 0 nor 1",)
    NO_AREA = ("is not a finite number of square pixels",)
    BOX_ALONE = (
        "is missing; boxes alone are accepted only when asked for",
        f"outline the lesions, or make each box its own outline with {BOXES_AS_MASKS} (data convert, or --fix); "
        "--boxes-only accepts them here, training does not",
    )

    # Outlines.
    NOT_NESTED = (
        "is not a list of polygons [[x0, y0, x1, y1, ...], ...]",
        f"{_FIX}; one polygon is a list in the list",
    )
    NO_OUTLINE = "segmentation is neither polygons nor an RLE", "give polygons or an RLE"
    POLYGON_NO_LIST = "polygon is not a list [x0, y0, x1, y1, ...]", _REDRAW_ONE
    POLYGON_NO_NUMBERS = "polygon holds something that is not a finite number", _REDRAW_ONE
    POLYGON_ODD = "polygon has an odd number of coordinates", _REDRAW_ONE
    POLYGON_TOO_SHORT = "polygon has fewer than three points", _REDRAW_ONE
    POLYGON_FLAT = "polygon has no area", _REDRAW_ONE
    POLYGON_OUTSIDE = "polygon is wholly outside the image", _REDRAW_ONE
    POLYGON_APART = "polygon does not touch its bbox (bbox is [x, y, width, height])", _TIGHT_BOX
    POLYGON_TOO_LONG = f"polygon is longer than {LONGEST_OUTLINE_PX:,} px", _REDRAW_ONE
    RLE_NO_SIZE = "RLE has no size [height, width]", _ENCODE
    RLE_OTHER_SIZE = "RLE is of another image size", "encode the mask at the image's own size"
    RLE_UNREADABLE = "RLE counts cannot be read", _ENCODE
    RLE_WRONG_SUM = "RLE counts do not add up to the image", _ENCODE
    RLE_EMPTY = "RLE marks no pixel", _ENCODE
    RLE_APART = "RLE does not touch its bbox (bbox is [x, y, width, height])", _TIGHT_BOX

    # What is merely odd.
    OVER_BORDER = "reaches over the border of the image", f"nothing: it is cut at use; {_FIX} in the file"
    LOOSE_BOX = "does not bound its segmentation", f"take the tight box of the outline; {_FIX}"
    OTHER_AREA = "disagrees with the mask", f"take the mask's area; {_FIX}"
    TWIN = (
        "is nearly the same lesion as another of its class and image",
        "remove one of the two if the lesion was annotated twice",
    )
    TINY = "is smaller than one pixel", "train at a larger size, or accept that it cannot be learnt"
    TINY_IN_TRAINING = (
        "is smaller than one pixel at the training size",
        "train at a larger size, or accept that it cannot be learnt",
    )
    SMALL_IN_TRAINING = "lesions are smaller than 4 px at the training size", "consider a larger training size"
    CROWDS = "holds crowd regions, neither trained on nor counted as lesions", _CROWDS
    CROWDS_ONLY = "holds crowd regions only, neither trained on nor counted as lesions", _CROWDS
    #: A warning of ``validation``; ``segtumor data check`` and training take it for an error.
    ALL_CROWDS = "all regions are crowds, so that there is no lesion", _CROWDS
    ONE_CASE = (
        "is the same in every image",
        "give each patient a case of their own, with --table or --cases; else nothing can be split",
    )
    MOSTLY_ONE_CASE = (
        "is the same in most images",
        "make sure that it is one patient and no placeholder; all of them go to one part",
    )
    PLACEHOLDER = (
        "is a placeholder and names no patient",
        "name the patient or study, or remove it; all of these images go to one part",
    )
    CASES_ALIKE = (
        "cases differ only in capitals, separators or leading zeros",
        "write one case in one way; as they are, it may be in two parts",
    )
    IMBALANCED = (
        "classes are imbalanced beyond 1:{limit}",
        "consider repeat-factor sampling or class weights",
    )
    MOSTLY_NORMAL = (
        "most images are normal",
        "consider sampling; rates per image will be those of this mixture",
    )


_REMEDY_OF_FIELD = {
    "id": "give every entry an integer of its own; --fix does it, and annotations follow",
    "image_id": "give the id of the image, an integer; --fix reads '12' as 12",
    "category_id": "give the id of the category, an integer; --fix reads '12' as 12",
    "bbox": f"give [x, y, width, height] of the outline; {_FIX}",
    "area": f"give the mask's area in px; {_FIX}",
    "iscrowd": "write 0, or 1 for a group; --fix adds a missing 0",
    "segmentation": _REDRAW,
    "file_name": "give each image a file name of its own, relative to the image root",
    "width": "give the image file's width in px; --fix with --images does it",
    "height": "give the image file's height in px; --fix with --images does it",
    "name": "give each category a name of its own",
    "image_label": "write normal, benign, intermediate, malignant or a class of the file",
    "case_id": "say which patient or study the image is of; without it no split by case is possible",
    "spacing_mm": "write [row, column] in mm, or null where unknown; --fix writes null",
    "images": "add the list of images",
    "annotations": "add the list of annotations; an empty one if all images are normal",
    "categories": "add the list of categories",
}


class Problem(NamedTuple):
    """One thing wrong with an annotation file or one of its images.

    Attributes:
        where: list, position and id, e.g. ``annotations[3] (id 17)``, or the image's file name.
        remedy: what to do about it; empty where the words above say it.
        kind: what it is, for programs.
    """

    where: str
    field: str
    what: str
    got: str
    severity: str
    remedy: str
    kind: ProblemKind

    def __str__(self) -> str:
        return f"{self.where} {self.field}: {self.what}" + (f", got {self.got}" if self.got else "")

    def as_json(self) -> dict[str, str]:
        """Its values for a report, without the kind, which the words name."""
        return {key: value for key, value in self._asdict().items() if key != "kind"}


def error(where: str, field: str, kind: ProblemKind, got: str = "", **words: Any) -> Problem:
    """A Problem that keeps the file from being used; ``words``: values for the {limit} or {reason} of the kind."""
    return Problem(where, field, _what(kind, words), got, ERROR, _remedy_of(field, kind), kind)


def warning(where: str, field: str, kind: ProblemKind, got: str = "", **words: Any) -> Problem:
    """A Problem that is reported while the file is used; ``words`` as in ``error``."""
    return Problem(where, field, _what(kind, words), got, WARNING, _remedy_of(field, kind), kind)


def _what(kind: ProblemKind, words: Mapping[str, Any]) -> str:
    return kind.words.format(**words) if words else kind.words


def _remedy_of(field: str, kind: ProblemKind) -> str:
    return kind.remedy or _REMEDY_OF_FIELD.get(field, "")


def show(value: Any) -> str:
    """A value as text short enough for a message; values nested without end are no danger."""
    try:
        text = _SHORT.repr(value)
    except ValueError:  # an integer of more digits than Python writes
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def place(name: str, index: int, entry: Mapping[str, Any]) -> str:
    """Where an entry is: ``annotations[3] (id 17)``."""
    return f"{name}[{index}] (id {show(entry.get('id'))})"


def value_at(entry: Mapping[str, Any], key: str) -> str:
    """The value of ``key`` as ``show`` has it; empty if the entry has no such key."""
    return show(entry[key]) if key in entry else ""
