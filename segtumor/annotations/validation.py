"""What is wrong with a COCO annotation file: every problem at once, with its file position, id and field.

Detectron2 loads most malformed files in silence, or fails late in a worker; here nothing is loaded until a file is
sound. Linear in the size of the file. Errors keep a file from being used; warnings are reported. The parts: names of
files (``file_names``), outlines (``segmentations``), what is merely odd (``plausibility``), what to do about each
(``remedies``). Not here: opening the images (``image_checks``), mending a file (``repair``).
"""

from collections import Counter

from segtumor.annotations.attributes import TOLERATED, attribute_faults, is_unicode
from segtumor.annotations.file_names import check_files, check_names, file_name_fault
from segtumor.annotations.plausibility import dataset_warnings, lesion_warnings
from segtumor.annotations.problem import ERROR, WARNING, Problem, error, place, show, value_at, warning
from segtumor.annotations.regions import BOX_ALONE, has_outline
from segtumor.annotations.segmentations import check_outlines, is_number
from segtumor.taxonomy import BENIGN, MALIGNANT, NORMAL

__all__ = ["ERROR", "LISTS", "WARNING", "Problem", "file_name_fault", "problems", "show"]

LISTS = ("images", "annotations", "categories")
#: Ids beyond it are changed by every reader that takes numbers for float64.
LARGEST_ID = 2**53
#: Each region becomes a mask of the image's size in training and evaluation; no radiograph has nearly as many.
MOST_REGIONS = 10_000
LONGEST_EDGE_PX, MOST_PIXELS = 1_000_000, 2**30

_IMAGE_FIELDS = {"id", "file_name", "width", "height", "spacing_mm"}
_ANNOTATION_FIELDS = {"id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd"}
_CATEGORY_FIELDS = {"id", "name"}


def problems(
    coco,
    *,
    require_masks: bool = True,
    image_root=None,
    with_warnings: bool = True,
    short_edge_px=None,
    max_long_edge_px=None,
):
    """Everything that keeps a COCO object from being used, and what is odd about it.

    Args:
        coco: the parsed JSON; not modified.
        require_masks: whether an annotation without a segmentation is a problem.
        image_root: folder of the images, to check that each is there and inside it; None checks no files.
        with_warnings: whether to look for what is merely odd, too.
        short_edge_px, max_long_edge_px: training size, to warn of lesions that it makes too small; None takes the
            images as they are.

    Returns:
        list of Problem: errors and warnings of single entries in the order images, categories, annotations, then
        warnings about lesions and about the file as a whole; empty for a sound file.
    """
    if not isinstance(coco, dict):
        return [error("file", "(top)", "is not a JSON object with images, annotations and categories", show(coco))]
    found, entries = [], {}
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
    found += lesion_warnings(*sound, short_edge_px=short_edge_px, max_long_edge_px=max_long_edge_px)
    return found + dataset_warnings(entries["images"], entries["annotations"], entries["categories"])


def _listed(coco, name, found):
    value = coco.get(name)
    if not isinstance(value, list):
        what = "is missing" if name not in coco else "is not a list of entries"
        found.append(error("file", name, what, value_at(coco, name)))
        return []
    if not value and name != "annotations":  # a set of normal images only has none, rightly
        found.append(error("file", name, "is empty"))
    return value


def _dicts(name, values, found):
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            found.append(error(f"{name}[{index}]", "(entry)", "is not a JSON object", show(value)))
    return [(index, value) for index, value in enumerate(values) if isinstance(value, dict)]


def _attribute_problems(entry, checked, name=None, index=0):
    for key, what in attribute_faults(entry, checked):
        make = warning if what in TOLERATED else error
        yield make(place(name, index, entry) if name else "file", show(key)[1:-1], what, show(entry[key]))


def _check_id(name, index, entry, seen, found) -> None:
    """Adds the id to ``seen``; reports one that is missing, no integer or taken."""
    value, what = entry.get("id"), None
    if type(value) is not int:
        what = "is missing" if "id" not in entry else "is not an integer"
    elif not -LARGEST_ID <= value <= LARGEST_ID:
        what = "is beyond 2^53"
    elif value in seen:
        what = "is used twice"
    else:
        seen[value] = None
    if what is not None:
        found.append(error(place(name, index, entry), "id", what, value_at(entry, "id")))


def _check_images(images, found):
    """Returns {image id: (height, width), or None where they are wrong}."""
    sizes = {}
    for index, image in images:
        _check_id("images", index, image, sizes, found)
        size_hw = _check_size(index, image, found)
        _check_meaning(index, image, found)
        if type(image.get("id")) is int:
            sizes[image["id"]] = size_hw
        found.extend(_attribute_problems(image, _IMAGE_FIELDS, "images", index))
    check_names(images, found)
    return sizes


def _check_size(index, image, found):
    """(height, width), or None where they are wrong."""
    size_hw = (image.get("height"), image.get("width"))
    sound = True
    for key, value in zip(("height", "width"), size_hw, strict=True):
        if type(value) is not int or not 0 < value <= LONGEST_EDGE_PX:
            what = "is missing" if key not in image else f"is not a whole number from 1 to {LONGEST_EDGE_PX:,}"
            found.append(error(place("images", index, image), key, what, value_at(image, key)))
            sound = False
    if sound and size_hw[0] * size_hw[1] > MOST_PIXELS:
        found.append(error(place("images", index, image), "width", "image has more than 2^30 px", f"{size_hw}"))
        sound = False
    return size_hw if sound else None


