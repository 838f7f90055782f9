"""What is wrong with a COCO annotation file: every problem at once, with its file position, id and field.

Detectron2 loads most malformed files in silence, or fails late in a worker; here nothing is loaded until a file is
sound. Linear in the size of the file. Not here: opening the images, and what a segmentation may look like
(``segtumor.data.segmentations``).
"""

import os
import posixpath
import re
import stat
from typing import NamedTuple

from segtumor.data.segmentations import is_number, segmentation_problems
from segtumor.taxonomy import BENIGN, MALIGNANT, NORMAL

_LISTS = ("images", "annotations", "categories")
_DRIVE = re.compile(r"^[A-Za-z]:")


class Problem(NamedTuple):
    """One thing wrong with an annotation file.

    Attributes:
        where: list, position and id, e.g. ``annotations[3] (id 17)``.
        field: key of that entry.
        what: what is wrong with it.
        got: the offending value, shortened; empty if there is none.
    """

    where: str
    field: str
    what: str
    got: str = ""

    def __str__(self):
        return f"{self.where} {self.field}: {self.what}" + (f", got {self.got}" if self.got else "")


def problems(coco, *, require_masks=True, image_root=None):
    """Everything that keeps a COCO object from being used.

    Args:
        coco: the parsed JSON.
        require_masks: whether an annotation without a segmentation is a problem.
        image_root: folder of the images, to check that each is there and inside it; None checks no files.

    Returns:
        list of Problem, in the order images, categories, annotations; empty for a sound file.
    """
    if not isinstance(coco, dict):
        return [Problem("file", "(top)", "is not a JSON object with images, annotations and categories", show(coco))]
    found, entries = [], {}
    for name in _LISTS:
        value = coco.get(name)
        if not isinstance(value, list):
            found.append(Problem("file", name, "is missing" if name not in coco else "is not a list", _got(coco, name)))
        elif not value and name != "annotations":  # a set of normal images only has none, rightly
            found.append(Problem("file", name, "is empty"))
        entries[name] = _dicts(name, value if isinstance(value, list) else [], found)
    image_sizes = _check_images(entries["images"], found)
    if image_root is not None:
        _check_files(entries["images"], image_root, found)
    category_ids = _check_categories(entries["categories"], found)
    _check_annotations(entries["annotations"], image_sizes, category_ids, require_masks, found)
    _check_labels(entries["images"], entries["annotations"], found)
    return found


