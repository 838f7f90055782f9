"""What commands print about a split: balance, leaks, what did not fit, and where it is."""

import argparse
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.commands.common.terminal import print_table

if TYPE_CHECKING:  # would delay --help
    from segtumor.datasets.splits.making import MadeSplit
    from segtumor.datasets.splits.split import Split

_NAMED = 5
_LOG = logging.getLogger(__name__)


def print_split_report(
    arguments: argparse.Namespace, made: "MadeSplit", summaries: Mapping[str, Mapping[str, Any]], changed: Sequence[str]
) -> None:
    """Print what became of a split; what the user should not overlook goes to the log as warnings."""
    from segtumor.datasets.splits.balance import balance_tables

    split, merged = made.split, made.merged
    keys = [key for key in (split.origin or {}).get("stratify", ()) if key != "label"]
    if any(image.get("center") for image in merged.images) and "center" not in keys:
        keys.append("center")
    tables = balance_tables(
        split, merged.images, merged.annotations, merged.categories, made.labels, keys=keys, severity=made.severity
    )
    for header, rows in tables:
        print_table(header, rows)
        print()
    _print_misfits(arguments, made, changed)
    _warn_of_lesionless(summaries)
    if not split_is_by_case(split):
        warn_of_leaks(split.kind, split.assignment)
    print_places(Path(arguments.output), split, split.parts)


def warn_of_leaks(kind: str, assignment: Mapping[str, Mapping[str, Any]]) -> None:
    """Report in numbers how much a split leaks that was not made by case."""
    from segtumor.datasets.splits.split import leak_numbers

    numbers = leak_numbers(assignment)
    if not numbers.known_cases:
        _LOG.warning("this %s split may leak: without cases (case_id) this cannot be checked", kind)
    elif numbers.shared_cases:
        _LOG.warning(
            "this %s split leaks: %d of %d cases are in several parts; %d of %d images outside train (%.0f%%) show a "
            "case that is in another part too",
            kind,
            numbers.shared_cases,
            numbers.cases,
            numbers.affected_images,
            numbers.images_outside_train,
            100 * numbers.affected_images / max(numbers.images_outside_train, 1),
        )
    else:
        print("no case is in several parts")


def warn_of_names(names: Sequence[str], what: str) -> None:
    """One warning about some images, by the first names."""
    if names:
        more = ", ..." if len(names) > _NAMED else ""
        _LOG.warning("%d %s: %s%s", len(names), what, ", ".join(names[:_NAMED]), more)


def split_is_by_case(split: "Split") -> bool:
    """Whether the kind of a split keeps cases whole."""
    from segtumor.datasets.splits.split import MAY_SHARE_CASES

    return split.kind not in MAY_SHARE_CASES


def _print_misfits(arguments: argparse.Namespace, made: "MadeSplit", changed: Sequence[str]) -> None:
    from segtumor.cases import doubts, is_own_case

    listing = made.listing
    if listing is not None:
        warn_of_names(listing.unknown, "listed images are not there")
        warn_of_names(listing.unlisted, "images are in no list and were left out")
    warn_of_names(made.unknown_in_case_table, f"images of {arguments.cases} are not there")
    warn_of_names(changed, f"images have changed since {arguments.kind} was made")
    alone = [name for name, entry in made.split.assignment.items() if is_own_case(entry["case_id"])]
    if split_is_by_case(made.split):
        warn_of_names(alone, "images are without a known case; each counts as a case of its own")
    for sentence in doubts(entry["case_id"] for entry in made.split.assignment.values()):
        _LOG.warning("%s", sentence)
    for path in made.merged.renumbered:
        print(f"{path}: ids were used by another file, too, and have been renumbered")


def _warn_of_lesionless(summaries: Mapping[str, Mapping[str, Any]]) -> None:
    """Of parts without any lesion, where the set has some: nothing can be learnt from them, or measured on them."""
    without = [part for part, counts in summaries.items() if not counts["lesions"]]
    if without and len(without) < len(summaries):
        _LOG.warning("no lesion in %s: nothing to learn or to find there; add more cases", ", ".join(without))


def positive_fractions(fractions: Sequence[float]) -> dict[str, float]:
    """{part: share} of the shares of train, val and test that are not 0."""
    named = zip(("train", "val", "test"), fractions, strict=True)
    return {part: fraction for part, fraction in named if fraction != 0}


def print_places(output: Path, split: "Split", parts: Iterable[str], *others: str) -> None:
    """Where a split, what belongs to it and its data sets are."""
    print(f"split {split.kind}, sha256 {split.sha256[:16]}..., in {output / 'split.json'}")
    print(*others, f"data sets: {', '.join(f'{output.resolve().name}_{part}' for part in parts)}", sep="\n")
