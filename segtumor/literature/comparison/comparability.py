"""Whether a published number may be set beside one of ours, and if not, why: every reason is named.

A number is comparable if the source defines it as we do (``comparable`` of the entry, a person's judgement), the data
set is the same, test and training parts are those of the protocol, unit and IoU rule are ours, and neither side is
known, or not known, to leak. On a list of test images that everyone shares, a leak is the same for both: there it is a
caveat. Rules are compared as text of the form ``box IoU > 0.5``; "above" and "at least" count as one, since an IoU is
exactly the threshold only by chance. Not here: the numbers (``measuring``) and the table (``table``).
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from segtumor.literature.comparison.leak import Leak, Training
from segtumor.literature.entry import UNKNOWN, Entry, Result, Split
from segtumor.literature.protocols import AS_THEY_ARE, BTXRD, Protocol
from segtumor.texts import counted

#: Test parts that hold nearly the same number of units are taken for the same (lists were corrected after printing).
_SAME_SIZE = 0.01
IMAGE, PATIENT, LESION = "image", "patient", "lesion"
AVERAGE_PRECISION = "COCO average precision"
NO_RULE = "none"
_RULE = re.compile(r"(box|mask) iou (?:>=?|≥|above|at least|of at least) ?(0?\.\d+|[01](?:\.0+)?)")
_AVERAGE_PRECISION = ("mask_ap", "box_ap")
_AT_THRESHOLD = ("lesion_", "froc_", "false_positives_")
_OVERLAPPING = ("dice", "iou", "hausdorff", "normalized_surface", "average_surface")
_LOCATED = "located_above_"


@dataclass(frozen=True, kw_only=True)
class MeasuredOn:
    """What our numbers were measured on.

    Attributes:
        dataset: what the annotations say they are of.
        split_kind: ``kind`` of the split, UNKNOWN if it is.
        centers: sorted values of the images' attribute ``center``; UNKNOWN for those without.
        n: {IMAGE, PATIENT, LESION: how many}.
        training: what was trained on, or None if that is not known.
        iou_threshold: from which a lesion counts as found; froc_criterion: when one does in the FROC curve.
    """

    dataset: str
    split_kind: str
    centers: tuple[str, ...]
    n: Mapping[str, int]
    training: Training | None = None
    leak: Leak | None = None
    iou_threshold: float = 0.5
    froc_criterion: str = "iou"


def judge(
    entry: Entry, result: Result, protocol: Protocol, tested: MeasuredOn, unit: str = ""
) -> tuple[list[str], list[str]]:
    """Whether a published number may be compared with one of ours.

    Args:
        unit: of our number, as Estimates have it; "" if there is none, and nothing to count alike.

    Returns:
        (reasons against, caveats); without reasons it may, and the caveats are what to bear in mind.
    """
    split = entry.splits.get(result.split, Split())
    reasons = [] if result.comparable else [result.why_not]
    rules: list[str] = []
    caveats: list[str] = []
    if not same_dataset(entry.dataset, tested.dataset):
        elsewhere = [f"other data: {entry.dataset}"]
    else:
        other_parts = list(_other_parts(split, result, protocol, tested))
        elsewhere = other_parts or list(_other_size(entry, split, result, tested))
        rules, caveats = _other_counting(result, protocol, tested, unit)
    leaks = [*_published_leak(split.leak), *_own_leak(tested)]
    if not (protocol.same_list or protocol.test_centers):
        caveats.append("the same kind of test part, but other images")
    if protocol.same_list and tested.training and not elsewhere:
        caveats += [f"the same test images on both sides, but {leak}" for leak in leaks]
        leaks = []
    reasons += [*elsewhere, *rules, *leaks]
    if not entry.read:
        reasons.append(f"quoted after {entry.quoted_by}, the original was not read")
    return _tidy(reasons), _tidy(caveats)


def same_dataset(published: str, ours: str) -> bool:
    """Whether both are BTXRD, the one public data set of these sources.

    A source's name must be that and no more, since "BTXRD (a subset)" is other data; ours is a description, in which
    the name occurs as a word.
    """
    named = re.search(rf"\b{BTXRD}\b", ours, re.IGNORECASE)
    return published.strip().casefold() == BTXRD.casefold() and named is not None


def our_rule(metric: str, protocol: Protocol, tested: MeasuredOn) -> str:
    """When a lesion counts in a measure of ours, as text; "" where lesions are not located.

    Args:
        metric: name in the protocol's table, without group.
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


