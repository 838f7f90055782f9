"""What takes part in the comparison of inference, what each is compared with, and its tables.

Two tables: a model against itself in Detectron2, like for like; and small models against a large one, which is not.
"""

import math
from dataclasses import dataclass, field

from segtumor.training.speed.parity import parity_cells
from segtumor.training.speed.tables import Table, milliseconds, ratio

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
class Race:
    """Filled step by step, then run once.

    Attributes:
        contenders: {name: ``turns.Contender``}.
        parities: {name: ``parity.compare``} of those that must find what Detectron2 finds.
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


def main_table(race, timings, title):
    """Like for like: the large model in every way.

    Args:
        race: Race.
        timings: {name: ``turns.Timing``}.
        title: of the table.
    """
    names = [name for name in timings if name not in race.small]
    rows = tuple(
        (name, *_times(timings[name]), ratio(_faster(race, timings, name)), *_results(race, name)) for name in names
    )
    notes = [*race.notes, *_NOTES]
    notes += [_PAIRS_NOTE] if race.baselines else []
    notes += [_PEERS_NOTE] if _has_peers(names) else []
    return Table(title, ("", *_TIMES, "times as fast", *_RESULTS), rows, tuple(notes))


def small_table(race, timings, title, size):
    """Small models: as many times as fast as the large one in Detectron2 at ``size``, and as themselves there."""
    rows = tuple(
        (
            name,
            *_times(timings[name]),
            ratio(_quotient(timings, STOCK, name)),
            ratio(_quotient(timings, itself, name)) if itself else "",
            *_results(race, name),
        )
        for name, itself in race.small.items()
    )
    columns = ("", *_TIMES, f"times stock ResNet-50 at {size}", "times itself in Detectron2", *_RESULTS)
    notes = (_SMALL_NOTE, *([_PEERS_NOTE] if _has_peers(race.small) else []))
    return Table(title, columns, rows, notes)


def raw_rows(race, timings):
    """{name: plain values for JSON}, of both tables."""
    return {
        name: {
            "findings_per_image": _mean_count(race.findings.get(name)),
            "seconds": list(timing.seconds),
            "images": timing.per,
            "median_s_per_image": timing.median_s,
            "minimum_s_per_image": timing.minimum_s,
            "times_as_fast": _faster(race, timings, name),
            "as_fast_as": race.baselines.get(name, STOCK),
            "times_itself": _quotient(timings, race.small.get(name), name),
            "parity": race.parities.get(name),
        }
        for name, timing in timings.items()
    }


def _times(timing):
    return milliseconds(timing.median_s), milliseconds(timing.minimum_s)


def _results(race, name):
    findings = _mean_count(race.findings.get(name))
    return "" if math.isnan(findings) else f"{findings:.1f}", *parity_cells(race.parities.get(name))


def _faster(race, timings, name):
    return _quotient(timings, race.baselines.get(name, STOCK), name)


def _quotient(timings, baseline, name):
    """How many times as fast as ``baseline``, by medians; NaN if it is None or a time is unknown."""
    own = timings[name].median_s
    return timings[baseline].median_s / own if baseline and own else math.nan


def _has_peers(names):
    return any(name.startswith("torchvision") for name in names)


def _mean_count(findings):
    return math.nan if findings is None else sum(map(len, findings)) / len(findings)
