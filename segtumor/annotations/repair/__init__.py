"""A repaired copy of a COCO file: what is certain is put right, an image with anything else is left out, all reported.

An image goes with all its annotations: one whose only lesion was dropped would train as normal. The copy has no error
that ``segtumor.annotations.validation`` knows, always. Not here: guessing, and writing files (``segtumor data check
--fix``).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segtumor.annotations.attributes import label_of
from segtumor.annotations.problems import place, show
from segtumor.annotations.repair.images import repair_image, repair_sizes
from segtumor.annotations.repair.ledger import Change, Ledger, Repaired, Work, objects
from segtumor.annotations.repair.lesions import repair_lesions
from segtumor.annotations.repair.numbering import read_ids, remove_copies, renumber, renumber_texts, resolve_names
from segtumor.annotations.repair.omission import leave_out, leave_out_images
from segtumor.annotations.repair.shapes import outline_boxes, remove_empty, repair_shapes
from segtumor.annotations.validation import LISTS, find_problems
from segtumor.errors import DataError
from segtumor.taxonomy import NORMAL

__all__ = ["Change", "Repaired", "repair"]


def repair(
    coco: Any,
    *,
    image_root: Path | str | None = None,
    require_masks: bool = True,
    unusable: Mapping[str, str] | None = None,
    crowds_as_lesions: bool = False,
    boxes_as_masks: bool = False,
) -> Repaired:
    """Put right what is certain, leave out what is not.

    Args:
        coco: the parsed JSON; not modified.
        image_root: folder of the images; None repairs nothing that needs them, and looks for none.
        require_masks: whether a lesion without an outline makes its image go.
        unusable: {file name: why} of further images to leave out, as those that cannot be opened.
        crowds_as_lesions: whether each crowd region with an outline becomes one lesion, as drawn with a brush.
        boxes_as_masks: whether a box without an outline becomes its own outline.

    Returns:
        Repaired; ``find_problems(repaired.coco)`` has no errors.

    Raises:
        DataError: it is no COCO object, the image root is no folder, or nothing is left.
    """
    if not isinstance(coco, dict):
        raise DataError("cannot be repaired: not a JSON object", got=show(coco))
    ledger, work = Ledger(), _entries(coco)
    if not isinstance(coco.get("annotations"), list):
        ledger.change("file", "annotations", "added, empty", coco.get("annotations"), [])
        leave_out_images(work, ledger, lambda e: label_of(e) != NORMAL, "the file has no list of annotations")
    read_ids(work, ledger)
    remove_copies(work, ledger)
    resolve_names(work, ledger)
    renumber_texts(work, ledger)
    renumber(work["annotations"], ledger)
    for index, image in objects(work["images"]):
        repair_image(image, place("images", index, image), image_root, ledger)
    repair_shapes(work, ledger, crowds_as_lesions=crowds_as_lesions)
    if image_root is not None:
        repair_sizes(work, image_root, ledger)
    if boxes_as_masks:
        outline_boxes(work, ledger)
    repair_lesions(work, ledger)
    remove_empty(work, ledger)
    names = unusable or {}
    leave_out_images(work, ledger, lambda e: _name(e) in names, "image cannot be used", names)
    rest = {key: value for key, value in coco.items() if key not in LISTS}
    return _without_errors(rest, work, ledger, require_masks=require_masks, image_root=image_root)


def _entries(coco: Mapping[str, Any]) -> Work:
    """{list: [(position, copy of the entry)]}; what is no object stays as it is, to be left out and reported."""
    lists = {name: value if isinstance(value := coco.get(name), list) else [] for name in LISTS}
    return {name: [(i, dict(e) if isinstance(e, dict) else e) for i, e in enumerate(lists[name])] for name in LISTS}


def _name(image: Mapping[str, Any]) -> str | None:
    name = image.get("file_name")
    return name if isinstance(name, str) else None


def _without_errors(
    rest: dict[str, Any], work: Work, ledger: Ledger, *, require_masks: bool, image_root: Path | str | None
) -> Repaired:
    """Leave out whatever still has an error, until none has; each round takes at least one entry away."""
    while True:
        coco = {**rest, **{name: [entry for _, entry in work[name]] for name in LISTS}}
        errors = find_problems(coco, require_masks=require_masks, image_root=image_root, with_warnings=False)
        if not errors:
            return Repaired(coco, ledger.changes, ledger.left_out, frozenset(ledger.kinds))
        for problem in [p for p in errors if p.where == "file" and p.field in rest]:
            ledger.change("file", problem.field, f"removed: it {problem.what}", rest.pop(problem.field), None)
            errors.remove(problem)
        fatal = [p for p in errors if "[" not in p.where]
        if fatal:
            raise DataError(f"nothing is left after the repair: {fatal[0]}", remedy="Fix the file by hand")
        leave_out(errors, work, ledger)
