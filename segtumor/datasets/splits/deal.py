"""Images into parts or folds by group, so that parts are alike in their strata: plain functions on lists.

The rule: the groups of a stratum come in random order, each to the part that is least filled for its share. All parts
fill at the same rate, so any run of consecutive groups is divided in proportion too; ordering the groups by further
keys therefore balances those keys, to within about one group. Not here: what the strata are (``strata``) and files.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from segtumor.errors import ConfigError
from segtumor.taxonomy import BENIGN, MALIGNANT, NORMAL

#: A case counts as what its gravest radiograph shows; later is graver.
SEVERITY = (NORMAL, BENIGN, MALIGNANT)
DEFAULT_FRACTIONS = {"train": 0.7, "val": 0.1, "test": 0.2}
#: Strata of fewer cases are merged: with shares of 0.7, 0.1 and 0.2 they could not be divided in proportion.
MIN_CASES_OF_STRATUM = 10

Seed = int | Sequence[int]
#: Further keys of each image to stratify by, the most important first.
Keys = Sequence[tuple[str, ...]]
#: (sorting key, image indices) of each group of one label.
_Stratum = list[tuple[tuple[Any, ...], list[int]]]
_Part = TypeVar("_Part", str, int)


def grouped_split(
    groups: Sequence[str],
    strata: Sequence[str],
    *,
    fractions: Mapping[str, float],
    seed: Seed,
    severity: Sequence[str] = SEVERITY,
    within: Keys | None = None,
) -> dict[str, list[int]]:
    """Divide images into parts so that no group is in two of them and the parts are alike in their strata.

    Within each stratum the groups come in random order, each to the part that still lacks the largest share of the
    images it should get. So each part is within about one group of its fraction. Where strata are so small that a part
    would stay empty, all groups are dealt as one, the gravest first, so that parts get a lesion before they get a
    normal image; a part then stays empty only of fewer groups than parts.

    Args:
        groups: case of each image.
        strata: label of each image; a group belongs to the gravest of its labels.
        fractions: {part: share of the images}, positive, with sum 1.
        seed: int; the same input and seed give the same split.
        severity: every label, the gravest last.
        within: further keys of each image, tuples of equal length, the most important first; parts are alike in them
            too. A group has the commonest values of its gravest images. None: by the label alone.

    Returns:
        {part: sorted list of image indices}; each index once.

    Raises:
        ConfigError: fractions that are no shares of one.
    """
    check_fractions(fractions)
    strata_of_groups = _strata_of_groups(groups, strata, severity, within)
    parts = _deal_each(strata_of_groups, fractions, seed)
    if not all(parts.values()) and len(fractions) <= len(set(groups)):
        rng = np.random.default_rng(seed)
        gravest_first = [group for stratum in reversed(strata_of_groups) for group in _shuffled(stratum, rng)]
        parts = _collected(_deal(gravest_first, fractions), fractions)
    return parts


def _deal_each(
    strata_of_groups: Sequence[_Stratum], fractions: Mapping[str, float], seed: Seed
) -> dict[str, list[int]]:
    rng = np.random.default_rng(seed)
    return _collected(
        (pair for stratum in strata_of_groups for pair in _deal(_shuffled(stratum, rng), fractions)), fractions
    )


def _collected(dealt: Iterable[tuple[list[int], str]], fractions: Mapping[str, float]) -> dict[str, list[int]]:
    """{part: sorted image indices} of (image indices of a group, part)."""
    parts: dict[str, list[int]] = {part: [] for part in fractions}
    for indices, part in dealt:
        parts[part].extend(indices)
    return {part: sorted(indices) for part, indices in parts.items()}


def kfold_split(
    groups: Sequence[str],
    strata: Sequence[str],
    *,
    folds: int,
    seed: Seed,
    severity: Sequence[str] = SEVERITY,
    within: Keys | None = None,
) -> list[list[int]]:
    """Sorted image indices of folds of equal size: no group in two folds, folds alike in their strata.

    The strata are dealt one after the other without starting anew, so that the folds' sizes differ by no more than the
    images of one group. Raises ConfigError for fewer than two folds, or more than there are groups.
    """
    count = len(set(groups))
    if not 2 <= folds <= count:
        raise ConfigError("number of folds", where="--folds", got=folds, expected=f"2 to {count}, the number of cases")
    rng = np.random.default_rng(seed)
    strata_of_groups = _strata_of_groups(groups, strata, severity, within)
    order = [group for stratum in strata_of_groups for group in _shuffled(stratum, rng)]
    result: list[list[int]] = [[] for _ in range(folds)]
    for indices, fold in _deal(order, dict.fromkeys(range(folds), 1 / folds)):
        result[fold].extend(indices)
    return [sorted(indices) for indices in result]


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Raises ConfigError unless every share is positive and they add up to 1."""
    values = list(fractions.values())
    if not values or not all(value > 0 for value in values) or not math.isclose(sum(values), 1, abs_tol=1e-6):
        raise ConfigError(
            "fractions of a split must be positive and add up to 1",
            where="--fractions",
            got=" ".join(f"{value:g}" for value in values),
            expected="for example 0.7 0.1 0.2",
        )


