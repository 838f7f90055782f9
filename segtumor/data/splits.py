"""Splits into parts such as train, val and test, made by case and kept in a file with hashes.

Several radiographs show the same case (one patient's study). A split that ignores this tests on what it has trained on,
so the case is the unit, and a split by case that has one in two parts is refused wherever it comes from. Not here: what
a data set calls its cases, and writing the parts themselves.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segtumor.data.records import parse_json
from segtumor.errors import ConfigError, DataError
from segtumor.taxonomy import BENIGN, MALIGNANT, NORMAL

GROUPED, IMAGE, NONE = "grouped", "image", "none"
KINDS = (GROUPED, IMAGE, NONE)
#: A case counts as what its gravest radiograph shows; later is graver.
SEVERITY = (NORMAL, BENIGN, MALIGNANT)
DEFAULT_FRACTIONS = {"train": 0.7, "val": 0.1, "test": 0.2}
SCHEMA_VERSION = 1
_NAMED = 10


@dataclass(frozen=True)
class Split:
    """Which image belongs to which part.

    Attributes:
        kind: grouped, image or none.
        seed: of the random generator; None for none.
        fractions: {part: share of the images aimed at}.
        assignment: {image file name: {"case_id": str, "part": str}}.
    """

    kind: str
    seed: int | None
    fractions: Mapping[str, float]
    assignment: Mapping[str, Mapping[str, str]]

    @property
    def sha256(self):
        """Hash of the sorted assignment alone: equal for equal splits, however and wherever they were made."""
        rows = sorted([name, entry["case_id"], entry["part"]] for name, entry in self.assignment.items())
        return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode("utf-8")).hexdigest()

    @property
    def parts(self):
        """Names of the parts, in the order of ``fractions``."""
        return tuple(self.fractions)


def grouped_split(groups, strata, *, fractions, seed, severity=SEVERITY):
    """Divide images into parts so that no group is in two of them and the parts are alike in their strata.

    Within each stratum the groups come in random order, each to the part that still lacks the largest share of the
    images it should get. So each part is within about one group of its fraction, and from three groups on
    none of three parts stays empty.

    Args:
        groups: case of each image.
        strata: label of each image; a group belongs to the gravest of its labels.
        fractions: {part: share of the images}, positive, with sum 1.
        seed: int; the same input and seed give the same split.
        severity: every label, the gravest last.

    Returns:
        {part: sorted list of image indices}; each index once.

    Raises:
        ConfigError: fractions that are no shares of one.
    """
    check_fractions(fractions)
    members = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    groups_of_stratum = {rank: [] for rank in range(len(severity))}
    for group, indices in members.items():
        groups_of_stratum[max(severity.index(strata[i]) for i in indices)].append(group)
    rng = np.random.default_rng(seed)
    parts = {part: [] for part in fractions}
    for stratum in groups_of_stratum.values():
        sizes = [len(members[group]) for group in stratum]
        for number, part in _deal(sizes, fractions, rng):
            parts[part].extend(members[stratum[number]])
    return {part: sorted(indices) for part, indices in parts.items()}


def _deal(sizes, fractions, rng):
    """Yield (position in ``sizes``, part) for every group of one stratum."""
    target = {part: fraction * sum(sizes) for part, fraction in fractions.items()}
    filled = dict.fromkeys(fractions, 0)
    for number in rng.permutation(len(sizes)):
        part = max(target, key=lambda name: 1 - filled[name] / target[name])
        filled[part] += sizes[number]
        yield number, part


def check_fractions(fractions):
    """Raises ConfigError unless every share is positive and they add up to 1."""
    values = list(fractions.values())
    if not values or not all(value > 0 for value in values) or not math.isclose(sum(values), 1, abs_tol=1e-6):
        raise ConfigError(
            "fractions of a split must be positive and add up to 1",
            where="--fractions",
            got=" ".join(f"{value:g}" for value in values),
            expected="for example 0.7 0.1 0.2",
        )


def make_split(kind, file_names, case_ids, labels, *, seed=0, fractions=None, severity=SEVERITY):
    """A new split of one of the KINDS.

    Args:
        kind: grouped (by case), image (each image by itself; it leaks where cases have several) or none (all in one).
        file_names: N, distinct.
        case_ids: N.
        labels: N, each one of ``severity``.

    Returns:
        Split.
    """
    if kind == NONE:
        assignment = _assignment({"all": range(len(file_names))}, file_names, case_ids)
        return Split(NONE, None, {"all": 1.0}, assignment)
    fractions = DEFAULT_FRACTIONS if fractions is None else fractions
    groups = case_ids if kind == GROUPED else file_names
    parts = grouped_split(groups, labels, fractions=fractions, seed=seed, severity=severity)
    assignment = _assignment(parts, file_names, case_ids)
    if kind == GROUPED:
        check_no_group_in_two_parts(assignment)
    return Split(kind, seed, dict(fractions), assignment)


def _assignment(parts, file_names, case_ids):
    part_of = {index: part for part, indices in parts.items() for index in indices}
    return {
        name: {"case_id": case_ids[index], "part": part_of[index]}
        for index, name in sorted(enumerate(file_names), key=lambda item: item[1])
    }


def groups_in_several_parts(assignment):
    """{case: sorted parts} of the cases that stand in more than one part of an assignment."""
    parts_of_case = {}
    for entry in assignment.values():
        parts_of_case.setdefault(entry["case_id"], set()).add(entry["part"])
    return {case: sorted(parts) for case, parts in sorted(parts_of_case.items()) if len(parts) > 1}


def check_no_group_in_two_parts(assignment, *, where=None):
    """Refuse a split that has images of one case in two parts.

    Args:
        assignment: {image file name: {"case_id": str, "part": str}}.
        where: file it comes from, for the message.

    Raises:
        DataError: naming the first cases and their parts.
    """
    leaking = groups_in_several_parts(assignment)
    if not leaking:
        return
    named = ", ".join(f"{case} ({' and '.join(parts)})" for case, parts in list(leaking.items())[:_NAMED])
    more = f" and {len(leaking) - _NAMED} more" if len(leaking) > _NAMED else ""
    raise DataError(
        f"{len(leaking)} cases stand in several parts of the split: {named}{more}",
        where=where,
        remedy="Make a new one with --split grouped",
    )


def split_document(split, summaries):
    """The content of a split file; ``summaries`` is {part: counts and hash of what was written}."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": split.kind,
        "seed": split.seed,
        "fractions": dict(split.fractions),
        "split_sha256": split.sha256,
        "parts": {part: dict(summaries[part]) for part in split.parts},
        "assignment": {name: dict(entry) for name, entry in split.assignment.items()},
    }


