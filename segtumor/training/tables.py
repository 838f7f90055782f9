"""What is fitted on the training part before a model is built: columns of the patients' table, values of tasks.

It is kept in the configuration, as the names of the classes are, so that ``config.yaml`` of a run holds all that its
weights need. Not here: the mathematics (``segtumor.tabular``).
"""

import functools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detectron2.config import CfgNode

from segtumor.annotations.coco import CocoDataset
from segtumor.errors import ConfigError
from segtumor.evaluation.facts.truth import UNKNOWN_CLASS
from segtumor.models.classifiers.fusion import COLUMNS, FITTED
from segtumor.models.classifiers.tasks import TASKS, VALUES
from segtumor.models.kinds import kind_of
from segtumor.runs import CONFIG
from segtumor.settings.files import read_settings
from segtumor.settings.nested import leaves
from segtumor.structures.readings import Reading
from segtumor.tabular.encoder import Context, fit_table, plans_of
from segtumor.tabular.leaks import refuse_leaks, report_column
from segtumor.tabular.values import fold_of_row, parts_of, value_in
from segtumor.training.batches.mapper import image_class_of

logger = logging.getLogger(__name__)
_OVERRIDE = "MODEL.CLINICAL.ALLOW_LEAKS"


def fit_tables(cfg: CfgNode, datasets: Sequence[CocoDataset]) -> None:
    """Fit ``MODEL.CLINICAL`` and ``MODEL.AUXILIARY`` on the training sets, into ``cfg``; nothing where neither is asked
    for. What a configuration holds already, that of an earlier run, stays.

    Raises:
        ConfigError: columns that cannot be used or give the answer away, tasks without two values, or a kind of model
            that takes neither.
        DataError: a column that is empty, or does not hold what its encoding is for.
    """
    asked = {COLUMNS: cfg.MODEL.CLINICAL.COLUMNS, TASKS: cfg.MODEL.AUXILIARY.TASKS}
    for key in (key for key, value in asked.items() if value and key not in kind_of(cfg).context_keys):
        got = cfg.MODEL.META_ARCHITECTURE
        expected = "ImageClassifier" if key == COLUMNS else "ImageClassifier or ImageHeadRCNN"
        raise ConfigError("this kind of model takes no table", where=key, got=got, expected=expected)
    if cfg.MODEL.CLINICAL.COLUMNS:
        _fit_columns(cfg, datasets)
    if cfg.MODEL.AUXILIARY.TASKS and not cfg.MODEL.AUXILIARY.VALUES:
        rows = [row for dataset in datasets for row in dataset.records]
        cfg.MODEL.AUXILIARY.VALUES = [_values_of(task, rows) for task in cfg.MODEL.AUXILIARY.TASKS]


def complete_fitted(cfg: CfgNode, folder: str | Path) -> None:
    """Take what training has fitted from the run in a folder: what ``cfg`` asks for and lacks, and what the kind of
    model prepares, such as anchors, whose weights mean nothing with others.

    Raises:
        ConfigError: something is lacking, and there is no such run.
    """
    lacking = [key for key, asked, fitted in _pairs(cfg) if asked and not fitted]
    path, prepared = Path(folder) / CONFIG, kind_of(cfg).prepared
    if lacking and not path.is_file():
        remedy = "Give the config.yaml of the run to --config-file"
        raise ConfigError("what training has fitted is missing", where=", ".join(lacking), remedy=remedy)
    if not (lacking or prepared) or not path.is_file():
        return
    kept: dict[str, Any] = dict(pair for _, settings in read_settings(path) for pair in leaves(settings))
    if lacking:
        cfg.MODEL.CLINICAL.FITTED = kept.get(FITTED, [])
        cfg.MODEL.AUXILIARY.VALUES = kept.get(VALUES, [])
    for key in prepared:
        if key in kept:
            *groups, name = key.split(".")
            functools.reduce(getattr, groups, cfg)[name] = kept[key]


def right_answers(readings: Sequence[Reading], rows: Sequence[Context]) -> dict[str, tuple[int, int]]:
    """{task: (images of which the model says what is annotated, images with one annotated value)}."""
    tasks = dict.fromkeys(task for reading in readings for task in reading.attributes)
    said = list(zip(readings, rows, strict=True))
    judged = {
        task: [(reading.attributes[task][0],) == parts for reading, row in said if len(parts := _parts(row, task)) == 1]
        for task in tasks
    }
    return {task: (sum(right), len(right)) for task, right in judged.items()}


def _parts(row: Context, task: str) -> tuple[str, ...]:
    return parts_of(value_in(row, task))


def _pairs(cfg: CfgNode) -> list[tuple[str, Any, Any]]:
    clinical, auxiliary = cfg.MODEL.CLINICAL, cfg.MODEL.AUXILIARY
    return [(FITTED, clinical.COLUMNS, clinical.FITTED), (VALUES, auxiliary.TASKS, auxiliary.VALUES)]


def _fit_columns(cfg: CfgNode, datasets: Sequence[CocoDataset]) -> None:
    plans = plans_of(cfg.MODEL.CLINICAL.COLUMNS, where=COLUMNS)
    rows, positive = [], list[bool | None]()
    for dataset in datasets:
        for record in dataset.records:
            found = image_class_of(record, dataset.taxonomy.names)
            rows.append(record)
            positive.append(None if found == UNKNOWN_CLASS else found > 0)
    folds = [fold_of_row(row) for row in rows]
    reports = [report_column(plan, rows, positive, folds) for plan in plans]
    for report in reports:
        logger.info("column %s", report)
    refuse_leaks(reports, allowed=cfg.MODEL.CLINICAL.ALLOW_LEAKS, where=COLUMNS, override=_OVERRIDE)
    if not cfg.MODEL.CLINICAL.FITTED:
        cfg.MODEL.CLINICAL.FITTED = fit_table(plans, rows, positive, folds).as_dicts()


def _values_of(task: str, rows: Sequence[Any]) -> list[str]:
    """The values of a task in the training rows that have one, sorted."""
    found = {parts[0] for row in rows if len(parts := _parts(row, task)) == 1}
    if len(found) < 2:
        raise ConfigError(
            "a task without two values in the training set",
            where=f"{TASKS}, {task}",
            got=", ".join(found) or "none",
            remedy="Leave it out, or give images the field (docs/how-to/classify.md)",
        )
    return sorted(found)
