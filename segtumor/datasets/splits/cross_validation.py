"""Folds for cross-validation: in each, one fold is tested on, a part of the other cases chooses the model.

``deal`` deals the folds; here the rest of each fold is divided into training and validation, so that what chooses the
model never sees the test fold. Not here: reading the images (``merging``), and training
(``segtumor.training.folds.crossval``).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from segtumor.datasets.splits.deal import SEVERITY, Keys, grouped_split
from segtumor.datasets.splits.merging import MergedCoco
from segtumor.datasets.splits.split import TEST, TRAIN, VAL, Split, make_kfold
from segtumor.errors import ConfigError
from segtumor.texts import counted


@dataclass(frozen=True)
class Fold:
    """One round, numbered from 1: sorted positions of images, no case in two parts; ``val`` may be empty."""

    number: int
    train: tuple[int, ...]
    val: tuple[int, ...]
    test: tuple[int, ...]

    @property
    def parts(self) -> dict[str, tuple[int, ...]]:
        """{"train": positions, "val": ..., "test": ...}."""
        return {TRAIN: self.train, VAL: self.val, TEST: self.test}


def make_folds(
    file_names: Sequence[str],
    case_ids: Sequence[str],
    labels: Sequence[str],
    *,
    folds: int,
    seed: int = 0,
    val_fraction: float = 0.1,
    severity: Sequence[str] = SEVERITY,
    within: Keys | None = None,
) -> tuple[Split, list[Fold]]:
    """Folds by case, each with a validation part taken by case from what is not its test fold.

    Args:
        file_names: N, distinct.
        case_ids: N; an image without case should have one of its own.
        labels: N, each one of ``severity``; folds and validation parts are alike in them.
        seed: int, 0 or more; of the folds, and of the validation parts.
        val_fraction: share of a fold's remaining images that validates, 0 (none) to below 1.
        severity: every label, the gravest last; a case counts as its gravest image.
        within: further keys of each image to stratify by, as for ``grouped_split``.

    Returns:
        (Split of kind kfold whose parts are the folds fold1, fold2, ..., list of Fold).

    Raises:
        ConfigError: a number out of range, or fewer cases than folds.
    """
    if not 0 <= val_fraction < 1:
        raise ConfigError(
            "the validation share is out of range", where="--val-fraction", got=val_fraction, expected="0 to below 1"
        )
    if seed < 0:
        raise ConfigError("seed is negative", where="--seed", got=seed, expected="0 or more")
    options: dict[str, Any] = {"severity": severity, "within": within}
    split = make_kfold(file_names, case_ids, labels, folds=folds, seed=seed, **options)
    split = replace(split, composition=None)  # the parts train and val of a fold are no unions of folds
    made = []
    for number, name in enumerate(split.parts, start=1):
        test = [i for i, file_name in enumerate(file_names) if split.assignment[file_name]["part"] == name]
        rest = sorted(set(range(len(file_names))) - set(test))
        train, val = _divide(rest, case_ids, labels, val_fraction, seed=[seed, number], **options)
        made.append(Fold(number, tuple(train), tuple(val), tuple(test)))
    return split, made


def _divide(
    rest: Sequence[int],
    case_ids: Sequence[str],
    labels: Sequence[str],
    val_fraction: float,
    *,
    within: Keys | None,
    **options: Any,
) -> tuple[list[int], list[int]]:
    """Positions for training and for validation, by case."""
    if not val_fraction:
        return list(rest), []
    cases, strata = ([values[i] for i in rest] for values in (case_ids, labels))
    keys = [within[i] for i in rest] if within else None
    shares = {TRAIN: 1 - val_fraction, VAL: val_fraction}
    parts = grouped_split(cases, strata, fractions=shares, within=keys, **options)
    return [rest[i] for i in parts[TRAIN]], [rest[i] for i in parts[VAL]]


def rare_classes(
    case_ids: Sequence[str], labels_of_image: Iterable[Collection[str]], names: Sequence[str], *, folds: int
) -> list[str]:
    """Sentences on classes that not every fold can test; of N images, their cases and the names they count for."""
    holding = Counter(
        name
        for name, _ in {
            (name, case) for case, own in zip(case_ids, labels_of_image, strict=True) for name in own if name in names
        }
    )
    return [
        f"Class {name} has {counted(holding[name], 'cases')}, fewer than the {folds} folds: "
        "in some folds it cannot be tested."
        for name in names
        if holding[name] < folds
    ]


def common_root(merged: MergedCoco) -> tuple[Path, MergedCoco]:
    """One absolute folder for images of several data sets, and the set with names relative to it."""
    roots = list(merged.roots)
    if len(roots) == 1:
        return roots[0], merged
    common = next(folder for folder in (roots[0], *roots[0].parents) if all(r.is_relative_to(folder) for r in roots))
    new_name = {
        name: str(PurePosixPath(root.relative_to(common).as_posix()) / name)
        for root, names in merged.roots.items()
        for name in names
    }
    images = [{**image, "file_name": new_name[image["file_name"]]} for image in merged.images]
    return common, replace(merged, images=images, roots={common: [image["file_name"] for image in images]})


def fold_documents(
    merged: MergedCoco, fold: Fold, *, folds: int, split_sha256: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (part, COCO object) of one fold, without parts that are empty.

    Ids stay as they are, so that an image has one id in every fold and in the pooled results.
    """
    info = {**merged.info, "fold": fold.number, "folds": folds, "split_kind": "kfold", "split_sha256": split_sha256}
    for part, positions in fold.parts.items():
        if not positions:
            continue
        images = [merged.images[i] for i in positions]
        ids = {image["id"] for image in images}
        yield (
            part,
            {
                "info": {**info, "part": part},
                "images": images,
                "annotations": [a for a in merged.annotations if a["image_id"] in ids],
                "categories": merged.categories,
            },
        )
