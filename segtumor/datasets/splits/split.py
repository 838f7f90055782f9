"""The split itself: which image is in which part, how it was made, and what kinds there are; cases in several parts.

A k-fold split and one that leaves one centre out assign every image once, to its fold; their parts are unions of folds.
Not here: the arithmetic (``deal``), files (``document``), and images that are alike (``segtumor.datasets.leaks``).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from segtumor.cases import case_of, is_own_case
from segtumor.datasets.splits.deal import DEFAULT_FRACTIONS, SEVERITY, Keys, grouped_split, kfold_split
from segtumor.errors import ConfigError, DataError
from segtumor.escaping import distinct_parts, file_name_part
from segtumor.texts import some_of

#: {image file name: {"case_id": str, "part": str}}.
Assignment = Mapping[str, Mapping[str, str]]
GROUPED, IMAGE, NONE = "grouped", "image", "none"
KFOLD, LEAVE_ONE_OUT, COLUMN, OFFICIAL = "kfold", "leave-one-out", "column", "official"
KINDS = (GROUPED, IMAGE, NONE, KFOLD, LEAVE_ONE_OUT, COLUMN, OFFICIAL)
#: Kinds whose cases may be in several parts: somebody else made them, or the user asked to ignore cases.
MAY_SHARE_CASES = (IMAGE, COLUMN, OFFICIAL)
TRAIN, VAL, TEST = "train", "val", "test"
_NAMED = 10


@dataclass(frozen=True)
class Split:
    """Which image belongs to which part.

    Attributes:
        kind: one of KINDS.
        seed: of the random generator; None where nothing was drawn.
        fractions: {part, or fold: share of the images aimed at, or found}.
        assignment: {image file name: {"case_id": str, "part": str}}; ``part`` is a key of ``fractions``.
        composition: {part: folds whose images it holds} where parts are unions of folds; None where each is a part.
        origin: how it was made, beyond kind and seed: stratify, by, column, ...
    """

    kind: str
    seed: int | None
    fractions: Mapping[str, float]
    assignment: Assignment
    composition: Mapping[str, tuple[str, ...]] | None = None
    origin: Mapping[str, Any] | None = None

    @property
    def sha256(self) -> str:
        """Hash of the sorted assignment alone: equal for equal splits, however and wherever they were made."""
        rows = sorted([name, entry["case_id"], entry["part"]] for name, entry in self.assignment.items())
        return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode("utf-8")).hexdigest()

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts: those of the composition, else those of ``fractions``, in their order."""
        return tuple(self.fractions if self.composition is None else self.composition)

    @property
    def parts_of_fold(self) -> dict[str, tuple[str, ...]]:
        """{key of ``fractions``: the parts that hold its images}."""
        if self.composition is None:
            return {part: (part,) for part in self.fractions}
        holding = self.composition.items()
        return {fold: tuple(part for part, folds in holding if fold in folds) for fold in self.fractions}


def make_split(
    kind: str,
    file_names: Sequence[str],
    case_ids: Sequence[str],
    labels: Sequence[str],
    *,
    seed: int = 0,
    fractions: Mapping[str, float] | None = None,
    severity: Sequence[str] = SEVERITY,
    within: Keys | None = None,
) -> Split:
    """A new split: grouped (by case), image (one by one, which leaks where cases have several) or none (all in one)."""
    if kind == NONE:
        assignment = _assignment({"all": range(len(file_names))}, file_names, case_ids)
        return Split(NONE, None, {"all": 1.0}, assignment)
    fractions = DEFAULT_FRACTIONS if fractions is None else fractions
    groups = case_ids if kind == GROUPED else file_names
    parts = grouped_split(groups, labels, fractions=fractions, seed=seed, severity=severity, within=within)
    assignment = _assignment(parts, file_names, case_ids)
    if kind == GROUPED:
        check_cases_whole(assignment)
    return Split(kind, seed, dict(fractions), assignment)


