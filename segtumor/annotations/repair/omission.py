"""Leaving out what has no certain repair: whole images, and entries that belong to none."""

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from segtumor.annotations.problems import Problem, ProblemKind, place
from segtumor.annotations.repair.ledger import Ledger, Work, integer_at

_PLACE = re.compile(r"(images|annotations|categories)\[(\d+)\]")


def leave_out_images(
    work: Work,
    ledger: Ledger,
    which: Callable[[dict[str, Any]], bool],
    kind: str,
    details: Mapping[str, str] | None = None,
) -> None:
    """Leave out the images for which ``which(entry)``, with their annotations."""
    going = {i: e for i, (_, e) in enumerate(work["images"]) if isinstance(e, dict) and which(e)}
    _drop_images(
        work, {i: (kind, details.get(e["file_name"], "") if details else "") for i, e in going.items()}, ledger
    )


def leave_out(errors: Iterable[Problem], work: Work, ledger: Ledger) -> None:
    """Leave out everything that ``errors``, the problems of the lists in ``work``, point at.

    Of entries that share an id or name all go: nobody knows which of them is meant.
    """
    pointed: dict[str, dict[int, Problem]] = {"images": {}, "annotations": {}, "categories": {}}
    for problem in errors:
        found = _PLACE.match(problem.where)
        if found is not None:
            pointed[found[1]].setdefault(int(found[2]), problem)
    ledger.kinds.update(problem.kind for own in pointed.values() for problem in own.values())
    for name in ("images", "categories"):
        _add_namesakes(work[name], pointed[name])
    images, orphans = _images_of_annotations(work, pointed["annotations"])
    images |= {i: (f"{p.field} {p.what}", p.got) for i, p in pointed["images"].items()}
    alone = {
        name: [(*work[name][i], problem) for i, problem in sorted(out.items())]
        for name, out in (("categories", pointed["categories"]), ("annotations", orphans))
    }
    _drop_images(work, images, ledger)
    for name, gone in alone.items():
        for index, entry, problem in gone:
            ledger.leave_out(_name(name, index, entry), f"{problem.field} {problem.what}", problem.got)
        places = {index for index, *_ in gone}
        work[name] = [pair for pair in work[name] if pair[0] not in places]


def _add_namesakes(entries: list[tuple[int, Any]], pointed: dict[int, Problem]) -> None:
    for field in ("id", "file_name", "name"):
        twice = {i: p for i, p in pointed.items() if p.kind is ProblemKind.TWICE and p.field == field}
        problem_of = {_normal(entries[i][1][field]): problem for i, problem in twice.items()}
        for j, (_, entry) in enumerate(entries if problem_of else []):
            value = _normal(entry.get(field)) if isinstance(entry, dict) else None
            if value is not None and value in problem_of:
                pointed.setdefault(j, problem_of[value])


def _normal(value: Any) -> str | int | None:
    if isinstance(value, str):
        return posixpath.normpath(value)
    return value if type(value) is int else None


def _images_of_annotations(
    work: Work, pointed: Mapping[int, Problem]
) -> tuple[dict[int, tuple[str, str]], dict[int, Problem]]:
    """Splits faulty annotations into the images they belong to and those that belong to none."""
    of_id = {integer_at(image, "id"): i for i, (_, image) in enumerate(work["images"])}
    images: dict[int, tuple[str, str]] = {}
    orphans: dict[int, Problem] = {}
    for j, problem in pointed.items():
        index, annotation = work["annotations"][j]
        image_id = integer_at(annotation, "image_id")
        if image_id is not None and image_id in of_id:
            detail = f"{place('annotations', index, annotation)}" + (f", got {problem.got}" if problem.got else "")
            images.setdefault(of_id[image_id], (f"{problem.field} {problem.what}", detail))
        else:
            orphans[j] = problem
    return images, orphans


def _drop_images(work: Work, out: Mapping[int, tuple[str, str]], ledger: Ledger) -> None:
    """``out``: {position in the work list: (kind, detail)}. Annotations go with their image."""
    if not out:
        return
    gone_ids: set[int | None] = set()
    for i, (kind, detail) in sorted(out.items()):
        index, image = work["images"][i]
        ledger.leave_out(_name("images", index, image), kind, detail)
        gone_ids.add(integer_at(image, "id"))
    work["images"] = [pair for i, pair in enumerate(work["images"]) if i not in out]
    # An id that another image still has is a case of its own: that one is left out as well, with the annotations.
    gone_ids -= {integer_at(image, "id") for _, image in work["images"]} | {None}
    work["annotations"] = [pair for pair in work["annotations"] if integer_at(pair[1], "image_id") not in gone_ids]


def _name(name: str, index: int, entry: Any) -> str:
    if not isinstance(entry, dict):
        return f"{name}[{index}]"
    file_name = entry.get("file_name")
    return file_name if isinstance(file_name, str) and file_name.isprintable() else place(name, index, entry)
