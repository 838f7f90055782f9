"""Whether a published number may stand beside one of ours, and if not, why: every reason is named.

A number is comparable if the source defines it as we do (``comparable`` of the entry, a person's judgement), the data
set is the same, test and training parts are those of the protocol, unit and IoU rule are ours, and neither side is
known to leak or cannot tell. On a list of test images that everyone shares, a leak is
the same for both: there it is a caveat. Not here: the numbers (``measuring``) and the table (``table``).
"""

import math
import re
from dataclasses import dataclass

from segtumor.cases import case_of
from segtumor.evaluation.facts.image_level import has_tumor
from segtumor.literature.counting_rules import NO_RULE, our_rule, same_rule, same_unit
from segtumor.literature.protocols import BTXRD
from segtumor.texts import counted

#: Test parts that hold nearly the same number of units are taken for the same (lists were corrected after printing).
_SAME_SIZE = 0.01
IMAGE, PATIENT, LESION = "image", "patient", "lesion"
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Training:
    """What the model was trained on: its training and validation parts.

    Attributes:
        name: of the files, in words.
        cases: case ids, as text.
        n_without_case: images without one.
        centers: sorted values of the images' attribute ``center``; UNKNOWN for those without.
        split_kinds: what the files say of their split, UNKNOWN for those that say nothing.
    """

    name: str
    cases: frozenset[str]
    n_without_case: int
    centers: tuple[str, ...]
    split_kinds: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MeasuredOn:
    """What our numbers were measured on.

    Attributes:
        dataset: what the annotations say they are of.
        split_kind: ``kind`` of the split, UNKNOWN if it is.
        centers: sorted values of the images' attribute ``center``; UNKNOWN for those without.
        n: {IMAGE, PATIENT, LESION: how many}.
        training: what was trained on, or None if that is not known.
        leak: what the test part shares with it, or None.
        iou_threshold: from which a lesion counts as found; froc_criterion: when one does in the FROC curve.
    """

    dataset: str
    split_kind: str
    centers: tuple[str, ...]
    n: dict[str, int]
    training: Training | None = None
    leak: "Leak | None" = None
    iou_threshold: float = 0.5
    froc_criterion: str = "iou"


@dataclass(frozen=True, kw_only=True)
class Leak:
    """What a test part shares with what was trained on.

    Attributes:
        n_images, n_tumor_images, n_lesions: of the test part, of cases that are in the training part too.
        of_images, of_tumor_images, of_lesions: how many the test part has.
        n_cases: cases in both.
        n_without_case: images of the test part of which no case is known.
        training: what was trained on.
    """

    n_images: int
    of_images: int
    n_tumor_images: int
    of_tumor_images: int
    n_lesions: int
    of_lesions: int
    n_cases: int
    n_without_case: int
    training: Training

    @property
    def uncertain(self):
        """Whether images without case, in either part, leave open what is shared."""
        return bool(self.n_without_case or self.training.n_without_case)

    @property
    def sentence(self):
        """The leak in words."""
        where = f"in the training part ({self.training.name})"
        if self.n_cases:
            text = (
                f"LEAK: {self.n_images} of {self.of_images} test images ({self.n_tumor_images} of "
                f"{self.of_tumor_images} with tumor, {self.n_lesions} of {self.of_lesions} lesions) are of "
                f"{counted(self.n_cases, 'cases')} that stand {where} too."
            )
        elif self.n_without_case == self.of_images or not self.training.cases:
            text = f"Whether cases of the test part are {where} cannot be told."
        else:
            text = f"No case of the test part is {where}."
        for n, part in ((self.n_without_case, "test"), (self.training.n_without_case, "training")):
            text += f" {counted(n, f'{part} images')} without case_id: nothing is known of them." if n else ""
        return text


def find_leak(results, training, class_names=()):
    """What ImageResults share with Training; an image has a tumor as ``evaluation.facts.image_level`` has it.

    Returns:
        (a Leak, list of the ImageResults that share nothing as far as is known).
    """
    leaking = [case_of_result(result) in training.cases for result in results]
    shared = [result for result, leaks in zip(results, leaking, strict=True) if leaks]
    leak = Leak(
        n_images=len(shared),
        of_images=len(results),
        n_tumor_images=_n_tumor(shared, class_names),
        of_tumor_images=_n_tumor(results, class_names),
        n_lesions=n_lesions(shared),
        of_lesions=n_lesions(results),
        n_cases=len({case_of_result(result) for result in shared}),
        n_without_case=sum(case_of_result(result) is None for result in results),
        training=training,
    )
    return leak, [result for result, leaks in zip(results, leaking, strict=True) if not leaks]


