"""The shape of annotations before anything is measured: outlines as lists of polygons, crowds, boxes, empty objects.

Not here: where outlines lie (``images``), and whether they fit their boxes (``lesions``).
"""

from typing import Any

from segtumor.annotations.flat_polygons import box_polygon
from segtumor.annotations.problems import ProblemKind, place
from segtumor.annotations.regions import has_outline
from segtumor.annotations.repair.ledger import Ledger, Work, integer_at, objects
from segtumor.annotations.segmentations import are_numbers, check_outlines, nested_polygons

#: An outline with one of these faults has nothing in the image.
NOTHING = {ProblemKind.POLYGON_TOO_SHORT, ProblemKind.POLYGON_FLAT, ProblemKind.POLYGON_OUTSIDE}
_NO_OUTLINE: tuple[Any, ...] = (None, [])


def repair_shapes(work: Work, ledger: Ledger, *, crowds_as_lesions: bool) -> None:
    """Nest flat outlines, write those that hold nothing as [], take crowds as lesions if asked to; all in place."""
    for index, annotation in objects(work["annotations"]):
        where, outline = place("annotations", index, annotation), annotation.get("segmentation")
        nested = nested_polygons(outline)
        if nested is not None:
            ledger.set(annotation, where, "segmentation", "made a list of polygons", nested)
        elif not has_outline(annotation) and outline not in _NO_OUTLINE:
            ledger.set(annotation, where, "segmentation", "made an empty list: it holds no outline", [])
        if crowds_as_lesions and annotation.get("iscrowd") == 1 and has_outline(annotation):
            ledger.set(annotation, where, "iscrowd", "crowd taken as a lesion, as asked", 0)


def remove_empty(work: Work, ledger: Ledger) -> None:
    """Remove objects of nothing, with neither outline nor box, beside others; an image of such alone is left to go."""
    empty, others = [], set()
    for index, annotation in objects(work["annotations"]):
        if integer_at(annotation, "image_id") is None:
            continue
        if _is_empty(annotation):
            empty.append((index, annotation))
        else:
            others.add(annotation["image_id"])
    gone = {index: annotation for index, annotation in empty if annotation["image_id"] in others}
    for index, annotation in gone.items():
        what = "removed: an empty object, without outline and box"
        ledger.change(place("annotations", index, annotation), "(entry)", what, annotation, None)
    work["annotations"] = [pair for pair in work["annotations"] if pair[0] not in gone]


def _is_empty(annotation: dict[str, Any]) -> bool:
    box = annotation.get("bbox")
    if box not in _NO_OUTLINE and not (are_numbers(box, 4) and min(box[2:]) == 0):
        return False
    if not has_outline(annotation):
        return True
    faults = check_outlines([(None, annotation, None, None)]).faults
    polygons = annotation["segmentation"] if isinstance(annotation["segmentation"], list) else [None]
    empty = [fault for fault in faults if fault.kind in {*NOTHING, ProblemKind.RLE_EMPTY}]
    return len(empty) == len(faults) == len(polygons)


def outline_boxes(work: Work, ledger: Ledger) -> None:
    """Make each box without an outline its own outline, marked as such (``mask_from_box``)."""
    for index, annotation in objects(work["annotations"]):
        box = annotation.get("bbox")
        if not has_outline(annotation) and are_numbers(box, 4) and min(box[2:]) > 0:
            where = place("annotations", index, annotation)
            ledger.set(annotation, where, "segmentation", "made of the box, as asked", [box_polygon(box)])
            annotation["mask_from_box"] = True