def _check_meaning(index, image, found) -> None:
    """What splits and measurements rely on: the case, and the size of a pixel."""
    case_id, spacing = image.get("case_id"), image.get("spacing_mm")
    if case_id is not None and type(case_id) not in (str, int, float):
        what = "is neither text nor a number"
        found.append(error(place("images", index, image), "case_id", what, show(case_id)))
    if spacing is None:
        return
    sound = isinstance(spacing, list) and len(spacing) == 2 and all(is_number(n) and n > 1e-6 for n in spacing)
    if not sound:
        what = "is not [row, column] of two positive numbers"
        found.append(error(place("images", index, image), "spacing_mm", what, show(spacing)))


def _check_numbers(images, annotations, found) -> None:
    counts = Counter(a["image_id"] for _, a in annotations if type(a.get("image_id")) is int)
    for index, image in images:
        n = counts[image["id"]] if type(image.get("id")) is int else 0
        if n > MOST_REGIONS:
            what = f"image has more than {MOST_REGIONS:,} regions"
            found.append(error(place("images", index, image), "annotations", what, f"{n:,}"))


def _check_labels(images, annotations, found) -> None:
    """An image that is called a tumor but has none outlined would count, and train, as normal; and the reverse."""
    annotated = {a["image_id"] for _, a in annotations if type(a.get("image_id")) is int}
    for index, image in images:
        label, image_id = image.get("image_label"), image.get("id")
        has_lesion = type(image_id) is int and image_id in annotated
        if (label == NORMAL and has_lesion) or (label in (BENIGN, MALIGNANT) and not has_lesion):
            what = "contradicts the annotations, of which it has " + ("some" if has_lesion else "none")
            found.append(error(place("images", index, image), "image_label", what, show(label)))


def _check_categories(categories, found):
    ids, names = {}, set()
    for index, category in categories:
        _check_id("categories", index, category, ids, found)
        name, what = category.get("name"), None
        if not isinstance(name, str) or not name.strip() or not is_unicode(name):
            what = "is missing" if "name" not in category else "is not a name"
        elif name in names:
            what = "is used twice"
        else:
            names.add(name)
        if what is not None:
            found.append(error(place("categories", index, category), "name", what, value_at(category, "name")))
        found.extend(_attribute_problems(category, _CATEGORY_FIELDS, "categories", index))
    return set(ids)


def _check_annotations(annotations, image_sizes, category_ids, require_masks, found):
    """Returns the annotations without an error as (position, annotation, size_hw), their areas and tight boxes."""
    seen, checked, sound = {}, [], []
    for index, annotation in annotations:
        faults, n_before = [], len(found)
        _check_id("annotations", index, annotation, seen, found)
        size_hw = _check_references(annotation, image_sizes, category_ids, faults)
        box_sound = _check_box(annotation, size_hw, faults)
        _check_flags(annotation, faults)
        outlined = has_outline(annotation)
        if not outlined and require_masks:
            faults.append(("segmentation", BOX_ALONE))
        if faults:
            where = place("annotations", index, annotation)
            found.extend(error(where, field, what, value_at(annotation, field)) for field, what in faults)
        found.extend(_annotation_warnings(index, annotation))
        # An annotation that has only a box is measured as one without polygons.
        measured = annotation if outlined else {"segmentation": []}
        checked.append((index, measured, size_hw, annotation["bbox"] if box_sound else None))
        sound.append(size_hw is not None and not any(p.severity == ERROR for p in found[n_before:]))
    return _check_outlines(annotations, checked, sound, found)


def _check_outlines(annotations, checked, sound, found):
    outlines = check_outlines(checked)
    for fault in outlines.faults:
        index, annotation = annotations[fault.order]
        found.append(error(place("annotations", index, annotation), *fault[1:]))
        sound[fault.order] = False
    lesions = [(*annotations[i], checked[i][2]) for i, good in enumerate(sound) if good]
    return lesions, outlines.areas_px[sound], outlines.boxes_xyxy[sound]


def _annotation_warnings(index, annotation):
    yield from _attribute_problems(annotation, _ANNOTATION_FIELDS, "annotations", index)
    for key in ("iscrowd", "area"):
        if key not in annotation:
            yield warning(place("annotations", index, annotation), key, "is missing")


def _check_references(annotation, image_sizes, category_ids, faults):
    """Returns the image's (height, width), or None if unknown. No complaint about ids where their list is missing."""
    for key, known in (("image_id", image_sizes), ("category_id", category_ids)):
        value = annotation.get(key)
        if type(value) is not int:
            faults.append((key, "is missing" if key not in annotation else "is not an integer"))
        elif known and value not in known:
            faults.append((key, "is not the id of any entry"))
    image_id = annotation.get("image_id")
    return image_sizes.get(image_id) if type(image_id) is int else None


def _check_box(annotation, size_hw, faults) -> bool:
    """Whether ``bbox`` is four finite numbers with an extent that meets the image."""
    box = annotation.get("bbox")
    what = None
    if not isinstance(box, list) or len(box) != 4:
        what = "is missing" if "bbox" not in annotation else "is not [x, y, width, height]"
    elif not all(map(is_number, box)):
        what = "holds something that is not a finite number"
    elif box[2] <= 0 or box[3] <= 0:
        what = "has no extent"
    elif size_hw is not None and not _meets_image(box, size_hw):
        what = "is wholly outside the image"
    if what is not None:
        faults.append(("bbox", what))
    return what is None


def _meets_image(box_xywh, size_hw):
    x, y, width, height = box_xywh
    return x < size_hw[1] and y < size_hw[0] and x + width > 0 and y + height > 0


def _check_flags(annotation, faults) -> None:
    crowd, area = annotation.get("iscrowd", 0), annotation.get("area", 1)
    if type(crowd) not in (int, bool) or crowd not in (0, 1):
        faults.append(("iscrowd", "is neither 0 nor 1"))
    if not is_number(area, limit=1e12) or area < 0:
        faults.append(("area", "is not a finite number of square pixels"))
