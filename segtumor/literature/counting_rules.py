"""Whether a published number counts as ours do: its unit, its IoU rule, and whether it can be a share at all.

Rules are compared as text of the form ``box IoU > 0.5``; above and at least are not told apart, since no IoU is exactly
the threshold but by chance. Not here: data, split and leaks (``comparable``).
"""

import re

from segtumor.literature.protocols import AS_THEY_ARE

AVERAGE_PRECISION = "COCO average precision"
NO_RULE = "none"
_RULE = re.compile(r"(box|mask) iou (?:>=?|≥|above|at least|of at least) ?(0?\.\d+|[01](?:\.0+)?)")
_AVERAGE_PRECISION = ("mask_ap", "box_ap")
_AT_THRESHOLD = ("lesion_", "froc_", "false_positives_")
_OVERLAPPING = ("dice", "iou", "hausdorff", "normalized_surface", "average_surface")
_LOCATED = "located_above_"
#: Measures that are no shares, and may be above 1.
_NO_SHARES = ("hausdorff", "average_surface", "false_positives_")


def our_rule(metric, protocol, tested):
    """When a lesion counts in a measure of ours, as text; "" where lesions are not located.

    Args:
        metric: name in the protocol's table, without group.
        protocol: a Protocol.
        tested: MeasuredOn, for the thresholds.
    """
    if metric.startswith(_AVERAGE_PRECISION):
        return AVERAGE_PRECISION
    shape = "mask" if protocol.shapes_of_metrics.get(metric, AS_THEY_ARE) == AS_THEY_ARE else "box"
    if metric.startswith(_LOCATED):
        return f"{shape} IoU > {metric.removeprefix(_LOCATED).removesuffix('_of_boxes')}"
    if metric.startswith(_OVERLAPPING):
        return f"{shape} IoU > 0"
    if not metric.startswith(_AT_THRESHOLD):
        return ""
    if metric.startswith("froc_") and tested.froc_criterion != "iou":
        return f"criterion {tested.froc_criterion}"
    return f"{shape} IoU >= {tested.iou_threshold:g}"


def same_rule(published, ours):
    """Whether two rules are the same: the same text, or the same shape and threshold."""
    return _parts(published) == _parts(ours)


def same_unit(published, ours):
    """Whether a published unit, as ``lesion``, is that of an Estimate, as ``lesions``; findings count as lesions."""
    return published == ("lesion" if ours == "findings" else ours.removesuffix("s"))


def is_share(metric) -> bool:
    """Whether a measure of ours lies in 0 to 1, or 0 to 100 %."""
    return not metric.startswith(_NO_SHARES)


def _parts(text):
    text = " ".join(text.casefold().split())
    match = _RULE.fullmatch(text)
    return (match[1], float(match[2])) if match else text
