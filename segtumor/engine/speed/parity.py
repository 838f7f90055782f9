"""Whether a faster way finds what Detectron2 finds, as cells of a table and as a sentence where it does not."""

import math

from segtumor.engine.export_parity import MAX_SCORE, check_parity
from segtumor.errors import ModelError
from segtumor.runtime.parity import differences


def compare(expected, found, regions):
    """``runtime.parity.differences`` of findings, one sequence for each image.

    Args:
        expected, found: of Detectron2 and of the faster way.
        regions: ``runtime.contract.Regions``: rounding may decide what lies at the score threshold, or at the end of a
            list that is full.
    """
    edges = [_edge(pair, regions) for pair in zip(expected, found, strict=True)]
    return differences(expected, found, edges=edges)


def _edge(pair, regions):
    full = [findings[-1].score for findings in pair if 0 < regions.max_detections <= len(findings)]
    return max([regions.score_threshold, *full]) + MAX_SCORE


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
