"""YOLO text files (Darknet, LabelImg, Ultralytics, Roboflow): one ``.txt`` per image, one lesion a line.

``class cx cy width height`` is a box, ``class x1 y1 x2 y2 x3 y3 ...`` an outline (four corners: also a turned box), in
parts of the image's width and height; a file may hold both (``yolo_lines`` has the table). Source:
docs.ultralytics.com, "Object Detection", "Instance Segmentation" and "Oriented Bounding Boxes Datasets Overview".
Class names come from ``data.yaml``, ``classes.txt`` or ``obj.names``. Label files lie in ``labels`` beside ``images``
(labels/train/x.txt or train/labels/x.txt) or beside the images. An empty file is a normal image; so is a missing one,
by the custom of the training programs.

The confidence of a predicted box is kept as ``confidence``, and reported, since predictions are no truth. Key points
and track numbers are dropped, and reported. The part of a split comes from data.yaml, else from folders called train,
valid, test; images of data.yaml's folders that have no file are listed as normal, with their part. Numbers above 1.5
mean that a file is in px: it is left out. Not supported: turned boxes given by an angle, and classes of whole images.
"""

import itertools
import json
from collections import Counter
from pathlib import Path, PurePosixPath

from segtumor.annotations.remarks import LeftOutError, Remark
from segtumor.errors import DataError
from segtumor.files import prepare_output_folder, write_text
from segtumor.formats.collection import NORMAL, Collection, Region, SourceImage
from segtumor.formats.shapes.single_outline import keyhole_polygon
from segtumor.formats.sources.files import files_below, find_image_of, folder_of, part_of_path
from segtumor.formats.yolo.lines import read_lines, share_of_sound_lines
from segtumor.formats.yolo.names import NAME_FILES, find_names, part_by_yaml

SUMMARY = "YOLO text: labels/*.txt with data.yaml or classes.txt (boxes and polygons)"
UNLISTED = NORMAL

_DECIMALS = 10
_ASKED = 5
_MANY_EQUAL, _CORNERS_OF_NO_BOX = 3, 5
_OTHER_TEXTS = (*NAME_FILES, "train.txt", "val.txt", "valid.txt", "test.txt", "requirements.txt")


def recognises(source):
    """Whether there are class names, and the first label files hold for the most part a class and numbers."""
    source = Path(source)
    try:
        if source.is_file() and source.suffix.lower() not in (".yaml", ".yml"):
            return False
        if find_names(source) is None:
            return False
        first = list(itertools.islice(_label_files(folder_of(source)), _ASKED))
        # One odd line is named when the file is read; it does not make another format of the folder.
        return bool(first) and sum(share_of_sound_lines(path) for path in first) >= len(first) / 2
    except DataError:
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
    _note_equal_outlines(collection)
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
    size_hw, lines = images.size_hw(file_name), read_lines(path, names.key_points)
    regions = tuple(_region(line, names.names, size_hw) for line in lines)
    for kind, count in Counter(kind for line in lines for kind in line.told).items():
        notes.append(Remark(file_name, kind, f"{count} of {len(lines)} lines"))
    part = part_by_yaml(images.path(file_name), names.folders) or part_of_path(name) or part_of_path(file_name)
    return SourceImage(file_name, size_hw, regions, {"part": part} if part else {})


def _region(line, names, size_hw):
    if line.class_number not in names:
        raise LeftOutError("class number without a name", str(line.class_number))
    height, width = size_hw
    name = names[line.class_number]
    if line.outline is not None:
        return Region(name, [[value * (width, height)[index % 2] for index, value in enumerate(line.outline)]])
    center_x, center_y, box_width, box_height = line.box
    box = (
        (center_x - box_width / 2) * width,
        (center_y - box_height / 2) * height,
        box_width * width,
        box_height * height,
    )
    return Region(name, None, box, {} if line.confidence is None else {"confidence": line.confidence})


def _note_equal_outlines(collection) -> None:
    """Tell of outlines that all have as many corners: people draw none such, but key points come so."""
    counts = Counter(len(r.segmentation[0]) // 2 for i in collection.images for r in i.regions if r.segmentation)
    (corners, count), *others = counts.most_common() or [(0, 0)]
    if count >= _MANY_EQUAL and not others and corners >= _CORNERS_OF_NO_BOX:
        kind = "all outlines have as many corners; if they are boxes with key points, add kpt_shape to data.yaml"
        collection.notes.append(Remark("", kind, f"{count} of {corners} corners"))


def _leave_out(stems, collection, images) -> None:
    """Images that a label file without a known image may mean; without a file of their own they are not normal."""
    known = _told(collection)
    for name in images.names:
        if PurePosixPath(name).stem.casefold() in stems and name not in known:
            collection.left_out.append(Remark(name, "label file that may be its own could not be used"))


def _told(collection):
    return {image.file_name for image in collection.images} | {remark.image for remark in collection.left_out}


def _add_listed(collection, images, names) -> None:
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


def _yaml(names) -> str:
    """``data.yaml``; every JSON text is a YAML text, so names may hold any character."""
    lines = [f"  {number}: {json.dumps(name, ensure_ascii=True)}\n" for number, name in enumerate(names)]
    return f"path: .\ntrain: images\nval: images\nnc: {len(names)}\nnames:\n{''.join(lines)}"
