"""Label Studio: the JSON export (a list of tasks), and JSON-MIN as far as it goes.

Sources: labelstud.io, "Label Studio task format" and the pages of the tags; the editor's code for image_rotation, which
only turns the view: percent always refer to the picture as it is in the file. Read are polygons, rectangles (turned
about their top left corner), ellipses, and brush or bitmask regions; coordinates are percent of the picture. Choices
called normal, benign or malignant are the ``image_label``, others go to ``choices``; ``case_id`` and ``part`` of a
task's data are kept. Of several annotations of a task the ground truth is used, else the last updated; predictions and
drafts are not. A submitted annotation without regions is a normal image; a task without one is not annotated. A region
of a lesion cannot be joined to another: Label Studio has no groups.
Kept for the way back: ``rotated_box`` and ``choices`` of an annotation. Not supported: several pictures in a task,
pictures embedded as data URIs, and shapes without an area (key points, vectors). Nothing is ever fetched.
"""

import re
from pathlib import Path

from segtumor.annotations.remarks import LeftOutError, Remark
from segtumor.errors import DataError
from segtumor.formats.collection import NOT_ANNOTATED, Collection, SourceImage
from segtumor.formats.image_labels import image_label_and_rest
from segtumor.formats.label_studio.regions import check_single_image, regions_of
from segtumor.formats.label_studio.tasks import chosen_annotation, full_tasks, image_reference, names_of
from segtumor.formats.label_studio.writer import write
from segtumor.formats.sources.annotation_files import check_size, files_of, head_of
from segtumor.formats.sources.encodings import read_json

__all__ = ["SUMMARY", "UNLISTED", "read", "recognises", "write"]

SUMMARY = "Label Studio: the JSON (or JSON-MIN) export, a list of tasks"
UNLISTED = NOT_ANNOTATED
_LIST = re.compile(rb"(\xef\xbb\xbf)?\s*\[\s*\{")
_FULL = re.compile(rb'"(annotations|completions|predictions)"\s*:\s*\[')
_OF_TASKS = re.compile(rb'"(result|data|was_cancelled|completed_by|lead_time)"\s*:')
_MIN = re.compile(rb'"(annotation_id|original_width)"\s*:')
_OF_MIN = re.compile(rb'"(annotator|\w*labels)"\s*:')
#: Fields of a task's data that say something about the image.
_KEPT_DATA = ("case_id", "part")


def recognises(source):
    """Whether it is a JSON list of Label Studio's tasks, or a folder with one."""
    return any(_begins_as_tasks(path) for path in files_of(source, ".json", at_most=3))


def read(source, images, *, progress=iter):
    """Read one export, or those of a folder.

    Raises:
        DataError: there is no such file, or the only one is unreadable or no list of tasks.
    """
    paths = [path for path in files_of(source, ".json") if path == Path(source) or _begins_as_tasks(path)]
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


def _begins_as_tasks(path):
    head = head_of(path).replace(b"\0", b"").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")  # UTF-16
    if not _LIST.match(head):
        return False
    return bool((_FULL.search(head) and _OF_TASKS.search(head)) or (_MIN.search(head) and _OF_MIN.search(head)))


def _tasks_of(path):
    check_size(path)
    tasks = read_json(path)
    if not isinstance(tasks, list):
        got, expected = type(tasks).__name__, "a list of tasks"
        remedy = "Export the project as JSON"
        raise DataError("not an export of Label Studio", where=path, got=got, expected=expected, remedy=remedy)
    return full_tasks(tasks)


def _task_name(task, number):
    name = task.get("id") if isinstance(task, dict) else None
    return name if type(name) is int else f"number {number}"


def _add_task(task, name, images, collection):
    notes = []
    try:
        if not isinstance(task, dict):
            raise LeftOutError("not a task", f"{task!r:.60}")
        names = names_of(image_reference(task))  # an address may carry a password, which must not be told
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


def _find(images, names):
    """The image, by the first of the names that there is."""
    for name in names[:-1]:
        try:
            return images.find(name)
        except LeftOutError:
            continue
    return images.find(names[-1])


def _image(task, file_name, size_hw, notes):
    results = chosen_annotation(task, notes)
    check_single_image(results)
    regions, words = regions_of(results, size_hw, notes)
    label, rest = image_label_and_rest(words, bool(regions))
    data = task["data"]
    attributes = {key: str(data[key]) for key in _KEPT_DATA if isinstance(data.get(key), (str, int))}
    if label is not None:
        attributes["image_label"] = label
    if rest:
        attributes["choices"] = rest
    return SourceImage(file_name, tuple(size_hw), tuple(regions), attributes)
