"""The folder of a cross-validation: ``folds.json``, which folds are finished, and whether a command continues it.

``folds.json`` is written before the first fold is trained and says everything that the results depend on; a fold is
finished when its ``fold.json``, written last, names its predictions with their hash. Not here: training (``crossval``).
"""

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from detectron2.config import CfgNode

import segtumor
from segtumor.annotations.json_input import parse_json, read_bytes
from segtumor.datasets.splits.document import split_document
from segtumor.errors import ConfigError, DataError, OutputError
from segtumor.files import sha256_of_file, write_json
from segtumor.runs import CONFIG, FINAL_WEIGHTS, NEWEST_CHECKPOINT, best_weights
from segtumor.settings.nested import differing
from segtumor.training.checkpoints.resuming import RESUMABLE, noted_name
from segtumor.training.data_identity import flat_settings, has_learnt_from
from segtumor.training.folds.plan import Plan

FOLDS, FOLD, POOLED, TABLE, REPORT = "folds.json", "fold.json", "pooled", "crossval.csv", "crossval.json"
_FOLDER = re.compile(r"fold_[1-9][0-9]*")
_SETUP = "cross_validation"
_NAMED = 5
logger = logging.getLogger(__name__)


def fold_folder(output: str | Path, number: int) -> Path:
    """Run folder of a fold."""
    return Path(output) / f"fold_{number}"


def setup_of(
    cfg: CfgNode, plan: Plan, *, image_sha256: Mapping[str, str], init_from: str | Path | None
) -> dict[str, Any]:
    """Everything the results depend on but the code: options, ``configuration`` ({key: value}), hashes of the data."""
    validation = {f"fold{fold.number}": [plan.file_names[i] for i in fold.val] for fold in plan.folds}
    return {
        **plan.options,
        "folds_sha256": _hash([plan.split.sha256, validation]),
        "annotations_sha256": sorted(source["sha256"] for source in plan.merged.sources),
        "images_sha256": _hash(image_sha256),
        "weights_sha256": sha256_of_file(init_from) if init_from else None,
        "configuration": flat_settings(yaml.safe_load(cfg.dump())),
    }


def folds_document(
    plan: Plan, setup: Mapping[str, Any], *, image_sha256: Mapping[str, str], init_from: str | Path | None
) -> dict[str, Any]:
    """The content of ``folds.json``: a split file whose parts are the folds, with validation parts and the set-up."""
    tested = {
        name: plan.summaries[fold.number]["test"] for name, fold in zip(plan.split.parts, plan.folds, strict=True)
    }
    return {
        **split_document(plan.split, tested, sources=plan.merged.sources, image_sha256=image_sha256),
        "validation": {f"fold{fold.number}": [plan.file_names[i] for i in fold.val] for fold in plan.folds},
        "image_root": str(plan.image_root),
        "init_from": None if init_from is None else str(init_from),
        "init_from_has_seen_the_data": has_seen(init_from, plan),
        "segtumor_version": segtumor.__version__,
        "notice": segtumor.NOTICE,
        _SETUP: setup,
    }


def has_seen(weights: str | Path | None, plan: Plan) -> bool | None:
    """Whether weights have learnt from cases of the pooled images; None if unknown."""
    if weights is None:
        return None
    records = [{**image, "file_name": plan.image_root / image["file_name"]} for image in plan.merged.images]
    try:
        return has_learnt_from(Path(weights), records, [source["sha256"] for source in plan.merged.sources])
    except ConfigError as error:
        logger.warning("Whether %s has seen what tests it is unknown: %s", weights, error)
        return None


