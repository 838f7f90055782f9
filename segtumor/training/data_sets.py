"""The data sets of a training, and what is said before the first step: leaks, crowds, what cannot be measured."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from detectron2.config import CfgNode
from detectron2.utils import comm
from detectron2.utils.env import seed_all_rng

from segtumor.annotations.coco import CocoDataset
from segtumor.annotations.regions import CROWDS_AS_LESIONS, Crowds, count_crowds
from segtumor.errors import ConfigError
from segtumor.evaluation.facts.truth import UNKNOWN_CLASS, has_tumor
from segtumor.models.kinds import class_weights, kind_of, set_classes
from segtumor.training.batches.catalog import (
    DataParts,
    Files,
    check_image_sizes,
    load_datasets,
    scheme_of,
    shared_cases,
)
from segtumor.training.batches.mapper import image_class_of
from segtumor.training.optimization.schedules import set_epochs
from segtumor.training.tables import fit_tables

logger = logging.getLogger(__name__)


def complete_config(cfg: CfgNode, datasets: Sequence[CocoDataset]) -> None:
    """Take the classes from the data into ``cfg`` and freeze it; ConfigError if it asks for other classes."""
    names = list(datasets[0].taxonomy.names)
    if cfg.MODEL.CLASS_NAMES and list(cfg.MODEL.CLASS_NAMES) != names:
        raise ConfigError("classes differ", where="MODEL.CLASS_NAMES", got=list(cfg.MODEL.CLASS_NAMES), expected=names)
    weights = class_weights(cfg)
    if weights and len(weights) != len(names) + 1:
        raise ConfigError(
            "one weight per class and, last, one for background",
            where=kind_of(cfg).weights_key,
            got=weights,
            expected=f"{len(names) + 1} numbers for {', '.join([*names, 'background'])}",
        )
    set_classes(cfg, names)
    cfg.freeze()


def load_training_sets(cfg: CfgNode, files: Files | None = None) -> DataParts:
    """Read and check every set that ``DATASETS`` names, complete and freeze ``cfg`` by them and seed the random
    generators.

    Raises:
        ConfigError: nothing to train on, or no lesion to learn from; or as ``tables.fit_tables``.
        DataError: a set is missing or malformed, or images are not as they are annotated.
    """
    parts = {"train": cfg.DATASETS.TRAIN, "validation": cfg.DATASETS.VALIDATION, "test": cfg.DATASETS.TEST}
    if not cfg.DATASETS.TRAIN:
        raise ConfigError("nothing to train on", where="DATASETS.TRAIN", remedy="Name a data set, e.g. btxrd256_train")
    names = [name for part in parts.values() for name in part]
    loaded = dict(zip(names, load_datasets(names, files=files, scheme=scheme_of(cfg)), strict=True))
    datasets = {part: [loaded[name] for name in part_names] for part, part_names in parts.items()}
    for dataset in loaded.values():
        check_image_sizes(dataset.records, max_pixels=cfg.INPUT.MAX_PIXELS)
    for first, second, cases in shared_cases(datasets):
        logger.warning(
            "%d cases are in the %s and in the %s part (%s): results will flatter the model",
            *(len(cases), first, second, ", ".join(cases[:3])),
        )
    fit_tables(cfg, datasets["train"])
    _check_lesions(cfg, datasets["train"])
    _check_image_classes(cfg, datasets["train"])
    _warn_of_squares(cfg, datasets["train"])
    set_epochs(cfg, len(records_of(datasets["train"])))
    if cfg.SEED < 0:
        cfg.SEED = comm.shared_random_seed()
    prepare = kind_of(cfg).prepare
    if prepare is not None:
        prepare(cfg, records_of(datasets["train"]))
    complete_config(cfg, list(loaded.values()))
    seed_all_rng(cfg.SEED + comm.get_rank())
    return datasets


def records_of(datasets: Iterable[CocoDataset]) -> list[dict[str, Any]]:
    """All records of some data sets."""
    return [record for dataset in datasets for record in dataset.records]


def crowds_of(datasets: Iterable[CocoDataset]) -> Crowds:
    """``Crowds`` of some data sets."""
    return count_crowds((record["file_name"], record["annotations"]) for record in records_of(datasets))


def describe(datasets: Sequence[CocoDataset]) -> str:
    """Counts of some data sets, for people."""
    records, crowds = records_of(datasets), crowds_of(datasets)
    normal = sum(not record["annotations"] for record in records)
    text = f"{len(records)} images ({normal} normal), {crowds.n_lesions} lesions"
    return f"{text}, {crowds.n_regions} crowd regions, not learnt from" if crowds.n_regions else text


def can_choose(cfg: CfgNode, dataset: CocoDataset) -> bool:
    """Whether ``SOLVER.BEST_METRIC`` is defined on a validation set; says where it is not, or not for every class."""
    lesions = [a for record in dataset.records for a in record["annotations"] if not a["iscrowd"]]
    if not lesions and cfg.SOLVER.BEST_METRIC != "loss" and not cfg.SOLVER.BEST_METRIC.startswith("image/"):
        logger.warning(
            "The validation set %s has no lesion, so that %s is undefined on it: the last model is taken instead of "
            "the best, and training does not stop early. SOLVER.BEST_METRIC loss can choose a model there",
            *(dataset.json_path, cfg.SOLVER.BEST_METRIC),
        )
        return False
    shown = {lesion["category_id"] for lesion in lesions}
    missing = [name for class_id, name in enumerate(dataset.taxonomy.names) if class_id not in shown]
    if missing and lesions and kind_of(cfg).needs_lesions:
        logger.warning(
            "The validation set has no lesion of class %s, which is left out when the best model is chosen",
            ", ".join(missing),
        )
    return True


def check_validation_sets(cfg: CfgNode, datasets: Sequence[CocoDataset]) -> None:
    """Refuse several validation sets, and an operating point that the one cannot choose, before rather than after."""
    kinds = {has_tumor(image, cfg.MODEL.CLASS_NAMES) for dataset in datasets for image in dataset.annotated_images}
    if cfg.OPERATING_POINTS.USED and len(kinds) < 2:
        what = "an operating point is chosen on a validation set with images with and without a tumour"
        got, remedy = cfg.OPERATING_POINTS.USED, 'Name such a set in DATASETS.VALIDATION, or set it to ""'
        raise ConfigError(what, where="OPERATING_POINTS.USED", got=got, remedy=remedy)
    if len(datasets) > 1:
        raise ConfigError("one validation set chooses the best model", where="DATASETS.VALIDATION", got=len(datasets))


def check_schedule(cfg: CfgNode) -> None:
    """Warn where the learning rate hardly reaches ``SOLVER.BASE_LR`` before training ends."""
    warm_up, iterations = cfg.SOLVER.WARMUP_ITERS, cfg.SOLVER.MAX_ITER
    if 2 * warm_up > iterations:
        logger.warning(
            "The learning rate warms up during %d of %d iterations, so that little is learnt: lower "
            "SOLVER.WARMUP_ITERS or raise SOLVER.MAX_ITER",
            *(min(warm_up, iterations), iterations),
        )


def _warn_of_squares(cfg: CfgNode, datasets: Sequence[CocoDataset]) -> None:
    """Warn where radiographs were probably scaled to squares, so that the model would not know others."""
    if cfg.INPUT.SQUARE or cfg.INPUT.SPACING_MM:
        return
    for dataset in datasets:
        sizes = {(record["width"], record["height"]) for record in dataset.records}
        drawn = dataset.info.get("synthetic") is True
        if len(dataset.records) > 1 and len(sizes) == 1 and len(set(*sizes)) == 1 and not drawn:
            logger.warning(
                "%s: all images are %d x %d px; if radiographs of other shapes were scaled to squares, set "
                "INPUT.SQUARE True, so that the model is shown new ones likewise",
                *(dataset.json_path, *next(iter(sizes))),
            )


def _check_outlined(dataset: CocoDataset) -> None:
    """Of a file with outlines the validator has seen to it; one without any is for classifiers."""
    if any(record["annotations"] for record in dataset.records):
        return
    tumours = sum(image_class_of(record, dataset.taxonomy.names) != 0 for record in dataset.records)
    if tumours:
        raise ConfigError(
            "tumours without outlines, which would train as normal bone",
            where=dataset.json_path,
            got=f"{tumours} of {len(dataset.records)} images, nothing outlined",
            expected="outlines, for a model that marks lesions",
            remedy="Outline them, or train a classifier of whole images (docs/how-to/classify.md)",
        )


def _check_image_classes(cfg: CfgNode, datasets: Sequence[CocoDataset]) -> None:
    """Refuse images that are all alike, where a model learns from whole images alone."""
    if kind_of(cfg).needs_lesions:
        return
    found = {image_class_of(record, dataset.taxonomy.names) for dataset in datasets for record in dataset.records}
    if len(found - {UNKNOWN_CLASS}) > 1:
        return
    names = ("normal", *datasets[0].taxonomy.names)
    shown = ", ".join(names[index] for index in sorted(found) if index != UNKNOWN_CLASS) or "of unknown class"
    raise ConfigError(
        "the training images are of one class",
        where=", ".join(cfg.DATASETS.TRAIN),
        got=shown,
        expected="two or more of normal and the classes",
        remedy="Give images an image_label or outlines, and add normal ones (docs/how-to/classify.md)",
    )


def _check_lesions(cfg: CfgNode, datasets: Sequence[CocoDataset]) -> None:
    """Refuse sets without a lesion, and those whose tumours nobody has outlined: they would train as normal bone."""
    if not kind_of(cfg).needs_lesions:
        return
    for dataset in datasets:
        _check_outlined(dataset)
    crowds = crowds_of(datasets)
    if crowds.n_lesions:
        return
    what, remedy = "the training set has no lesion", None
    if crowds.n_regions:
        what += f": its {crowds.n_regions} regions are all crowds (iscrowd 1), which are not learnt from"
        remedy = (
            "If each is one lesion, as drawing tools export masks, fix the file: "
            f"`segtumor data check` with --fix and {CROWDS_AS_LESIONS}"
        )
    raise ConfigError(what, where=", ".join(cfg.DATASETS.TRAIN), remedy=remedy)