def merged_strata(keys: Sequence[tuple[Any, ...]], *, min_count: int = MIN_CASES_OF_STRATUM) -> list[tuple[Any, ...]]:
    """Keys of groups, the most important first; those of small strata lose their last, until ``min_count`` share it."""
    merged = list(keys)
    for length in range(max(map(len, merged), default=1), 1, -1):
        counts = Counter(key for key in merged if len(key) == length)
        small = {key for key, count in counts.items() if count < min_count}
        merged = [key[:-1] if key in small else key for key in merged]
    return merged


def _strata_of_groups(
    groups: Sequence[str], strata: Sequence[str], severity: Sequence[str], within: Keys | None
) -> list[_Stratum]:
    """For each label, its groups as (sorting key, image indices), in order of their first image."""
    rank = {label: number for number, label in enumerate(severity)}
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    ranks = [max(rank[strata[i]] for i in indices) for indices in members.values()]
    keys: list[tuple[Any, ...]] = [()] * len(ranks)
    if within is not None:
        own = [
            (number, *_typical(within, [i for i in indices if rank[strata[i]] == number]))
            for number, indices in zip(ranks, members.values(), strict=True)
        ]
        keys = merged_strata(own)
    result: list[_Stratum] = [[] for _ in severity]
    for number, key, indices in zip(ranks, keys, members.values(), strict=True):
        result[number].append((key, indices))
    return result


def _typical(within: Keys, indices: Sequence[int]) -> tuple[str, ...]:
    """The commonest value of each key among some images; of equally common ones the smallest."""
    if len(indices) == 1:
        return within[indices[0]]
    columns = zip(*(within[i] for i in indices), strict=True)
    return tuple(min(Counter(column).items(), key=lambda item: (-item[1], item[0]))[0] for column in columns)


def _shuffled(stratum: _Stratum, rng: np.random.Generator) -> list[list[int]]:
    """Image indices of each group, in random order within equal keys."""
    order = rng.permutation(len(stratum))
    return [stratum[number][1] for number in sorted(order, key=lambda number: stratum[number][0])]


def _deal(groups: Sequence[list[int]], fractions: Mapping[_Part, float]) -> Iterator[tuple[list[int], _Part]]:
    """Yield (image indices of a group, part) for every group, in order."""
    total = sum(map(len, groups))
    target = {part: fraction * total for part, fraction in fractions.items()}
    filled = dict.fromkeys(fractions, 0)
    lack = dict.fromkeys(fractions, 1.0)
    for indices in groups:
        part = max(lack, key=lack.__getitem__)
        filled[part] += len(indices)
        lack[part] = 1 - filled[part] / target[part]
        yield indices, part
