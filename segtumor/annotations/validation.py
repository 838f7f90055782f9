"""What is wrong with a COCO annotation file: every problem at once, with its file position, id and field.

Detectron2 loads most malformed files in silence, or fails late in a worker; here nothing is loaded until a file is
sound. Linear in the size of the file. Errors keep a file from being used; warnings are reported. The parts: names of
files (``file_names``), outlines (``segmentations``), what is merely odd (``plausibility``), words and remedies
(``problems``). Not here: opening the images (``segtumor.datasets.image_checks``), repairing a file (``repair``).
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor.annotations.attributes import TOLERATED, attribute_faults, is_unicode, label_of
from segtumor.annotations.file_names import check_files, check_names
from segtumor.annotations.plausibility import Measured, dataset_warnings, lesion_warnings
from segtumor.annotations.problems import ERROR, Problem, ProblemKind, error, place, show, value_at, warning
from segtumor.annotations.regions import has_outline
from segtumor.annotations.segmentations import Segmented, check_outlines, is_number
from segtumor.taxonomy import ENTITIES, NORMAL

LISTS = ("images", "annotations", "categories")
#: Ids beyond it are changed by every reader that takes numbers for float64.
LARGEST_ID = 2**53
#: Each region becomes a mask of the image's size in training and evaluation; no radiograph has nearly as many.
MOST_REGIONS = 10_000
LONGEST_EDGE_PX, MOST_PIXELS = 1_000_000, 2**30

_IMAGE_FIELDS = {"id", "file_name", "width", "height", "spacing_mm"}
_ANNOTATION_FIELDS = {"id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd"}
_CATEGORY_FIELDS = {"id", "name"}

Entry = Mapping[str, Any]
#: (position, entry) pairs of one list.
Entries = Sequence[tuple[int, Entry]]
#: (height, width) by image id; None where they are wrong.
_Sizes = dict[int, tuple[int, int] | None]
#: (field, what is wrong with it).
_Faults = list[tuple[str, ProblemKind]]


def find_problems(
    coco: Any,
    *,
    require_masks: bool = True,
    image_root: Path | str | None = None,
    with_warnings: bool = True,
    short_edge_px: float | None = None,
    max_long_edge_px: float | None = None,
) -> list[Problem]:
    """Everything that keeps a COCO object from being used, and what is odd about it.

    Args:
        coco: the parsed JSON; not modified.
        require_masks: whether an annotation without a segmentation is a problem.
        image_root: folder of the images, to check that each is there and inside it; None checks no files.
        short_edge_px, max_long_edge_px: training size, to warn of lesions that it makes too small; None takes the
            images as they are.

    Returns:
        list of Problem: errors and warnings of single entries in the order images, categories, annotations, then
        warnings about lesions and about the file as a whole; empty for a sound file.
    """
    if not isinstance(coco, dict):
        return [error("file", "(top)", ProblemKind.NO_COCO, show(coco))]
    found: list[Problem] = []
    entries: dict[str, Entries] = {}
    for name in LISTS:
        entries[name] = _dicts(name, _listed(coco, name, found), found)
    found.extend(_attribute_problems(coco, LISTS))
    image_sizes = _check_images(entries["images"], found)
    if image_root is not None:
        check_files(entries["images"], image_root, found)
    category_ids = _check_categories(entries["categories"], found)
    sound = _check_annotations(entries["annotations"], image_sizes, category_ids, require_masks, found)
    _check_numbers(entries["images"], entries["annotations"], found)
    _check_labels(entries["images"], entries["annotations"], found)
    if not with_warnings:
        return [problem for problem in found if problem.severity == ERROR]
    found += lesion_warnings(sound, short_edge_px=short_edge_px, max_long_edge_px=max_long_edge_px)
    return found + dataset_warnings(entries["images"], entries["annotations"], entries["categories"])


def _listed(coco: Entry, name: str, found: list[Problem]) -> Sequence[Any]:
    value = coco.get(name)
    if not isinstance(value, list):
        kind = ProblemKind.MISSING if name not in coco else ProblemKind.NO_LIST
        found.append(error("file", name, kind, value_at(coco, name)))
        return []
    if not value and name != "annotations":  # a set of normal images only has none, rightly
        found.append(error("file", name, ProblemKind.EMPTY))
    return value


def _dicts(name: str, values: Sequence[Any], found: list[Problem]) -> Entries:
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            found.append(error(f"{name}[{index}]", "(entry)", ProblemKind.NO_OBJECT, show(value)))
    return [(index, value) for index, value in enumerate(values) if isinstance(value, dict)]


def _attribute_problems(
    entry: Entry, checked: Collection[str], name: str | None = None, index: int = 0
) -> Iterator[Problem]:
    for key, kind in attribute_faults(entry, checked):
        make = warning if kind in TOLERATED else error
        yield make(place(name, index, entry) if name else "file", show(key)[1:-1], kind, show(entry[key]))


def _check_id(name: str, index: int, entry: Entry, seen: dict[int, Any], found: list[Problem]) -> None:
    """Adds the id to ``seen``; reports one that is missing, no integer or taken."""
    value, kind = entry.get("id"), None
    if type(value) is not int:
        kind = ProblemKind.MISSING if "id" not in entry else ProblemKind.NO_INTEGER
    elif not -LARGEST_ID <= value <= LARGEST_ID:
        kind = ProblemKind.ID_TOO_LARGE
    elif value in seen:
        kind = ProblemKind.TWICE
    else:
        seen[value] = None
    if kind is not None:
        found.append(error(place(name, index, entry), "id", kind, value_at(entry, "id")))


def _check_images(images: Entries, found: list[Problem]) -> _Sizes:
    sizes: _Sizes = {}
    for index, image in images:
        _check_id("images", index, image, sizes, found)
        size_hw = _check_size(index, image, found)
        _check_meaning(index, image, found)
        if type(image.get("id")) is int:
            sizes[image["id"]] = size_hw
        found.extend(_attribute_problems(image, _IMAGE_FIELDS, "images", index))
    check_names(images, found)
    return sizes


def _check_size(index: int, image: Entry, found: list[Problem]) -> tuple[int, int] | None:
    """(height, width), or None where they are wrong."""
    height, width = image.get("height"), image.get("width")
    wrong = [key for key in ("height", "width") if not _is_length(image.get(key))]
    for key in wrong:
        kind = ProblemKind.NO_LENGTH if key in image else ProblemKind.MISSING
        found.append(error(place("images", index, image), key, kind, value_at(image, key), limit=LONGEST_EDGE_PX))
    if wrong or height is None or width is None:
        return None
    if height * width > MOST_PIXELS:
        got = f"{(height, width)}"
        found.append(error(place("images", index, image), "width", ProblemKind.TOO_MANY_PIXELS, got))
        return None
    return height, width


def _is_length(value: Any) -> bool:
    return type(value) is int and 0 < value <= LONGEST_EDGE_PX


def _check_meaning(index: int, image: Entry, found: list[Problem]) -> None:
    """What splits and measurements rely on: the case, and the size of a pixel."""
    case_id, spacing = image.get("case_id"), image.get("spacing_mm")
    if case_id is not None and type(case_id) not in (str, int, float):
        found.append(error(place("images", index, image), "case_id", ProblemKind.NO_CASE, show(case_id)))
    if spacing is None:
        return
    sound = isinstance(spacing, list) and len(spacing) == 2 and all(is_number(n) and n > 1e-6 for n in spacing)
    if not sound:
        found.append(error(place("images", index, image), "spacing_mm", ProblemKind.NO_SPACING, show(spacing)))


def _check_numbers(images: Entries, annotations: Entries, found: list[Problem]) -> None:
    counts = Counter(a["image_id"] for _, a in annotations if type(a.get("image_id")) is int)
    for index, image in images:
        n = counts[image["id"]] if type(image.get("id")) is int else 0
        if n > MOST_REGIONS:
            kind, where = ProblemKind.TOO_MANY_REGIONS, place("images", index, image)
            found.append(error(where, "annotations", kind, f"{n:,}", limit=MOST_REGIONS))


def _check_labels(images: Entries, annotations: Entries, found: list[Problem]) -> None:
    """An image that is called a tumor but has none outlined would count, and train, as normal; and the reverse."""
    annotated = {a["image_id"] for _, a in annotations if type(a.get("image_id")) is int}
    for index, image in images:
        label, image_id = label_of(image), image.get("id")
        has_lesion = type(image_id) is int and image_id in annotated
        # A file without any annotation is one for classifiers of whole images.
        lacks_lesion = label in ENTITIES and not has_lesion and bool(annotations)
        if (label == NORMAL and has_lesion) or lacks_lesion:
            kind = ProblemKind.NORMAL_BUT_LESIONS if has_lesion else ProblemKind.LABEL_BUT_NO_LESION
            found.append(error(place("images", index, image), "image_label", kind, show(label)))


def _check_categories(categories: Entries, found: list[Problem]) -> set[int]:
    ids: dict[int, None] = {}
    names: set[str] = set()
    for index, category in categories:
        _check_id("categories", index, category, ids, found)
        name, kind = category.get("name"), None
        if not isinstance(name, str) or not name.strip() or not is_unicode(name):
            kind = ProblemKind.MISSING if "name" not in category else ProblemKind.NO_NAME
        elif name in names:
            kind = ProblemKind.TWICE
        else:
            names.add(name)
        if kind is not None:
            found.append(error(place("categories", index, category), "name", kind, value_at(category, "name")))
        found.extend(_attribute_problems(category, _CATEGORY_FIELDS, "categories", index))
    return set(ids)


def _check_annotations(
    annotations: Entries, image_sizes: _Sizes, category_ids: set[int], require_masks: bool, found: list[Problem]
) -> Measured:
    """Returns the annotations without an error, measured."""
    seen: dict[int, None] = {}
    checked: list[Segmented] = []
    sound: list[bool] = []
    for index, annotation in annotations:
        faults: _Faults = []
        n_before = len(found)
        _check_id("annotations", index, annotation, seen, found)
        size_hw = _check_references(annotation, image_sizes, category_ids, faults)
        box_sound = _check_box(annotation, size_hw, faults)
        _check_flags(annotation, faults)
        outlined = has_outline(annotation)
        if not outlined and require_masks:
            faults.append(("segmentation", ProblemKind.BOX_ALONE))
        if faults:
            where = place("annotations", index, annotation)
            found.extend(error(where, field, kind, value_at(annotation, field)) for field, kind in faults)
        found.extend(_annotation_warnings(index, annotation))
        # An annotation that has only a box is measured as one without polygons.
        measured = annotation if outlined else {"segmentation": []}
        checked.append((index, measured, size_hw, annotation["bbox"] if box_sound else None))
        sound.append(size_hw is not None and not any(p.severity == ERROR for p in found[n_before:]))
    return _check_outlines(annotations, checked, sound, found)


def _check_outlines(
    annotations: Entries, checked: Sequence[Segmented], sound: list[bool], found: list[Problem]
) -> Measured:
    outlines = check_outlines(checked)
    for fault in outlines.faults:
        index, annotation = annotations[fault.order]
        found.append(error(place("annotations", index, annotation), fault.field, fault.kind, fault.got))
        sound[fault.order] = False
    sizes = [size_hw for _, _, size_hw, _ in checked]
    lesions = [(*annotations[i], size_hw) for i, size_hw in enumerate(sizes) if sound[i] and size_hw is not None]
    return Measured(lesions, outlines.areas_px[sound], outlines.boxes_xyxy[sound])


def _annotation_warnings(index: int, annotation: Entry) -> Iterator[Problem]:
    yield from _attribute_problems(annotation, _ANNOTATION_FIELDS, "annotations", index)
    for key in ("iscrowd", "area"):
        if key not in annotation:
            yield warning(place("annotations", index, annotation), key, ProblemKind.MISSING)


def _check_references(
    annotation: Entry, image_sizes: _Sizes, category_ids: set[int], faults: _Faults
) -> tuple[int, int] | None:
    """Returns the image's (height, width), or None if unknown. No complaint about ids where their list is missing."""
    lists: tuple[tuple[str, Collection[int]], ...] = (("image_id", image_sizes), ("category_id", category_ids))
    for key, known in lists:
        value = annotation.get(key)
        if type(value) is not int:
            faults.append((key, ProblemKind.MISSING if key not in annotation else ProblemKind.NO_INTEGER))
        elif known and value not in known:
            faults.append((key, ProblemKind.NO_SUCH_ID))
    image_id = annotation.get("image_id")
    return image_sizes.get(image_id) if type(image_id) is int else None