def show(value):
    """A value as text short enough for a message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _got(entry, key):
    return show(entry[key]) if key in entry else ""


def _where(name, index, entry):
    return f"{name}[{index}] (id {show(entry.get('id'))})"


def _dicts(name, values, found):
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            found.append(Problem(f"{name}[{index}]", "(entry)", "is not a JSON object", show(value)))
    return [(index, value) for index, value in enumerate(values) if isinstance(value, dict)]


def _check_id(name, index, entry, seen, found):
    """Adds the id to ``seen``; reports one that is missing, no integer or taken."""
    value = entry.get("id")
    if type(value) is not int:
        what = "is missing" if "id" not in entry else "is not an integer"
        found.append(Problem(_where(name, index, entry), "id", what, _got(entry, "id")))
    elif value in seen:
        found.append(Problem(_where(name, index, entry), "id", "is used twice", show(value)))
    else:
        seen[value] = None


def _check_images(images, found):
    """Returns {image id: (height, width), or None where they are wrong}."""
    sizes, names = {}, set()
    for index, image in images:
        _check_id("images", index, image, sizes, found)
        size_hw = (image.get("height"), image.get("width"))
        for key, value in zip(("height", "width"), size_hw, strict=True):
            if type(value) is not int or not 0 < value <= 1_000_000:
                what = "is missing" if key not in image else "is not a positive integer"
                found.append(Problem(_where("images", index, image), key, what, _got(image, key)))
                size_hw = None
        _check_file_name(index, image, names, found)
        if type(image.get("id")) is int:
            sizes[image["id"]] = size_hw
    return sizes


def _check_labels(images, annotations, found):
    """An image that is called a tumour but has none outlined would count, and train, as normal; and the reverse."""
    annotated = {a["image_id"] for _, a in annotations if type(a.get("image_id")) is int}
    for index, image in images:
        label, has_lesion = image.get("image_label"), image.get("id") in annotated
        if (label == NORMAL and has_lesion) or (label in (BENIGN, MALIGNANT) and not has_lesion):
            what = "contradicts the annotations, of which it has " + ("some" if has_lesion else "none")
            found.append(Problem(_where("images", index, image), "image_label", what, show(label)))


def _check_file_name(index, image, names, found):
    name = image.get("file_name")
    what = file_name_fault(name) if "file_name" in image else "is missing"
    if what is None:
        normal = posixpath.normpath(name)
        what = "is used twice" if normal in names else None
        names.add(normal)
    if what is not None:
        found.append(Problem(_where("images", index, image), "file_name", what, _got(image, "file_name")))


def file_name_fault(name):
    """Why a file name cannot be used below an image root, or None."""
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        return "is not a file name"
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        return "is absolute; names are relative to the image root"
    if "\\" in name:
        return "has a backslash; separate folders by /"
    if ".." in name.split("/"):
        return "leaves the image root"
    return None


def _check_files(images, image_root, found):
    root = os.path.realpath(image_root)
    if not os.path.isdir(root):
        found.append(Problem("image root", str(image_root), "is not a folder"))
        return
    folder_inside = {}
    for index, image in images:
        name = image.get("file_name")
        if file_name_fault(name) is not None:
            continue
        what = _file_fault(name, root, folder_inside)
        if what is not None:
            found.append(Problem(_where("images", index, image), "file_name", what, show(name)))


def _file_fault(name, root, folder_inside):
    """One system call per file; the folders' real places are remembered."""
    path = os.path.join(root, name)
    folder = os.path.dirname(path)
    if folder not in folder_inside:
        folder_inside[folder] = _inside(folder, root)
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        return f"cannot be found below the image root ({error.strerror})"
    if not folder_inside[folder] or (stat.S_ISLNK(mode) and not _inside(path, root)):
        return "is a link that leaves the image root"
    if not os.path.isfile(path):
        return "is not a file"
    return None


def _inside(path, root):
    real = os.path.realpath(path)
    return real == root or real.startswith(root.rstrip(os.sep) + os.sep)


def _check_categories(categories, found):
    ids, names = {}, set()
    for index, category in categories:
        _check_id("categories", index, category, ids, found)
        name = category.get("name")
        what = None
        if not isinstance(name, str) or not name.strip():
            what = "is missing" if "name" not in category else "is not a name"
        elif name in names:
            what = "is used twice"
        if what is not None:
            found.append(Problem(_where("categories", index, category), "name", what, _got(category, "name")))
        elif name is not None:
            names.add(name)
    return set(ids)


def _check_annotations(annotations, image_sizes, category_ids, require_masks, found):
    seen, segmented = {}, []
    for index, annotation in annotations:
        faults = []
        _check_id("annotations", index, annotation, seen, found)
        size_hw = _check_references(annotation, image_sizes, category_ids, faults)
        box_sound = _check_box(annotation, size_hw, faults)
        _check_flags(annotation, faults)
        if annotation.get("segmentation") not in (None, []):
            segmented.append((index, annotation, size_hw, annotation["bbox"] if box_sound else None))
        elif require_masks:
            faults.append(("segmentation", "is missing; boxes alone are accepted only when asked for"))
        if faults:
            where = _where("annotations", index, annotation)
            found.extend(Problem(where, field, what, _got(annotation, field)) for field, what in faults)
    for index, annotation, what in segmentation_problems(segmented):
        found.append(Problem(_where("annotations", index, annotation), "segmentation", what))


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


def _check_box(annotation, size_hw, faults):
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


def _check_flags(annotation, faults):
    crowd, area = annotation.get("iscrowd", 0), annotation.get("area", 1)
    if type(crowd) not in (int, bool) or crowd not in (0, 1):
        faults.append(("iscrowd", "is neither 0 nor 1"))
    if not is_number(area, limit=1e12) or area < 0:
        faults.append(("area", "is not a finite number of square pixels"))
