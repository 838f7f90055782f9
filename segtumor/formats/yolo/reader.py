"""YOLO label files to images with regions."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from segtumor.annotations.remarks import LeftOutError, Remark, remark_if_any
from segtumor.arrays import SizeHW
from segtumor.errors import DataError
from segtumor.formats.collection import NOT_IN_FOLDER, TAKEN_AS_NORMAL, Collection, Region, SourceImage
from segtumor.formats.sources.files import files_below, folder_of
from segtumor.formats.sources.image_folder import Found, ImageFolder, find_image_of
from segtumor.formats.sources.parts import part_of_path
from segtumor.formats.yolo.lines import ODD_LINE, Line, read_lines, share_of_sound_lines
from segtumor.formats.yolo.names import NAME_FILES, YoloNames, find_names, part_by_yaml
from segtumor.progress import Progress

_LOOKED_AT = 5
_MANY_EQUAL, _CORNERS_OF_NO_BOX = 3, 5
_OTHER_TEXTS = (*NAME_FILES, "train.txt", "val.txt", "valid.txt", "test.txt", "requirements.txt")


def recognises(source: Path) -> bool:
    """Whether there are class names, and the first label files hold for the most part a class and numbers."""
    try:
        if source.is_file() and source.suffix.lower() not in (".yaml", ".yml"):
            return False
        if find_names(source) is None:
            return False
        first = list(itertools.islice(_label_files(folder_of(source)), _LOOKED_AT))
        # One odd line is named when the file is read; it does not make another format of the folder.
        return bool(first) and sum(share_of_sound_lines(path) for path in first) >= len(first) / 2
    except DataError:
        return False


def read(source: Path, images: ImageFolder, *, progress: Progress = iter) -> Collection:
    """Read the label files of a folder, or of that of a ``data.yaml``; ``labels`` are the class names in their order.

    A file that is damaged, has a class number without a name or no image is in ``left_out``. Raises DataError where
    there are no class names, or no label files.
    """
    names, folder = find_names(source), folder_of(source)
    if names is None:
        raise DataError("has no class names", where=source, expected="data.yaml, classes.txt or obj.names")
    paths = list(_label_files(folder))
    if not paths:
        raise DataError("has no label file", where=source, expected="labels/*.txt", remedy="Check --source")
    collection = Collection(root=images.root, labels=tuple(names.names.values()))
    failed: set[str] = set()
    for path in progress(paths):
        name = where = path.relative_to(folder).as_posix()
        try:
            found = _find_image(name, images)
            where = found.file_name
            collection.notes += remark_if_any(where, found.unusual, name)
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


def _label_files(folder: Path) -> Iterator[Path]:
    """The .txt files of folders called labels; if there are none, all but those with known other names."""
    texts = (path for path in files_below(folder, (".txt",)) if not _is_other_text(path.name.lower()))
    if folder.name.lower() == "labels":
        return texts
    first, second = itertools.tee(texts)
    if any("labels" in _folders(path, folder) for path in first):
        return (path for path in second if "labels" in _folders(path, folder))
    return second


def _folders(path: Path, folder: Path) -> list[str]:
    return [part.lower() for part in path.relative_to(folder).parts[:-1]]


def _is_other_text(name: str) -> bool:
    return name in _OTHER_TEXTS or name.startswith(("readme", "license"))


def _find_image(name: str, images: ImageFolder) -> Found:
    """Image of a label file; that of another part of the split does not count."""
    found = find_image_of(name, images, ("labels",))
    parts = {part_of_path(name), part_of_path(found.file_name)} - {None}
    if len(parts) > 1:
        raise LeftOutError(NOT_IN_FOLDER, f"{found.file_name} is of another part")
    return found


def _read_image(
    path: Path, name: str, file_name: str, images: ImageFolder, names: YoloNames, notes: list[Remark]
) -> SourceImage:
    size_hw, lines = images.size_hw(file_name), read_lines(path, names.key_points)
    regions = tuple(_region(line, names.names, size_hw) for line in lines)
    for kind, count in Counter(kind for line in lines for kind in line.remarks).items():
        notes.append(Remark(file_name, kind, f"{count} of {len(lines)} lines"))
    part = part_by_yaml(images.path(file_name), names.folders) or part_of_path(name) or part_of_path(file_name)
    return SourceImage(file_name, size_hw, regions, {"part": part} if part else {})


def _region(line: Line, names: Mapping[int, str], size_hw: SizeHW) -> Region:
    if line.class_number not in names:
        raise LeftOutError("class number without a name", str(line.class_number))
    height, width = size_hw
    name = names[line.class_number]
    if line.outline is not None:
        return Region(name, [[value * (width, height)[index % 2] for index, value in enumerate(line.outline)]])
    if line.box is None:
        raise LeftOutError(ODD_LINE)
    center_x, center_y, box_width, box_height = line.box
    box = (
        (center_x - box_width / 2) * width,
        (center_y - box_height / 2) * height,
        box_width * width,
        box_height * height,
    )
    return Region(name, None, box, {} if line.confidence is None else {"confidence": line.confidence})


def _note_equal_outlines(collection: Collection) -> None:
    """Report outlines that all have as many corners: people draw none such, but key points come so."""
    outlines = [region.segmentation for image in collection.images for region in image.regions]
    counts = Counter(len(outline[0]) // 2 for outline in outlines if outline and not isinstance(outline, Mapping))
    (corners, count), *others = counts.most_common() or [(0, 0)]
    if count >= _MANY_EQUAL and not others and corners >= _CORNERS_OF_NO_BOX:
        kind = "all outlines have as many corners; if they are boxes with key points, add kpt_shape to data.yaml"
        collection.notes.append(Remark("", kind, f"{count} of {corners} corners"))


def _leave_out(stems: Iterable[str], collection: Collection, images: ImageFolder) -> None:
    """Images that a label file without a known image may mean; without a file of their own they are not normal."""
    known = collection.known
    for name in images.names:
        if PurePosixPath(name).stem.casefold() in stems and name not in known:
            collection.left_out.append(Remark(name, "label file that may be its own could not be used"))


def _add_listed(collection: Collection, images: ImageFolder, names: YoloNames) -> None:
    """Images of the folders that data.yaml names, without a label file: normal, with their part."""
    known = collection.known
    for name in images.names if names.folders else ():
        part = part_by_yaml(images.path(name), names.folders)
        if part is None or name in known:
            continue
        try:
            collection.images.append(SourceImage(name, images.size_hw(name), (), {"part": part}))
            collection.notes.append(Remark(name, TAKEN_AS_NORMAL))
        except LeftOutError as reason:
            collection.left_out.append(reason.remark(name))
