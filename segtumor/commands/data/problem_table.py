"""Problems as lines of text, grouped by kind: thousands of one kind take as much room as five.

Not here: the options of ``segtumor data check``.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from segtumor.annotations.problems import ERROR, Problem, ProblemKind, place, show

#: Severity, list, field, words and remedy: what problems of one kind share.
Kind = tuple[str, str, str, str, str]


def problem_table(found: Sequence[Problem], coco: Any, n_shown: int | None) -> Iterator[str]:
    """Yields lines: for each kind its severity, number, field and words, examples, and the remedy.

    Args:
        coco: the checked value, from which the examples take their file names.
        n_shown: examples of each kind; None shows all.
    """
    names = _file_names(coco, {problem.where for problem in found if problem.kind is ProblemKind.NAMES_THE_PATIENT})
    for (severity, where, field, what, remedy), group in _kinds(found).items():
        yield f"{severity:<7} {len(group):>7}  {where}{field} {what}"
        for problem in group[:n_shown]:
            yield f"{'':18}{_example(problem, coco, names)}"
        if n_shown is not None and len(group) > n_shown:
            yield f"{'':18}... and {len(group) - n_shown} more (--all shows them)"
        if remedy:
            yield f"{'':16}> {remedy}"


def _kinds(found: Iterable[Problem]) -> dict[Kind, list[Problem]]:
    """{(severity, list, field, what, remedy): [Problem]}, errors first, then the most frequent."""
    kinds: dict[Kind, list[Problem]] = {}
    for problem in found:
        name, bracket, _ = problem.where.partition("[")
        where = f"{name}: " if bracket else ""
        kinds.setdefault((problem.severity, where, problem.field, problem.what, problem.remedy), []).append(problem)
    return dict(sorted(kinds.items(), key=lambda item: (item[0][0] != ERROR, -len(item[1]))))


def _example(problem: Problem, coco: Any, names: Mapping[int, Any]) -> str:
    """Place, file name and value of one problem."""
    name = _file_name(problem.where, coco, names)
    text = problem.where + (f" of {name}" if name and name != problem.got else "")
    return text + (f": {problem.got}" if problem.got else "")


def _file_name(where: str, coco: Any, names: Mapping[int, Any]) -> str:
    """File name, shown safely, of the image that a problem's entry is or belongs to; empty if there is none."""
    kind, _, rest = where.partition("[")
    position = rest.partition("]")[0]
    if (
        kind not in ("images", "annotations")
        or not position.isdecimal()
        or not isinstance(coco[kind][int(position)], dict)
    ):
        return ""
    image_id = coco[kind][int(position)].get("id" if kind == "images" else "image_id")
    return show(names[image_id]) if type(image_id) is int and image_id in names else ""


def _file_names(coco: Any, hidden: Collection[str]) -> dict[int, Any]:
    """{image id: file name}, without those of the places ``hidden``."""
    images = coco.get("images") if isinstance(coco, dict) else None
    entries = (
        [(i, image) for i, image in enumerate(images) if isinstance(image, dict)] if isinstance(images, list) else []
    )
    return {
        image["id"]: image["file_name"]
        for i, image in entries
        if type(image.get("id")) is int and "file_name" in image and place("images", i, image) not in hidden
    }
