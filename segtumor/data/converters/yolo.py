"""YOLO text files (Darknet, LabelImg, Ultralytics, Roboflow): one ``.txt`` per image, one lesion a line.

``class cx cy width height`` is a box, ``class x1 y1 x2 y2 x3 y3 ...`` an outline, in parts of the image's width and
height; a file may hold both. Source: docs.ultralytics.com, "Object Detection" and "Instance Segmentation Datasets
Overview". Class names come from ``data.yaml``, ``classes.txt`` or ``obj.names``. Label files lie in ``labels`` beside
``images`` (labels/train/x.txt or train/labels/x.txt) or beside the images. An empty file is a normal image; so is a
missing one, by the custom of the training programs.

A sixth number on the line of a box is the confidence of a prediction: it is kept as ``confidence``, and told, since
predictions are no truth. The part of a split comes from data.yaml, else from folders called train, valid, test; images
of data.yaml's folders that have no file are listed as normal, with their part. Several numbers above 1.5 mean that a
file is in px: it is left out.
Not supported: key points, and oriented boxes other than as outlines of four corners.
"""

import itertools
import json
from pathlib import Path, PurePosixPath

from segtumor.data.converters.collection import NORMAL, Collection, Region, SourceImage
from segtumor.data.converters.keyhole import keyhole_polygon
from segtumor.data.converters.source_files import MAX_FILE_BYTES, files_below, find_image_of, folder_of, part_of_path
from segtumor.data.converters.yolo_names import NAME_FILES, find_names, part_by_yaml
from segtumor.data.json_input import read_bytes
from segtumor.data.remarks import LeftOutError, Remark
from segtumor.errors import DataError
from segtumor.files import prepare_output_folder, write_text

SUMMARY = "YOLO text: labels/*.txt with data.yaml or classes.txt (boxes and polygons)"
UNLISTED = NORMAL

#: Beyond this a coordinate is no part of the image's size, however carelessly drawn.
_LIMIT = 1.5
_DECIMALS = 10
_ASKED = 5
_OTHER_TEXTS = (*NAME_FILES, "train.txt", "val.txt", "valid.txt", "test.txt", "requirements.txt")


def recognises(source):
    """Whether there are class names, and the first label files hold nothing but lines of numbers."""
    source = Path(source)
    try:
        if source.is_file() and source.suffix.lower() not in (".yaml", ".yml"):
            return False
        if find_names(source) is None:
            return False
        first = list(itertools.islice(_label_files(folder_of(source)), _ASKED))
        return bool(first) and all(_lines(path) is not None for path in first)
    except (DataError, LeftOutError):
        return False


def read(source, images, *, progress=iter):
    """Read the label files of a folder, or of the folder of a ``data.yaml``.

    Returns:
        Collection; ``labels`` are the class names in their order. A file that is damaged, has a class number without a
        name or no image is in ``left_out``.

    Raises:
        DataError: there are no class names, or no label files.
    """
    names, folder = find_names(source), folder_of(source)
    if names is None:
        raise DataError("has no class names", where=source, expected="data.yaml, classes.txt or obj.names")
    paths = list(_label_files(folder))
    if not paths:
        raise DataError("has no label file", where=source, expected="labels/*.txt", remedy="Check --source")
    collection = Collection(root=images.root, labels=tuple(names.names.values()))
    failed = set()
    for path in progress(paths):
        name = where = path.relative_to(folder).as_posix()
        try:
            found = _find_image(name, images)
            where = found.file_name
            if found.unusual:
                collection.notes.append(Remark(where, found.unusual, name))
            collection.images.append(_read_image(path, name, where, images, names, collection.notes))
        except LeftOutError as reason:
            collection.left_out.append(reason.remark(where))
            failed.add(path.stem.casefold())
        except DataError as error:
            collection.left_out.append(Remark(where, "label file cannot be read", str(error)))
    _leave_out(failed, collection, images)
    _add_listed(collection, images, names)
    return collection


def write(dataset, output, *, progress=iter):
    """Write ``labels/<name of the image>.txt``, empty for a normal image, and ``data.yaml``.

    Numbers have ten decimals at most: a label file of up to eight comes back the same. A lesion without an outline
    is written as a box; programs that train on outlines take every line of such a file as one.

    Returns:
        Remarks on outlines with bridges, boxes among outlines, and images that cannot be written.
    """
    output, remarks, taken = prepare_output_folder(output), [], set()
    for image in progress(dataset.images):
        name = image["file_name"]
        target = Path("labels", name).with_suffix(".txt")
        if str(target).casefold() in taken:
            remarks.append(Remark(name, "left out: another image differs only in its suffix"))
            continue
        taken.add(str(target).casefold())
        annotations = dataset.annotations_of_image.get(image["id"], ())
        lines = [_line(annotation, image, dataset.class_of_category_id) for annotation in annotations]
        write_text(output / target, "".join(line + "\n" for line in lines))
        remarks += [Remark(name, kind) for kind in _losses(annotations)]
    write_text(output / "data.yaml", _yaml(dataset.taxonomy.names))
    return remarks


def _label_files(folder):
    """The .txt files of folders called labels; if there are none, all but those with known other names."""
    texts = (path for path in files_below(folder, (".txt",)) if not _is_other_text(path.name.lower()))
    if folder.name.lower() == "labels":
        return texts
    first, texts = itertools.tee(texts)
    if any("labels" in _folders(path, folder) for path in first):
        return (path for path in texts if "labels" in _folders(path, folder))
    return texts