def make_kfold(
    file_names: Sequence[str],
    case_ids: Sequence[str],
    labels: Sequence[str],
    *,
    folds: int,
    seed: int = 0,
    test_fraction: float = 0.0,
    severity: Sequence[str] = SEVERITY,
    within: Keys | None = None,
) -> Split:
    """A split into folds by case: parts fold1-train, fold1-val, fold2-train, ... and, if asked for, test.

    Args:
        folds: 2 or more; every image outside the test part is validated on in exactly one.
        test_fraction: share of the images taken out first, by case, into a part of its own; 0 for none.
    """
    if not 0 <= test_fraction < 1:
        raise ConfigError(
            "the test part's share is out of range", where="--test-fraction", got=test_fraction, expected="0 to below 1"
        )
    cells: dict[str, list[int]] = {}
    rest = list(range(len(file_names)))
    if test_fraction:
        shares = {TRAIN: 1 - test_fraction, TEST: test_fraction}
        held_out = grouped_split(case_ids, labels, fractions=shares, within=within, seed=seed, severity=severity)
        cells, rest = {TEST: held_out[TEST]}, held_out[TRAIN]
    cases, strata = ([values[i] for i in rest] for values in (case_ids, labels))
    keys = None if within is None else [within[i] for i in rest]
    divided = kfold_split(cases, strata, folds=folds, within=keys, seed=seed, severity=severity)
    names = [f"fold{number}" for number in range(1, folds + 1)]
    assigned = {name: [rest[i] for i in indices] for name, indices in zip(names, divided, strict=True)} | cells
    assignment = _assignment(assigned, file_names, case_ids)
    check_cases_whole(assignment)
    shares = {name: (1 - test_fraction) / folds for name in names} | ({TEST: test_fraction} if cells else {})
    composition = _fold_parts(names, names) | ({TEST: (TEST,)} if cells else {})
    return Split(KFOLD, seed, shares, assignment, composition)


def leave_one_out(
    file_names: Sequence[str], case_ids: Sequence[str], values: Sequence[str], *, key: str, unknown: str
) -> Split:
    """A split that holds out one centre (or another attribute's value) at a time: parts <key>-<value>-train and -test.

    Images of an unknown value are in the training part of every fold and in no test part, unless their case has a known
    one, which then counts for the whole case.

    Args:
        values: N, text of the attribute.
        unknown: the value of images that have none.

    Raises:
        ConfigError: fewer than two known values.
        DataError: a case with two of them, which would be on both sides.
    """
    value_of_case = _value_of_cases(case_ids, values, key, unknown)
    known = sorted(set(value_of_case.values()) - {unknown})
    if len(known) < 2:
        got = ", ".join(known) or "none"
        raise ConfigError("leaving one out needs several values", where="--leave-out", got=f"{key}: {got}")
    names = _slugs([unknown, *known], key)
    cells: dict[str, list[int]] = {}
    for index, case in enumerate(case_ids):
        cells.setdefault(names[value_of_case[case]], []).append(index)
    ordered = {name: cells[name] for name in names.values() if name in cells}
    held_out = [names[value] for value in known]
    fractions = {name: len(indices) / len(file_names) for name, indices in ordered.items()}
    assignment = _assignment(ordered, file_names, case_ids)
    return Split(LEAVE_ONE_OUT, None, fractions, assignment, _fold_parts(held_out, ordered, last=TEST), {"by": key})


def _fold_parts(held_out: Sequence[str], all_folds: Iterable[str], *, last: str = VAL) -> dict[str, tuple[str, ...]]:
    composition = {}
    for fold in held_out:
        composition[f"{fold}-{TRAIN}"] = tuple(other for other in all_folds if other != fold)
        composition[f"{fold}-{last}"] = (fold,)
    return composition