def _check_box(annotation: Entry, size_hw: tuple[int, int] | None, faults: _Faults) -> bool:
    """Whether ``bbox`` is four finite numbers with an extent that meets the image."""
    box = annotation.get("bbox")
    kind = None
    if not isinstance(box, list) or len(box) != 4:
        kind = ProblemKind.MISSING if "bbox" not in annotation else ProblemKind.NO_BOX
    elif not all(map(is_number, box)):
        kind = ProblemKind.NO_NUMBERS
    elif box[2] <= 0 or box[3] <= 0:
        kind = ProblemKind.NO_EXTENT
    elif size_hw is not None and not _meets_image(box, size_hw):
        kind = ProblemKind.BOX_OUTSIDE
    if kind is not None:
        faults.append(("bbox", kind))
    return kind is None


def _meets_image(box_xywh: Sequence[float], size_hw: tuple[int, int]) -> bool:
    x, y, width, height = box_xywh
    return x < size_hw[1] and y < size_hw[0] and x + width > 0 and y + height > 0


def _check_flags(annotation: Entry, faults: _Faults) -> None:
    crowd, area = annotation.get("iscrowd", 0), annotation.get("area", 1)
    if type(crowd) not in (int, bool) or crowd not in (0, 1):
        faults.append(("iscrowd", ProblemKind.NO_FLAG))
    if not is_number(area, limit=1e12) or area < 0:
        faults.append(("area", ProblemKind.NO_AREA))
