"""k-fold cross-validation by case: train on all folds but one, test on that one, and pool what was found.

In each fold a part of the cases that are not tested chooses the best model, so that the test fold is seen once, by the
model already chosen. Each fold is an ordinary run (``training``) in a folder of its own; a stopped cross-validation
continues where it was. What its numbers do not tell stands in ``segtumor.evaluation.folds.REMARKS``: the standard
deviation over folds is no standard error, the folds share training cases, and pooled average precision ranks the scores
of different models together. Not here: the folds (``segtumor.datasets.splits.cross_validation``), what lies in the
folder (``crossval_folder``), and pooling (``crossval_report``).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtumor.annotations.regions import CROWDS_AS_LESIONS, is_crowd
from segtumor.cases import is_own_case
from segtumor.datasets.splits import Split, hash_images
from segtumor.datasets.splits.cases import known_cases
from segtumor.datasets.splits.cross_validation import Fold, common_root, fold_documents, make_folds, rare_classes
from segtumor.datasets.splits.merging import MergedCoco, merge_coco
from segtumor.datasets.splits.output import summarize, write_parts
from segtumor.datasets.splits.strata import LABEL, image_labels, stratum_keys
from segtumor.errors import ConfigError, ModelError
from segtumor.files import prepare_output_folder, write_json
from segtumor.models.kinds import kind_of
from segtumor.runs import EVALUATIONS, PREDICTIONS
from segtumor.taxonomy import NORMAL
from segtumor.training.batches.catalog import dataset_paths, load_datasets
from segtumor.training.data_sets import complete_config
from segtumor.training.final_evaluation import evaluate_run
from segtumor.training.folds.folder import (
    FOLDS,
    can_resume,
    check_folder,
    finished_predictions,
    fold_folder,
    folds_document,
    has_seen,
    is_trained,
    mark_finished,
    remove_earlier,
    setup_of,
)
from segtumor.training.train import train

logger = logging.getLogger(__name__)
#: Parts of a data set, and where the configuration names them.
PARTS = {"train": "TRAIN", "val": "VALIDATION", "test": "TEST"}


@dataclass(frozen=True)
class Plan:
    """What a cross-validation will train and test on.

    Attributes:
        merged: all images and annotations.
        image_root: absolute folder that the images' file names are relative to.
        split: assignment of the images to folds.
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
    summaries: Mapping[int, Mapping[str, Any]]
    label_of: Mapping[int, str]
    severity: tuple[str, ...]
    options: Mapping[str, Any]
    remarks: tuple[str, ...]

    @property
    def file_names(self):
        """Of all images, in their order."""
        return [image["file_name"] for image in self.merged.images]

    @property
    def class_names(self):
        """In the order of their category ids."""
        return [category["name"] for category in self.merged.categories]


def make_plan(cfg, *, folds=5, seed=0, val_fraction: float = 0.1, parts=tuple(PARTS), stratify=(LABEL,)):
    """Pool the data sets that a configuration names and divide their cases into folds; writes nothing.

    Equal case ids count as one case, in different data sets too: at worst two patients are kept together.

    Args:
        cfg: configuration; not changed.
        folds: number of folds.
        seed: of the folds and of the validation parts; the training's own seed is ``SEED``.
        val_fraction: share of the images outside the test fold that chooses the model; 0: the last model is tested.
        parts: which of the configured parts are pooled: train, val, test.
        stratify: what the folds shall be alike in, as for ``segtumor data split``; the label comes first.

    Returns:
        Plan.

    Raises:
        ConfigError: fewer cases than folds, a number out of range, a fold without lesions to train on, or settings that
            do not fit the data.
        DataError: a data set is missing or malformed.
    """
    merged, image_root = _pooled(cfg, parts)
    cases, keys = known_cases(merged.images), [key for key in stratify if key != LABEL]
    labels, severity, shown = _labels(merged)
    file_names = [image["file_name"] for image in merged.images]
    options = {"folds": folds, "seed": seed, "val_fraction": val_fraction}
    within = stratum_keys(merged.images, keys)
    split, made = make_folds(file_names, cases, labels, severity=severity, within=within, **options)
    label_of = dict(zip((image["id"] for image in merged.images), labels, strict=True))
    names = [*({NORMAL} & set(labels)), *(category["name"] for category in merged.categories)]
    summaries = _summaries(merged, made, split, label_of, severity)
    plan = Plan(
        merged=merged,
        image_root=image_root,
        split=split,
        folds=tuple(made),
        summaries=summaries,
        label_of=label_of,
        severity=severity,
        options={**options, "stratify": [LABEL, *keys]},
        remarks=(*rare_classes(cases, shown, names, folds=folds), *_blind(summaries), *_cases_unknown(cases)),
    )
    if kind_of(cfg).needs_lesions:
        _check_lesions(plan)
    return plan