def judge(entry, result, protocol, tested, unit: str = ""):
    """Whether a published Result may be compared with numbers of ours.

    Args:
        entry, result: the Entry and one of its Results.
        protocol: the Protocol that measured ours.
        tested: MeasuredOn.
        unit: of our number, as Estimates have it; "" if there is none, and nothing to count alike.

    Returns:
        (reasons against, caveats): lists of texts; without reasons it may, and the caveats are what to bear in mind.
    """
    split = entry.splits.get(result.split, {"kind": UNKNOWN, "detail": "", "n": None, "leak": ""})
    reasons = [] if result.comparable else [result.why_not]
    rules, caveats = [], []
    if not same_dataset(entry.dataset, tested.dataset):
        elsewhere = [f"other data: {entry.dataset}"]
    else:
        other_parts = list(_other_parts(split, result, protocol, tested))
        elsewhere = other_parts or list(_other_size(entry, split, result, tested))
        rules, caveats = _other_counting(result, protocol, tested, unit)
    leaks = [*_published_leak(split["leak"]), *_own_leak(tested)]
    if not (protocol.same_list or protocol.test_centers):
        caveats.append("the same kind of test part, but other images")
    if protocol.same_list and tested.training and not elsewhere:
        caveats += [f"the same test images on both sides, but {leak}" for leak in leaks]
        leaks = []
    reasons += [*elsewhere, *rules, *leaks]
    if not entry.read:
        reasons.append(f"quoted after {entry.quoted_by}, the original was not read")
    return _tidy(reasons), _tidy(caveats)


def same_dataset(published, ours):
    """Whether both are BTXRD, the one public data set of these sources.

    A source's name must be that and no more, since "BTXRD (a subset)" is other data; ours is a description, in which
    the name stands as a word.
    """
    named = re.search(rf"\b{BTXRD}\b", ours, re.IGNORECASE)
    return published.strip().casefold() == BTXRD.casefold() and named is not None


def case_of_result(result):
    """Case of an ImageResult, or None."""
    return case_of(result.truth.attributes)


def n_lesions(results):
    """Lesions on ImageResults, without crowd regions."""
    return sum(not lesion.iscrowd for result in results for lesion in result.truth.lesions)


def _other_parts(split, result, protocol, tested):
    """Reasons why test or training part are not those that the result is of."""
    kinds = [tested.split_kind, *(tested.training.split_kinds if tested.training else ())]
    fits = not protocol.split_kinds or set(kinds) <= set(protocol.split_kinds)
    if protocol.name not in result.protocols or not fits:
        yield f"other split: {_kind(split)}; ours: {', '.join(dict.fromkeys(kinds))}"
        return
    wanted = protocol.published_split_kinds
    if wanted and split["kind"] not in wanted:
        yield f"other split: {_kind(split)}; the protocol's: {protocol.split}"
        return
    if protocol.test_centers and tested.centers != protocol.test_centers:
        yield f"tested on {_centers(protocol.test_centers)}; ours: {_centers(tested.centers)}"
    if protocol.training_centers and tested.training and tested.training.centers != protocol.training_centers:
        yield f"trained on {_centers(protocol.training_centers)}; ours: {_centers(tested.training.centers)}"


def _kind(split):
    kind = "not said" if split["kind"] == UNKNOWN else split["kind"]
    return f"{kind} ({split['detail']})" if split["detail"] else kind


def _other_counting(result, protocol, tested, unit):
    """(reasons why unit or IoU rule are not ours, caveats where the source says no rule)."""
    reasons, caveats = [], []
    if unit and not same_unit(result.unit, unit):
        reasons.append(f"counts {result.unit}s; ours: {unit}")
    ours = our_rule(result.metric, protocol, tested)
    if ours and result.iou_rule == NO_RULE:
        caveats.append(f"its IoU rule is not given; ours: {ours}")
    elif ours and not same_rule(result.iou_rule, ours):
        reasons.append(f"other IoU rule: {result.iou_rule}; ours: {ours}")
    return reasons, caveats


def _other_size(entry, split, result, tested):
    """A split consists of patients where they are what the source counts, else of images."""
    unit = PATIENT if entry.unit == PATIENT else IMAGE
    if split["n"] is not None and not _close(split["n"], tested.n[unit]):
        yield f"other test part: {counted(split['n'], f'{unit}s')}; ours: {tested.n[unit]}"
    elif result.unit == LESION and result.n and not result.group and not _close(result.n, tested.n[LESION]):
        yield f"other lesions: {result.n}; ours: {tested.n[LESION]}"


def _published_leak(text):
    """``leak`` of a split as a reason; what says that there is none is no reason."""
    if not text or text.lower().split()[0] in ("none", "no"):
        return
    yield f"whether its split leaks {text}" if text.startswith("cannot") else f"its split leaks: {text}"


def _own_leak(tested):
    if tested.leak is None:
        yield "what our model was trained on is not known"
    elif tested.leak.n_cases:
        yield "our test part shares cases with training"
    elif tested.leak.uncertain:
        yield "images without case_id: whether our test part shares cases with training is not known"


def _centers(values) -> str:
    return f"centre {' and '.join(values)}"


def _close(first, second):
    return math.isclose(first, second, rel_tol=_SAME_SIZE)


def _n_tumor(results, class_names):
    return sum(has_tumor(result.truth, class_names) for result in results)


def _tidy(texts):
    return list(dict.fromkeys(text.strip().rstrip(".") for text in texts if text))