def read_split(path, *, allow_shared_cases=False):
    """Read a split file.

    Args:
        path: file written from ``split_document``.
        allow_shared_cases: also take a split of kind image, whose cases may stand in several parts.

    Returns:
        Split.

    Raises:
        DataError: unreadable, of another schema, altered since it was written, or with a case in two parts.
    """
    path = Path(path)
    try:
        document = parse_json(path.read_bytes(), path)
    except OSError as error:
        raise DataError(f"split file: {error.strerror}", where=path) from error
    _check_document(document, path)
    split = Split(document["kind"], document.get("seed"), document["fractions"], document["assignment"])
    if document.get("split_sha256") not in (None, split.sha256):
        raise DataError(
            "split_sha256 does not fit the assignment; the file was altered",
            where=path,
            got=split.sha256,
            expected=document["split_sha256"],
            remedy="If the change is meant, delete the line split_sha256",
        )
    if not (allow_shared_cases and split.kind == IMAGE):
        check_no_group_in_two_parts(split.assignment, where=path)
    return split


def reuse_split(split, file_names, case_ids=None, *, where=None):
    """Check that a saved split fits the images at hand.

    Args:
        split: from ``read_split``.
        file_names: of the images, each of which must be assigned; the split may hold more.
        case_ids: {file name: case}, if known otherwise than from the split; no such case may stand in two parts either.
        where: file of the split, for the message.

    Raises:
        DataError: images are not in the split, or a case is in two parts of it.
    """
    missing = [name for name in file_names if name not in split.assignment]
    if missing:
        named = ", ".join(missing[:_NAMED])
        raise DataError(
            f"{len(missing)} images are not in the split: {named}{', ...' if len(missing) > _NAMED else ''}",
            where=where,
            remedy="Make a new one with --split grouped",
        )
    if case_ids is not None and split.kind != IMAGE:
        parts = {n: {"case_id": case_ids[n], "part": split.assignment[n]["part"]} for n in file_names}
        check_no_group_in_two_parts(parts, where=where)


def _check_document(document, path):
    expected = f"a split file with schema_version {SCHEMA_VERSION}, kind, fractions and assignment"
    if not isinstance(document, dict) or document.get("schema_version") != SCHEMA_VERSION:
        raise DataError("not a split file of this version", where=path, expected=expected)
    fractions, assignment = document.get("fractions"), document.get("assignment")
    if document.get("kind") not in KINDS or not isinstance(fractions, dict) or not isinstance(assignment, dict):
        raise DataError("incomplete split file", where=path, expected=expected)
    for name, entry in assignment.items():
        sound = isinstance(entry, dict) and isinstance(entry.get("case_id"), str) and entry.get("part") in fractions
        if not sound:
            raise DataError(
                f"assignment of {name} is not a case_id and one of the parts {', '.join(fractions)}",
                where=path,
                got=f"{entry!r:.80}",
            )
