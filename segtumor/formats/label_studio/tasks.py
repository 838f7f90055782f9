"""Tasks of a Label Studio export: which annotation counts, which image is meant; JSON-MIN brought into full form."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from segtumor.annotations.remarks import LeftOutError
from segtumor.formats.labels import IMAGE_LABELS
from segtumor.imaging import SUPPORTED_SUFFIXES

#: Kind and detail of a Remark on the image of a task, while that is not yet found.
KindAndDetail = tuple[str, str]

#: Label Studio puts hex digits, eight as a rule, before the name of an uploaded file.
_UPLOAD_PREFIX = re.compile(r"[0-9a-fA-F]{6,8}-(?=.)")
_UPLOAD = re.compile(r"(?:^|/)(?:data/)?upload/(?:\d+/)?([^/]+)$")
_LONGEST_NAME = 4096
_IMAGE_KEYS = ("image", "img", "image_url")


def chosen_annotation(task: Mapping[str, Any], notes: list[KindAndDetail]) -> list[dict[str, Any]]:
    """Results of the annotation (completion, before version 1.0) that counts; raises LeftOutError without one."""
    annotations = task.get("annotations", task.get("completions"))
    annotations = [a for a in annotations if isinstance(a, dict)] if isinstance(annotations, list) else []
    usable = [a for a in annotations if not (a.get("was_cancelled") or a.get("skipped"))]
    if annotations and not usable:
        raise LeftOutError("skipped in Label Studio")
    if not usable:
        count = len(task["predictions"]) if isinstance(task.get("predictions"), list) else 0
        raise LeftOutError("not annotated", f"{count} predictions not used" if count else "")
    best = max(usable, key=lambda a: (a.get("ground_truth") is True, _updated(a)))
    if len(usable) > 1:
        why = "the ground truth" if best.get("ground_truth") is True else "the last updated"
        notes.append(("annotated several times, one used", f"{why} of {len(usable)}"))
    results = best.get("result")
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise LeftOutError("annotation not readable", "its result is not a list of objects")
    return results


def _updated(annotation: Mapping[str, Any]) -> str:
    return str(annotation.get("updated_at") or annotation.get("created_at") or "")


def image_reference(task: Mapping[str, Any]) -> str:
    """The path or address in the one field of a task's data that is an image; else raises LeftOutError."""
    data = task.get("data")
    if not isinstance(data, dict):
        raise LeftOutError("task without an image")
    if any(isinstance(data.get(key), list) for key in _IMAGE_KEYS):
        raise LeftOutError("several images in one task")
    named = [data[key] for key in _IMAGE_KEYS if isinstance(data.get(key), str)]
    references = named[:1] or [value for value in data.values() if _looks_like_image(value)]
    if len(references) != 1:
        raise LeftOutError("several images in one task" if references else "task without an image")
    reference = str(references[0])
    if reference.lstrip().startswith("data:"):
        raise LeftOutError("picture embedded as a data URI", "export the images as files")
    return reference


def _looks_like_image(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    if value.startswith("data:image/"):
        return True
    if len(value) > _LONGEST_NAME:
        return False
    return any(name.lower().endswith(SUPPORTED_SUFFIXES) for name in (_path_of(value), value.partition("?d=")[2]))


def _path_of(reference: str) -> str:
    try:
        return urlsplit(reference).path
    except ValueError:
        return reference


def names_of(reference: str) -> list[str]:
    """Names that the image may have on disk, the likelier first: as written, and without the prefix of an upload.

    Of an upload only the last part is used (its folder is the number of the project), else the whole path, since the
    same file name in another folder is another file.
    """
    try:
        address = urlsplit(reference)
        query = parse_qs(address.query)
    except ValueError:
        address, query = None, {}
    if address is not None and query.get("d") and "local-files" in address.path:
        name = query["d"][0]
    elif address is not None and len(address.scheme) > 1:  # one letter is a drive of Windows
        name = unquote(address.path).lstrip("/")
    else:
        name = reference
    upload = _UPLOAD.search(name.replace("\\", "/"))
    candidates = [upload[1], unquote(upload[1])] if upload else [name, unquote(name)]
    if upload:
        candidates.append(_UPLOAD_PREFIX.sub("", unquote(upload[1]), count=1))
    return list(dict.fromkeys(candidates))


def full_tasks(tasks: Iterable[Any]) -> list[Any]:
    """Tasks of JSON-MIN, which has one flat object for each annotation, as tasks of the full export; others as given.

    JSON-MIN names neither skipped tasks nor the ground truth; regions without a label are lost in it.
    """
    full: list[Any] = []
    by_id: dict[int | str, dict[str, Any]] = {}
    for task in tasks:
        if not isinstance(task, Mapping) or "data" in task or not {"annotation_id", "annotator"} & set(task):
            full.append(task)
            continue
        results = [result for value in task.values() for result in _min_results(value)]
        annotation = {"result": results, "updated_at": task.get("updated_at")}
        task_id = task.get("id")
        known = by_id.get(task_id) if isinstance(task_id, (int, str)) else None
        if known is not None:
            known["annotations"].append(annotation)
            continue
        data = {key: value for key, value in task.items() if key in ("case_id", "part") or _looks_like_image(value)}
        data |= {key: task[key] for key in _IMAGE_KEYS if key in task}
        full.append({"id": task_id, "data": data, "annotations": [annotation]})
        if isinstance(task_id, (int, str)):
            by_id[task_id] = full[-1]
    return full


def _min_results(value: Any) -> list[dict[str, Any]]:
    """Results in one field of a JSON-MIN task: regions, or the choices made (texts, but not an image's address)."""
    if isinstance(value, dict) and isinstance(value.get("choices"), list):
        return [{"type": "choices", "value": value}]
    if isinstance(value, str) and value.strip().casefold() in IMAGE_LABELS:
        return [{"type": "choices", "value": {"choices": [value]}}]
    regions = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    return [{**region, "value": region} for region in regions if "original_width" in region or "points" in region]
