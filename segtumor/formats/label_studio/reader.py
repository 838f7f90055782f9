"""Tasks of Label Studio to images with regions."""

import re
from pathlib import Path
from typing import Any

from segtumor.annotations.remarks import LeftOutError, Remark
from segtumor.arrays import SizeHW
from segtumor.errors import DataError
from segtumor.formats.collection import Collection, SourceImage
from segtumor.formats.label_studio.regions import check_single_image, regions_of
from segtumor.formats.label_studio.tasks import KindAndDetail, chosen_annotation, full_tasks, image_reference, names_of
from segtumor.formats.labels import image_label_and_rest
from segtumor.formats.sources.encodings import read_json
from segtumor.formats.sources.files import ascii_head_of, check_size, files_in
from segtumor.formats.sources.image_folder import Found, ImageFolder
from segtumor.progress import Progress

_LIST = re.compile(rb"(\xef\xbb\xbf)?\s*\[\s*\{")
_FULL = re.compile(rb'"(annotations|completions|predictions)"\s*:\s*\[')
_OF_TASKS = re.compile(rb'"(result|data|was_cancelled|completed_by|lead_time)"\s*:')
_MIN = re.compile(rb'"(annotation_id|original_width)"\s*:')
_OF_MIN = re.compile(rb'"(annotator|\w*labels)"\s*:')
#: Fields of a task's data that say something about the image.
_KEPT_DATA = ("case_id", "part")


def recognises(source: Path) -> bool:
    """Whether it is a JSON list of Label Studio's tasks, or a folder with one."""
    return any(_begins_as_tasks(path) for path in files_in(source, ".json", at_most=3))


def read(source: Path, images: ImageFolder, *, progress: Progress = iter) -> Collection:
    """Read one export, or those of a folder; raises DataError for a single one that is not a list of tasks."""
    paths = [path for path in files_in(source, ".json") if path == source or _begins_as_tasks(path)]
    if not paths:
        raise DataError("no export of Label Studio", where=source, expected="a .json file", remedy="Check --source")
    collection = Collection(root=images.root)
    for path in paths:
        try:
            tasks = _tasks_of(path)
        except DataError as error:
            if len(paths) == 1:
                raise
            collection.left_out.append(Remark(path.name, "annotation file not readable", str(error)))
            continue
        for number, task in enumerate(progress(tasks)):
            _add_task(task, f"{path.name}, task {_task_name(task, number)}", images, collection)
    return collection


def _begins_as_tasks(path: Path) -> bool:
    head = ascii_head_of(path).removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")  # UTF-16
    if not _LIST.match(head):
        return False
    return bool((_FULL.search(head) and _OF_TASKS.search(head)) or (_MIN.search(head) and _OF_MIN.search(head)))


def _tasks_of(path: Path) -> list[Any]:
    check_size(path)
    tasks = read_json(path)
    if not isinstance(tasks, list):
        got, expected = type(tasks).__name__, "a list of tasks"
        remedy = "Export the project as JSON"
        raise DataError("not an export of Label Studio", where=path, got=got, expected=expected, remedy=remedy)
    return full_tasks(tasks)


def _task_name(task: Any, number: int) -> int | str:
    name = task.get("id") if isinstance(task, dict) else None
    return name if type(name) is int else f"number {number}"


def _add_task(task: Any, name: str, images: ImageFolder, collection: Collection) -> None:
    notes: list[KindAndDetail] = []
    try:
        if not isinstance(task, dict):
            raise LeftOutError("not a task", f"{task!r:.60}")
        names = names_of(image_reference(task))  # an address may carry a password, which must not be shown
        name = names[0]
        found = _find(images, names)
        name = found.file_name
        if found.unusual:
            notes.append((found.unusual, names[0]))
        image = _image(task, name, images.size_hw(name), notes)
    except LeftOutError as reason:
        collection.left_out.append(reason.remark(name))
    else:
        collection.images.append(image)
        collection.notes.extend(Remark(name, *note) for note in notes)


def _find(images: ImageFolder, names: list[str]) -> Found:
    """The image, by the first of the names that there is."""
    for name in names[:-1]:
        try:
            return images.find(name)
        except LeftOutError:
            continue
    return images.find(names[-1])


def _image(task: dict[str, Any], file_name: str, size_hw: SizeHW, notes: list[KindAndDetail]) -> SourceImage:
    results = chosen_annotation(task, notes)
    check_single_image(results)
    regions, words = regions_of(results, size_hw, notes)
    label, rest = image_label_and_rest(words, bool(regions))
    data = task["data"]
    attributes: dict[str, Any] = {key: str(data[key]) for key in _KEPT_DATA if isinstance(data.get(key), (str, int))}
    if label is not None:
        attributes["image_label"] = label
    if rest:
        attributes["choices"] = rest
    return SourceImage(file_name, size_hw, tuple(regions), attributes)