def _value_of_cases(case_ids: Sequence[str], values: Sequence[str], key: str, unknown: str) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for case, value in zip(case_ids, values, strict=True):
        found.setdefault(case, set()).add(value)
    torn = {case: sorted(own - {unknown}) for case, own in found.items() if len(own - {unknown}) > 1}
    if torn:
        named = some_of([f"{case} ({' and '.join(own)})" for case, own in torn.items()], _NAMED)
        raise DataError(
            f"{len(torn)} cases have images of several values, so that none can be left out whole: {named}",
            where=key,
            remedy=f"Correct {key} or the cases, or leave out another attribute",
        )
    return {case: next(iter(own - {unknown}), unknown) for case, own in found.items()}


def slug(text: str) -> str:
    """Lower-case letters, digits and hyphens only, as part names need (a data set's name is cut at its last _)."""
    words = text.lower().replace(">=", "from ").replace("<", "under ")  # age groups
    return file_name_part(words.replace(".", "-"))


def _slugs(values: Iterable[str], key: str) -> dict[str, str]:
    """{value: distinct part name}."""
    return distinct_parts(values, lambda value: f"{slug(key)}-{slug(value)}")


def split_from_parts(
    kind: str,
    part_of_index: Mapping[int, str],
    file_names: Sequence[str],
    case_ids: Sequence[str],
    *,
    origin: Mapping[str, Any] | None = None,
) -> Split:
    """A split that others have made, of kind column or official; images without a part are left out.

    Its fractions are the shares found. Cases may be in several parts: ask ``cases_in_several_parts``.
    """
    order = (TRAIN, VAL, TEST)
    counts = Counter(part_of_index.values())
    names = sorted(counts, key=lambda part: (order.index(part) if part in order else len(order), part))
    fractions = {part: counts[part] / len(part_of_index) for part in names}
    indices = sorted(part_of_index, key=lambda index: file_names[index])
    assignment = {file_names[i]: {"case_id": case_ids[i], "part": part_of_index[i]} for i in indices}
    return Split(kind, None, fractions, assignment, None, origin)


def _assignment(
    parts: Mapping[str, Iterable[int]], file_names: Sequence[str], case_ids: Sequence[str]
) -> dict[str, dict[str, str]]:
    part_of = {index: part for part, indices in parts.items() for index in indices}
    return {
        name: {"case_id": case_ids[index], "part": part_of[index]}
        for index, name in sorted(enumerate(file_names), key=lambda item: item[1])
    }


class LeakNumbers(NamedTuple):
    """Numbers of one assignment: ``known_cases`` are not made up for an image without one.

    Of ``images_outside_train``, ``affected_images`` are those whose case is in another part, too.
    """

    cases: int
    known_cases: int
    shared_cases: int
    images_outside_train: int
    affected_images: int


def cases_in_several_parts(assignment: Assignment) -> dict[str, list[str]]:
    """{case: sorted parts} of the cases that are in more than one part."""
    parts_of_case: dict[str, set[str]] = {}
    for entry in assignment.values():
        case = case_of(entry)
        if case is not None:
            parts_of_case.setdefault(case, set()).add(entry["part"])
    return {case: sorted(parts) for case, parts in sorted(parts_of_case.items()) if len(parts) > 1}


def leak_numbers(assignment: Assignment, *, train: str = "train") -> LeakNumbers:
    """How much a split that was not made by case leaks; images outside the part ``train`` can suffer."""
    shared = cases_in_several_parts(assignment)
    outside = [case_of(entry) for entry in assignment.values() if entry["part"] != train]
    cases = {case for entry in assignment.values() if (case := case_of(entry)) is not None}
    known = sum(not is_own_case(case) for case in cases)
    return LeakNumbers(len(cases), known, len(shared), len(outside), sum(case in shared for case in outside))


def check_cases_whole(assignment: Assignment, *, where: Path | str | None = None) -> None:
    """Raise DataError for a split that has images of one case in two parts, naming the first such cases."""
    leaking = cases_in_several_parts(assignment)
    if not leaking:
        return
    named = some_of([f"{case} ({' and '.join(parts)})" for case, parts in leaking.items()], _NAMED)
    raise DataError(
        f"{len(leaking)} cases are in several parts of the split: {named}",
        where=where,
        remedy="Make a new split by case (grouped)",
    )
