"""Whether a faster way finds what Detectron2 finds, as cells of a table and as a sentence where it does not."""

import math

from segtumor.errors import ModelError
from segtumor.export.parity import MAX_SCORE, check_parity
from segtumor.runtime.differences import differences, edges_of


def compare(expected, found, regions):
    """``runtime.differences.differences`` of findings, one sequence for each image, and the score above which they are.

    Args:
        expected, found: of Detectron2 and of the faster way.
        regions: ``runtime.contract.Regions``: rounding may decide what lies at the score threshold, or at the end of a
            list that is full.
    """
    edges = edges_of(expected, found, regions, tolerance=MAX_SCORE)
    return {**differences(expected, found, edges=edges), "score_limit": regions.score_threshold}


def problem(name, parity):
    """A sentence if a 32-bit way differs from Detectron2 by more than rounding, else None."""
    try:
        check_parity(parity, name)
    except ModelError as error:
        return str(error)
    return None


def parity_cells(parity):
    """Largest difference of boxes in px, of scores, smallest mask IoU, number of unmatched findings; texts."""
    if parity is None:
        return ("",) * 4
    unmatched = parity["n_unmatched_reference"] + parity["n_unmatched_other"]
    return (
        _number(parity["max_box_px"], ".1e"),
        _number(parity["max_score"], ".1e"),
        _number(parity["min_mask_iou"], ".4f"),
        str(unmatched),
    )


def _number(value, form):
    return "-" if math.isnan(value) else f"{value:{form}}"