def same_rule(published: str, ours: str) -> bool:
    """Whether two rules are the same: the same text, or the same shape and threshold."""
    return _parts(published) == _parts(ours)


def same_unit(published: str, ours: str) -> bool:
    """Whether a published unit, as ``lesion``, is that of an Estimate, as ``lesions``; findings count as lesions."""
    return published == ("lesion" if ours == "findings" else ours.removesuffix("s"))


def _other_parts(split: Split, result: Result, protocol: Protocol, tested: MeasuredOn) -> Iterator[str]:
    """Reasons why test or training part are not those that the result is of."""
    kinds = [tested.split_kind, *(tested.training.split_kinds if tested.training else ())]
    fits = not protocol.split_kinds or set(kinds) <= set(protocol.split_kinds)
    if protocol.name not in result.protocols or not fits:
        yield f"other split: {_kind(split)}; ours: {', '.join(dict.fromkeys(kinds))}"
        return
    wanted = protocol.published_split_kinds
    if wanted and split.kind not in wanted:
        yield f"other split: {_kind(split)}; the protocol's: {protocol.split}"
        return
    if protocol.test_centers and tested.centers != protocol.test_centers:
        yield f"tested on {_centers(protocol.test_centers)}; ours: {_centers(tested.centers)}"
    if protocol.training_centers and tested.training and tested.training.centers != protocol.training_centers:
        yield f"trained on {_centers(protocol.training_centers)}; ours: {_centers(tested.training.centers)}"


def _kind(split: Split) -> str:
    kind = "not said" if split.kind == UNKNOWN else split.kind
    return f"{kind} ({split.detail})" if split.detail else kind


def _other_counting(result: Result, protocol: Protocol, tested: MeasuredOn, unit: str) -> tuple[list[str], list[str]]:
    """(reasons why unit or IoU rule are not ours, caveats where the source gives no rule)."""
    reasons, caveats = [], []
    if unit and not same_unit(result.unit, unit):
        reasons.append(f"counts {result.unit}s; ours: {unit}")
    ours = our_rule(result.metric, protocol, tested)
    if ours and result.iou_rule == NO_RULE:
        caveats.append(f"its IoU rule is not given; ours: {ours}")
    elif ours and not same_rule(result.iou_rule, ours):
        reasons.append(f"other IoU rule: {result.iou_rule}; ours: {ours}")
    return reasons, caveats


def _other_size(entry: Entry, split: Split, result: Result, tested: MeasuredOn) -> Iterator[str]:
    """A split consists of patients where they are what the source counts, else of images."""
    unit = PATIENT if entry.unit == PATIENT else IMAGE
    if split.n is not None and not _close(split.n, tested.n[unit]):
        yield f"other test part: {counted(split.n, f'{unit}s')}; ours: {tested.n[unit]}"
    elif result.unit == LESION and result.n and not result.group and not _close(result.n, tested.n[LESION]):
        yield f"other lesions: {result.n}; ours: {tested.n[LESION]}"


def _published_leak(text: str) -> Iterator[str]:
    """``leak`` of a split as a reason; what says that there is none is no reason."""
    if not text or text.lower().split()[0] in ("none", "no"):
        return
    yield f"whether its split leaks {text}" if text.startswith("cannot") else f"its split leaks: {text}"


def _own_leak(tested: MeasuredOn) -> Iterator[str]:
    if tested.leak is None:
        yield "what our model was trained on is not known"
    elif tested.leak.n_cases:
        yield "our test part shares cases with training"
    elif tested.leak.uncertain:
        yield "images without case_id: whether our test part shares cases with training is not known"


def _centers(values: Iterable[str]) -> str:
    return f"centre {' and '.join(values)}"


def _close(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=_SAME_SIZE)


def _tidy(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text.strip().rstrip(".") for text in texts if text))


def _parts(text: str) -> tuple[str, float] | str:
    text = " ".join(text.casefold().split())
    match = _RULE.fullmatch(text)
    return (match[1], float(match[2])) if match else text
