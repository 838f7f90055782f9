"""What takes part in the comparison of inference, what each is compared with, and their tables.

Two tables: a model against itself in Detectron2, like for like; and small models against a large one, which is not.
"""

import math
from dataclasses import dataclass, field

from benchmarks.speed.report import Table, milliseconds, ratio
from segtumor.errors import ModelError
from segtumor.export.parity import MAX_SCORE, check_parity
from segtumor.runtime.differences import differences, edges_of

STOCK = "Detectron2, eager"
_TIMES = ("ms per image", "minimum")
_RESULTS = ("findings", "boxes, px", "scores", "mask IoU", "unmatched")
_NOTES = (
    "From a windowed image to boxes, scores, classes and full-size masks as RLE; reading files, windows and "
    "post-processing are the same on both sides and not in the times. Detectron2 has its own numbers, 1,000 proposals, "
    "scores above 0.05, at most 100 findings; so have segtumor's rows, but for the one that says otherwise.",
    "Boxes, scores, mask IoU, unmatched: the largest difference to Detectron2's findings with the same weights.",
)
_PAIRS_NOTE = (
    "Two images at once, one thread for each: as many times as fast as Detectron2 that works in this way. "
    "tools/infer.py does not: it predicts one image after the other."
)
_PEERS_NOTE = (
    "torchvision's detectors have random weights and keep no finding, so that they have no masks to predict and draw: "
    "the least that they can take. fasterrcnn and ssdlite predict boxes only."
)
_SMALL_NOTE = (
    "Smaller networks on smaller images: as many times as fast as the large model says what giving up its size gains; "
    "as many times as fast as the same model in Detectron2 says how well it is run."
)


@dataclass
class Comparison:
    """Filled step by step, then run once.

    Attributes:
        contenders: {name: ``timing.Contender``}.
        parities: {name: ``compare``} of those that must find what Detectron2 finds.
        findings: {name: findings of every image}.
        baselines: {name: name of what it is compared with}; ``STOCK`` for those that are not in it.
        small: {name: name of the same model in Detectron2, or None} of the small models.
        notes: sentences below the first table.
    """

    contenders: dict = field(default_factory=dict)
    parities: dict = field(default_factory=dict)
    findings: dict = field(default_factory=dict)
    baselines: dict = field(default_factory=dict)
    small: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)


def main_table(comparison, timings, title):
    """Like for like: the large model in every way.

    Args:
        comparison: Comparison.
        timings: {name: ``timing.Timing``}.
        title: of the table.
    """
    names = [name for name in timings if name not in comparison.small]
    rows = tuple(
        (name, *_times(timings[name]), ratio(_faster(comparison, timings, name)), *_results(comparison, name))
        for name in names
    )
    notes = [*comparison.notes, *_NOTES]
    notes += [_PAIRS_NOTE] if comparison.baselines else []
    notes += [_PEERS_NOTE] if _has_peers(names) else []
    return Table(title, ("", *_TIMES, "times as fast", *_RESULTS), rows, tuple(notes))


def small_table(comparison, timings, title, size):
    """Small models: as many times as fast as the large one in Detectron2 at ``size``, and as themselves there."""
    rows = tuple(
        (
            name,
            *_times(timings[name]),
            ratio(_quotient(timings, STOCK, name)),
            ratio(_quotient(timings, itself, name)) if itself else "",
            *_results(comparison, name),
        )
        for name, itself in comparison.small.items()
    )
    columns = ("", *_TIMES, f"times stock ResNet-50 at {size}", "times itself in Detectron2", *_RESULTS)
    notes = (_SMALL_NOTE, *([_PEERS_NOTE] if _has_peers(comparison.small) else []))
    return Table(title, columns, rows, notes)


def raw_rows(comparison, timings):
    """{name: plain values for JSON}, of both tables."""
    return {
        name: {
            "findings_per_image": _mean_count(comparison.findings.get(name)),
            "seconds": list(timing.seconds),
            "images": timing.per,
            "median_s_per_image": timing.median_s,
            "minimum_s_per_image": timing.minimum_s,
            "times_as_fast": _faster(comparison, timings, name),
            "as_fast_as": comparison.baselines.get(name, STOCK),
            "times_itself": _quotient(timings, comparison.small.get(name), name),
            "parity": comparison.parities.get(name),
        }
        for name, timing in timings.items()
    }


def _times(timing):
    return milliseconds(timing.median_s), milliseconds(timing.minimum_s)


def _results(comparison, name):
    findings = _mean_count(comparison.findings.get(name))
    return "" if math.isnan(findings) else f"{findings:.1f}", *parity_cells(comparison.parities.get(name))


def _faster(comparison, timings, name):
    return _quotient(timings, comparison.baselines.get(name, STOCK), name)


def _quotient(timings, baseline, name):
    """How many times as fast as ``baseline``, by medians; NaN if it is None or a time is unknown."""
    own = timings[name].median_s
    return timings[baseline].median_s / own if baseline and own else math.nan


def _has_peers(names):
    return any(name.startswith("torchvision") for name in names)


def _mean_count(findings):
    return math.nan if findings is None else sum(map(len, findings)) / len(findings)


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