def _folders(path, folder):
    return [part.lower() for part in path.relative_to(folder).parts[:-1]]


def _is_other_text(name):
    return name in _OTHER_TEXTS or name.startswith(("readme", "license"))


def _find_image(name, images):
    """Image of a label file; that of another part of the split does not count."""
    found = find_image_of(name, images, ("labels",))
    parts = {part_of_path(name), part_of_path(found.file_name)} - {None}
    if len(parts) > 1:
        raise LeftOutError("image listed but not in the folder", f"{found.file_name} is of another part")
    return found


def _read_image(path, name, file_name, images, names, notes):
    size_hw, lines = images.size_hw(file_name), _lines(path)
    if lines is None:
        raise LeftOutError("line that is not a class and its coordinates", path.name)
    if any(abs(value) > _LIMIT for numbers in lines for value in numbers[1:]):
        raise LeftOutError("coordinates are not in parts of the image's size; in px?", path.name)
    if any(len(numbers) == 6 for numbers in lines):
        notes.append(Remark(file_name, "boxes with a confidence: predictions rather than annotations?"))
    regions = tuple(_region(numbers, names.names, size_hw) for numbers in lines)
    part = part_by_yaml(images.path(file_name), names.folders) or part_of_path(name) or part_of_path(file_name)
    return SourceImage(file_name, size_hw, regions, {"part": part} if part else {})


def _lines(path):
    """List of [class, number, ...] with four, five or an even number >= 6 of numbers; None if a line is otherwise."""
    data = read_bytes(path, max_bytes=MAX_FILE_BYTES)
    try:
        lines = [[float(word) for word in line.split()] for line in data.decode("utf-8-sig").splitlines()]
    except ValueError:  # a UnicodeDecodeError is one too
        return None
    lines = [line for line in lines if line]
    return lines if all(_is_sound(line) for line in lines) else None


def _is_sound(line):
    count = len(line) - 1
    sound_count = count in (4, 5) or (count >= 6 and count % 2 == 0)
    return sound_count and line[0] >= 0 and line[0].is_integer() and all(abs(value) < float("inf") for value in line)


def _region(numbers, names, size_hw):
    number, values = int(numbers[0]), numbers[1:]
    if number not in names:
        raise LeftOutError("class number without a name", str(number))
    height, width = size_hw
    if len(values) > 5:
        polygon = [value * (width, height)[index % 2] for index, value in enumerate(values)]
        return Region(names[number], [polygon])
    center_x, center_y, box_width, box_height = values[:4]
    box = (
        (center_x - box_width / 2) * width,
        (center_y - box_height / 2) * height,
        box_width * width,
        box_height * height,
    )
    return Region(names[number], None, box, {"confidence": values[4]} if len(values) == 5 else {})


def _leave_out(stems, collection, images):
    """Images that a label file without a known image may mean; without a file of their own they are not normal."""
    known = _told(collection)
    for name in images.names:
        if PurePosixPath(name).stem.casefold() in stems and name not in known:
            collection.left_out.append(Remark(name, "label file that may be its own could not be used"))


def _told(collection):
    return {image.file_name for image in collection.images} | {remark.image for remark in collection.left_out}


def _add_listed(collection, images, names):
    """Images of the folders that data.yaml names, without a label file: normal, with their part."""
    known = _told(collection)
    for name in images.names if names.folders else ():
        part = part_by_yaml(images.path(name), names.folders)
        if part is None or name in known:
            continue
        try:
            collection.images.append(SourceImage(name, images.size_hw(name), (), {"part": part}))
            collection.notes.append(Remark(name, "image without annotation, taken as normal"))
        except LeftOutError as reason:
            collection.left_out.append(reason.remark(name))


def _line(annotation, image, class_of_category_id):
    width, height = image["width"], image["height"]
    segmentation = annotation.get("segmentation")
    values = keyhole_polygon(segmentation, (height, width)) if segmentation else []
    if not values:
        x, y, box_width, box_height = annotation["bbox"]
        values = [x + box_width / 2, y + box_height / 2, box_width, box_height]
    values = [value / (width, height)[index % 2] for index, value in enumerate(values)]
    return " ".join([str(class_of_category_id[annotation["category_id"]]), *map(_written, values)])


def _written(value):
    text = f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _losses(annotations):
    """Kinds of what the lines of one image do not tell."""
    segmentations = [annotation.get("segmentation") for annotation in annotations]
    if any(isinstance(segmentation, dict) or len(segmentation or ()) > 1 for segmentation in segmentations):
        yield "holes or parts written as one outline with bridges"
    if any(segmentations) and not all(segmentations):
        yield "boxes among outlines: training programs take the file as outlines"
    if any("confidence" in annotation for annotation in annotations):
        yield "confidence left out, label files for training have none"


def _yaml(names):
    """``data.yaml``; every JSON text is a YAML text, so names may hold any character."""
    lines = [f"  {number}: {json.dumps(name, ensure_ascii=True)}\n" for number, name in enumerate(names)]
    return f"path: .\ntrain: images\nval: images\nnc: {len(names)}\nnames:\n{''.join(lines)}"