def cross_validate(cfg, plan, output, *, init_from=None, overwrite: bool = False, progress=iter):
    """Train and test every fold that is not finished yet.

    Args:
        cfg: configuration; its data sets and ``OUTPUT_DIR`` are replaced by each fold's.
        plan: from ``make_plan`` with the same configuration.
        output: folder; fold k is the run ``fold_<k>``.
        init_from: weights that every fold starts from; ``MODEL.WEIGHTS`` means the same.
        overwrite: replace the cross-validation in the folder.
        progress: wraps the names of the images while they are hashed.

    Returns:
        list of the paths of the folds' predictions.

    Raises:
        SegtumorError: the folder holds something else, or whatever a training raises; what is finished stays.
    """
    output, init_from = Path(output), init_from or cfg.MODEL.WEIGHTS or None
    check_folder(output, None, overwrite=overwrite)
    if init_from and not Path(init_from).is_file():
        raise ModelError("no such file of weights", where=init_from)
    if has_seen(init_from, plan):
        logger.warning("%s was trained on some of these images: results will flatter the model", init_from)
    hashes = hash_images(plan.image_root, plan.file_names, progress=progress)
    setup = setup_of(cfg, plan, image_sha256=hashes, init_from=init_from)
    check_folder(output, setup, overwrite=overwrite)
    prepare_output_folder(output)
    if overwrite:
        remove_earlier(output)
    write_json(output / FOLDS, folds_document(plan, setup, image_sha256=hashes, init_from=init_from))
    return [_finish(cfg, plan, fold, fold_folder(output, fold.number), setup, init_from) for fold in plan.folds]


def _finish(cfg, plan, fold, folder, setup, init_from):
    """Path of a fold's predictions, after training and testing it if that is still to be done."""
    name, predictions = f"Fold {fold.number} of {len(plan.folds)}", finished_predictions(folder, setup)
    if predictions is not None:
        logger.info("%s: finished earlier", name)
        return predictions
    counts = {part: len(positions) for part, positions in fold.parts.items()}
    logger.info("%s: %d images to train, %d to choose the model, %d to test", name, *counts.values())
    _run(cfg, plan, fold, folder, init_from)
    predictions = folder / EVALUATIONS / f"fold{fold.number}_test" / PREDICTIONS
    mark_finished(folder, fold.number, predictions, setup)
    return predictions


def _run(cfg, plan, fold, folder, init_from) -> None:
    files = {
        f"fold{fold.number}_{part}": (path, plan.image_root)
        for part, path in _write_annotations(plan, fold, folder / "annotations").items()
    }
    own = cfg.clone()
    own.OUTPUT_DIR = str(folder)
    for part, key in PARTS.items():
        own.DATASETS[key] = tuple(name for name in files if name.endswith(f"_{part}"))
    if is_trained(folder):
        logger.info("trained earlier; testing its best model")
        own.MODEL.WEIGHTS = ""
        evaluate_run(own, files=files)
        return
    resume = can_resume(folder)
    train(own, resume=resume, overwrite=not resume, init_from=None if resume else init_from, files=files)


def _write_annotations(plan, fold, folder):
    """{part: path} of the fold's annotation files; the same bytes each time."""
    documents = fold_documents(plan.merged, fold, folds=len(plan.folds), split_sha256=plan.split.sha256)
    written = write_parts(folder, documents, label_of=plan.label_of, severity=plan.severity)
    return {part: folder / f"{part}.json" for part in written}


def _pooled(cfg, parts):
    """(MergedCoco, image root) of the configured sets, after all that a training would check of them."""
    named = [name for part in parts for name in cfg.DATASETS[PARTS[part]]]
    names = list(dict.fromkeys(named))
    if not names:
        keys = ", ".join(f"DATASETS.{PARTS[part]}" for part in parts)
        raise ConfigError("no data sets to divide into folds", where=keys, remedy="Name some, e.g. btxrd256_train")
    complete_config(cfg.clone(), load_datasets(names))
    paths = [dataset_paths(name)[0] for name in names]
    image_root, merged = common_root(merge_coco(paths))
    return merged, image_root


def _labels(merged):
    """(label of each image, all labels, names of the classes of its lesions, or normal, for each image)."""
    position = {category["id"]: number for number, category in enumerate(merged.categories)}
    names = [category["name"] for category in merged.categories]
    classes, lesions = {}, {}
    for annotation in merged.annotations:
        number = position[annotation["category_id"]]
        classes.setdefault(annotation["image_id"], []).append(number)
        if not is_crowd(annotation):  # a crowd makes an image one of its class, but is nothing to test
            lesions.setdefault(annotation["image_id"], []).append(number)
    labels, severity = image_labels(merged.images, classes, names)
    shown = [
        {*(names[number] for number in lesions.get(image["id"], ())), *({NORMAL} & {label})}
        for image, label in zip(merged.images, labels, strict=True)
    ]
    return labels, severity, shown


def _summaries(merged, made, split, label_of, severity):
    return {
        fold.number: {
            part: summarize(document, label_of=label_of, severity=severity)
            for part, document in fold_documents(merged, fold, folds=len(made), split_sha256=split.sha256)
        }
        for fold in made
    }


def _blind(summaries):
    """Remarks on folds whose validation part has no lesion to choose a model by."""
    numbers = [str(number) for number, parts in summaries.items() if "val" in parts and not parts["val"]["lesions"]]
    if not numbers:
        return []
    return [f"No lesion in the validation part of fold {', '.join(numbers)}: most metrics cannot choose a model there."]


def _cases_unknown(cases):
    alone = sum(is_own_case(case) for case in cases)
    return [f"{alone} images are without case_id; each counts as a case of its own."] if alone else []


def _check_lesions(plan):
    for number, parts in plan.summaries.items():
        if not parts["train"]["lesions"]:
            what, remedy = f"fold {number} has no lesion to train on", "Use more folds or more data"
            crowds = parts["train"].get("crowd_regions", 0)
            if crowds:
                what += f": its {crowds} regions are all crowds (iscrowd 1), which are neither learnt from nor measured"
                remedy = f"If each is one lesion: `segtumor data check` with --fix and {CROWDS_AS_LESIONS}"
            raise ConfigError(what, where="--folds", remedy=remedy)
