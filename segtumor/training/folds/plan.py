"""What a cross-validation will train and test on: all images pooled, their cases divided into folds; writes nothing.

In each fold some of the cases that are not tested choose the best model, so that the test fold is seen once, by the
model already chosen. Not here: the folds themselves (``segtumor.datasets.splits.cross_validation``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from detectron2.config import CfgNode

from segtumor.annotations.regions import CROWDS_AS_LESIONS, is_crowd
from segtumor.cases import is_own_case
from segtumor.datasets.splits.cases import known_cases
from segtumor.datasets.splits.cross_validation import Fold, common_root, fold_documents, make_folds, rare_classes
from segtumor.datasets.splits.merging import MergedCoco, merge_coco
from segtumor.datasets.splits.output import summarize
from segtumor.datasets.splits.split import Split
from segtumor.datasets.splits.strata import LABEL, image_labels, stratum_keys
from segtumor.errors import ConfigError
from segtumor.models.kinds import kind_of
from segtumor.taxonomy import NORMAL
from segtumor.training.batches.catalog import dataset_paths, load_datasets, scheme_of
from segtumor.training.data_sets import complete_config

#: Parts of a data set, and where the configuration names them.
PARTS = {"train": "TRAIN", "val": "VALIDATION", "test": "TEST"}

#: {fold number: {part: counts}}.
Summaries = Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True)
class Plan:
    """What a cross-validation will train and test on.

    Attributes:
        image_root: absolute folder that the images' file names are relative to.
        folds: the positions of each fold's images.
        summaries: {fold number: {part: counts}}.
        label_of, severity: label of each image id, and all labels, the gravest last.
        options: how the folds were made: folds, seed, val_fraction, stratify.
        remarks: what is odd about them, in sentences.
    """

    merged: MergedCoco
    image_root: Path
    split: Split
    folds: tuple[Fold, ...]
    summaries: Summaries
    label_of: Mapping[int, str]
    severity: tuple[str, ...]
    options: Mapping[str, Any]
    remarks: tuple[str, ...]

    @property
    def file_names(self) -> list[str]:
        """Of all images, in their order."""
        return [image["file_name"] for image in self.merged.images]

    @property
    def class_names(self) -> list[str]:
        """In the order of their category ids."""
        return [category["name"] for category in self.merged.categories]


def make_plan(
    cfg: CfgNode,
    *,
    folds: int = 5,
    seed: int = 0,
    val_fraction: float = 0.1,
    parts: Sequence[str] = tuple(PARTS),
    stratify: Sequence[str] = (LABEL,),
) -> Plan:
    """Pool the data sets that a configuration names and divide their cases into folds; writes nothing.

    Equal case ids count as one case, in different data sets too: at worst two patients are kept together.

    Args:
        seed: of the folds and of the validation parts; the training's own seed is ``SEED``.
        val_fraction: proportion of the images outside the test fold that chooses the model; 0 tests the last model.
        parts: which of the configured parts are pooled: train, val, test.
        stratify: what the folds should be alike in, as for ``segtumor data split``; the label comes first.

    Raises:
        ConfigError: fewer cases than folds, a number out of range, a fold without lesions to train on, or settings that
            do not fit the data.
        DataError: a data set is missing or malformed.
    """
    merged, image_root = _pooled(cfg, parts)
    cases, keys = known_cases(merged.images), [key for key in stratify if key != LABEL]
    labels, severity, shown = _labels(merged)
    file_names = [image["file_name"] for image in merged.images]
    options: dict[str, Any] = {"folds": folds, "seed": seed, "val_fraction": val_fraction}
    within = stratum_keys(merged.images, keys)
    split, made = make_folds(file_names, cases, labels, severity=severity, within=within, **options)
    label_of = dict(zip((image["id"] for image in merged.images), labels, strict=True))
    names = [*({NORMAL} & set(labels)), *(category["name"] for category in merged.categories)]
    summaries = _summaries(merged, made, split, label_of, severity)
    needs_lesions = kind_of(cfg).needs_lesions
    blind = _blind(summaries) if needs_lesions else []
    plan = Plan(
        merged=merged,
        image_root=image_root,
        split=split,
        folds=tuple(made),
        summaries=summaries,
        label_of=label_of,
        severity=severity,
        options={**options, "stratify": [LABEL, *keys]},
        remarks=(*rare_classes(cases, shown, names, folds=folds), *blind, *_cases_unknown(cases)),
    )
    if needs_lesions:
        _check_lesions(plan)
    return plan


def _pooled(cfg: CfgNode, parts: Iterable[str]) -> tuple[MergedCoco, Path]:
    """(MergedCoco, image root) of the configured sets, after all that a training would check of them."""
    named = [name for part in parts for name in cfg.DATASETS[PARTS[part]]]
    names = list(dict.fromkeys(named))
    if not names:
        keys = ", ".join(f"DATASETS.{PARTS[part]}" for part in parts)
        raise ConfigError("no data sets to divide into folds", where=keys, remedy="Name some, e.g. btxrd256_train")
    scheme = scheme_of(cfg)
    complete_config(cfg.clone(), load_datasets(names, scheme=scheme))
    image_root, merged = common_root(merge_coco([dataset_paths(name)[0] for name in names]))
    coco = {key: getattr(merged, key) for key in ("images", "annotations", "categories")}
    return replace(merged, **scheme.apply(coco, where=", ".join(names))), image_root


def _labels(merged: MergedCoco) -> tuple[list[str], tuple[str, ...], list[set[str]]]:
    """(label of each image, all labels, names of the classes of its lesions, or normal, for each image; of a file
    without outlines its label)."""
    position = {category["id"]: number for number, category in enumerate(merged.categories)}
    names = [category["name"] for category in merged.categories]
    classes: dict[int, list[int]] = {}
    lesions: dict[int, list[int]] = {}
    for annotation in merged.annotations:
        number = position[annotation["category_id"]]
        classes.setdefault(annotation["image_id"], []).append(number)
        if not is_crowd(annotation):  # a crowd makes an image one of its class, but is nothing to test
            lesions.setdefault(annotation["image_id"], []).append(number)
    labels, severity = image_labels(merged.images, classes, names)
    if not merged.annotations:  # a file for classifiers of whole images
        return labels, severity, [{label} for label in labels]
    shown = [
        {*(names[number] for number in lesions.get(image["id"], ())), *({NORMAL} & {label})}
        for image, label in zip(merged.images, labels, strict=True)
    ]
    return labels, severity, shown


def _summaries(
    merged: MergedCoco, made: Sequence[Fold], split: Split, label_of: Mapping[int, str], severity: Sequence[str]
) -> Summaries:
    return {
        fold.number: {
            part: summarize(document, label_of=label_of, severity=severity)
            for part, document in fold_documents(merged, fold, folds=len(made), split_sha256=split.sha256)
        }
        for fold in made
    }


def _blind(summaries: Summaries) -> list[str]:
    """Remarks on folds whose validation part has no lesion to choose a model by."""
    numbers = [str(number) for number, parts in summaries.items() if "val" in parts and not parts["val"]["lesions"]]
    if not numbers:
        return []
    return [f"No lesion in the validation part of fold {', '.join(numbers)}: most metrics cannot choose a model there."]


def _cases_unknown(cases: Iterable[str]) -> list[str]:
    alone = sum(is_own_case(case) for case in cases)
    return [f"{alone} images are without case_id; each counts as a case of its own."] if alone else []


def _check_lesions(plan: Plan) -> None:
    for number, parts in plan.summaries.items():
        if not parts["train"]["lesions"]:
            what, remedy = f"fold {number} has no lesion to train on", "Use more folds or more data"
            crowds = parts["train"].get("crowd_regions", 0)
            if crowds:
                what += f": its {crowds} regions are all crowds (iscrowd 1), which are neither learnt from nor measured"
                remedy = f"If each is one lesion: `segtumor data check` with --fix and {CROWDS_AS_LESIONS}"
            raise ConfigError(what, where="--folds", remedy=remedy)