def check_folder(output: str | Path, setup: Mapping[str, Any] | None, *, overwrite: bool) -> None:
    """Refuse a folder that holds something else; touches nothing.

    Args:
        output: folder of the cross-validation; need not exist.
        setup: from ``setup_of``; None takes any cross-validation, to find out early what cannot be continued.

    Raises:
        ConfigError: it is a training run, holds folds of unknown origin, or another cross-validation; the message says
            what differs.
        DataError: ``folds.json`` cannot be read.
    """
    output = Path(output)
    if (output / CONFIG).exists() or any(output.glob("model_*.pth")):
        raise ConfigError("the folder is a training run", where=output, remedy="Choose another --output")
    path = output / FOLDS
    if not path.exists():
        if _fold_folders(output):
            raise ConfigError(f"there are folders fold_1, ... without {FOLDS}", where=output, remedy="Move them away")
        return
    earlier = _read(path).get(_SETUP)
    if not isinstance(earlier, dict) or not isinstance(earlier.get("configuration", {}), dict):
        raise ConfigError("not the file of a cross-validation", where=path, remedy="Choose another --output")
    if setup is None or overwrite:
        return
    different = differences(earlier, setup)
    if different:
        more = f" and {len(different) - _NAMED} more" if len(different) > _NAMED else ""
        raise ConfigError(
            f"another cross-validation: {', '.join(different[:_NAMED])}{more}",
            where=output,
            remedy="Give the same settings and data to continue it, --overwrite to replace it, or another --output",
        )


def differences(earlier: Mapping[str, Any], setup: Mapping[str, Any]) -> list[str]:
    """What differs between two set-ups, as phrases; empty if nothing does."""
    told = {"folds_sha256": "the folds", "annotations_sha256": "the annotations", "images_sha256": "the images"}
    told["weights_sha256"] = "the weights to start from (--init-from)"
    before, now = ({**values.pop("configuration", {}), **values} for values in (dict(earlier), dict(setup)))
    keys = differing(before, now)
    plain = [f"{key} {_shown(now.get(key))} instead of {_shown(before.get(key))}" for key in keys if key not in told]
    data = [f"{told[key]} differ" for key in keys if key in told]
    # Other folds are only a consequence where the options or the annotations already differ.
    consequence = f"{told['folds_sha256']} differ"
    return [text for text in plain + data if text != consequence or len(plain + data) == 1]


def remove_earlier(output: str | Path) -> None:
    """Remove what a cross-validation has written, ``folds.json`` last, and nothing else; raises OutputError."""
    output = Path(output)
    try:
        for folder in [*_fold_folders(output), output / POOLED]:
            if folder.exists():
                shutil.rmtree(folder)
        for name in (TABLE, REPORT, FOLDS):
            (output / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot remove the earlier one: {error.strerror}", where=output) from error


def mark_finished(folder: Path, number: int, predictions: Path, setup: Mapping[str, Any]) -> None:
    """Write ``fold.json``: from now on the fold is not trained again."""
    weights = best_weights(folder)
    document = {
        "schema_version": 1,
        "fold": number,
        "predictions": predictions.relative_to(folder).as_posix(),
        "predictions_sha256": sha256_of_file(predictions),
        "weights": None if weights is None else weights.name,
        "weights_sha256": None if weights is None else sha256_of_file(weights),
        "setup_sha256": _hash(setup),
    }
    write_json(folder / FOLD, document)


def finished_predictions(folder: Path, setup: Mapping[str, Any]) -> Path | None:
    """Path of the predictions of a finished fold; None if it is not finished, or no longer as it was left."""
    path = folder / FOLD
    if not path.is_file():
        return None
    try:
        document = _read(path)
    except DataError as error:
        logger.warning("%s The fold is tested again", error)
        return None
    predictions = folder / str(document.get("predictions"))
    if document.get("setup_sha256") != _hash(setup) or not predictions.is_file():
        return None
    if sha256_of_file(predictions) != document.get("predictions_sha256"):
        logger.warning("%s has changed since the fold was finished; the fold is tested again", predictions)
        return None
    return predictions


def is_trained(folder: Path) -> bool:
    """Whether the training of a fold has come to its end; its test may be missing."""
    if best_weights(folder) is None:
        return False
    noted = noted_name(folder)
    return noted == FINAL_WEIGHTS or (noted is None and (folder / FINAL_WEIGHTS).is_file())


def can_resume(folder: Path) -> bool:
    """Whether there is a checkpoint to continue from."""
    return any((folder / name).is_file() for name in (NEWEST_CHECKPOINT, *RESUMABLE))


def _fold_folders(output: Path) -> list[Path]:
    return [path for path in sorted(output.glob("fold_*")) if path.is_dir() and _FOLDER.fullmatch(path.name)]


def _read(path: Path) -> dict[str, Any]:
    document = parse_json(read_bytes(path), path)
    return document if isinstance(document, dict) else {}


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8")).hexdigest()


def _shown(value: Any) -> str:
    return f"{value!s:.60}"
