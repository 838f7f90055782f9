"""What a run was trained on, named in its weights and, by hash, in run.json; and whether it may use other data now.

Cases are kept as hashes, so that a later part of the data can be compared with the training and no list of patients
goes where the run goes. A short number can still be guessed from its hash: run.json is to be kept as the data are. Not
here: cases that two parts of one start share (``training.batches.catalog``).
"""

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from segtumor.annotations.coco import CocoDataset
from segtumor.cases import case_of
from segtumor.errors import ConfigError
from segtumor.files import sha256_of_file
from segtumor.runs import CONFIG, RUN_RECORD
from segtumor.settings.nested import differing, leaves
from segtumor.training.batches.catalog import DataParts

logger = logging.getLogger(__name__)
#: Parts whose cases must not have been trained on.
HELD_OUT = ("validation", "test")
#: Settings that say where and how fast, not what; and the sets, whose content counts instead of their names.
_WITHOUT_EFFECT = (
    *("OUTPUT_DIR", "DATASETS.TRAIN", "DATASETS.VALIDATION", "DATASETS.TEST"),
    *("MODEL.DEVICE", "MODEL.WEIGHTS", "DATALOADER.NUM_WORKERS", "DATALOADER.WORKER_TIMEOUT_S"),
    *("INPUT.CACHE_DIR", "INPUT.CACHE_MAX_GB"),
)
_DIGITS = 12
_NAMED = 6
#: In place of the cases of a later start that are those of the first.
SAME = "as at first"
#: Beside the parts: cases that the weights knew which a run started from.
BEFORE = "before"
#: In the entry of a data set: ``image_files_hash``.
IMAGE_FILES = "image_files_sha256"
_AUGMENTATION = "augmentation"
_ASKED = "Move it away to resume without comparing data and settings with those of the first start"


def training_data(
    names: Iterable[str], datasets: Iterable[CocoDataset], earlier: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What weights have learnt from, for ``run.json`` and every checkpoint.

    Args:
        earlier: the same of the weights that training starts from; None if they do not say (ImageNet's, for example).

    Returns:
        ``{"datasets": names, "synthetic": bool}``: whether every radiograph the weights know was drawn by a program. Of
        weights trained further, ``datasets`` names the earlier ones too.
    """
    synthetic = all(dataset.info.get("synthetic") is True for dataset in datasets)
    before = earlier if isinstance(earlier, Mapping) else {}
    known = before.get("datasets")
    known = [str(name) for name in known] if isinstance(known, (list, tuple)) else []
    return {
        "datasets": list(dict.fromkeys([*known, *names])),
        "synthetic": synthetic and before.get("synthetic") is not False,
    }


def case_hashes(datasets: Iterable[CocoDataset]) -> list[str]:
    """Sorted hashes (12 hexadecimal digits) of the cases of some data sets.

    An image without a case is its own: by its name and the size of its file, so that it is known again in another
    folder and is not taken for another of the same name.
    """
    return sorted({_hash(_identity(record)) for dataset in datasets for record in dataset.records})


def image_files_hash(dataset: CocoDataset) -> str:
    """SHA-256 of the names and sizes of the image files of a data set, which finds most that were replaced: their
    content would take as long to read as a training to begin."""
    files = (Path(record["file_name"]) for record in dataset.records)
    lines = (f"{path.name} {path.stat().st_size}\n" for path in files)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def has_learnt_from(weights: Path, records: Iterable[Mapping[str, Any]], annotations: Iterable[str]) -> bool | None:
    """Whether weights have learnt from some cases, as far as ``run.json`` beside them says; None where there is no
    record.

    Args:
        records: of the images, with the paths of these.
        annotations: SHA-256 of annotation files, which decide where no cases are recorded.

    Raises:
        ConfigError: it is damaged.
    """
    start = read_start(Path(weights).parent)
    if start is None:
        return None
    starts = _starts(start)
    files = {sha256 for entry in starts for sha256 in _hashes(entry["datasets"].get("train"))}
    return bool(files & set(annotations) or _trained(starts) & {_hash(_identity(record)) for record in records})


def read_start(folder: Path) -> dict[str, Any] | None:
    """``run.json`` of a run folder; None where there is none. Raises ConfigError if it is damaged."""
    path = Path(folder) / RUN_RECORD
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ConfigError("damaged: not JSON", where=path, remedy=_ASKED) from error
    resumed = document.get("resumed", []) if isinstance(document, dict) else None
    starts = [document, *resumed] if isinstance(resumed, list) else [None]
    if not all(map(_is_start, starts)):
        raise ConfigError("not the record of a run", where=path, remedy=_ASKED)
    return dict(document)


def augmentation_entry(augmentation: str | Path) -> dict[str, Any]:
    """What ``run.json`` says of a file of augmentations; nothing of a policy."""
    path = Path(augmentation)
    return {_AUGMENTATION: {"file": str(path), "sha256": sha256_of_file(path)}} if path.is_file() else {}


def compare_augmentation(start: Mapping[str, Any] | None, augmentation: str | Path) -> list[str]:
    """Whether a file of augmentations is no longer that of a run's last start, as phrases."""
    starts = _starts(start)
    before = starts[-1].get(_AUGMENTATION) if starts else None
    now = augmentation_entry(augmentation).get(_AUGMENTATION)
    if not isinstance(before, Mapping) or now is None or before.get("sha256") == now["sha256"]:
        return []
    return [f"the content of {augmentation} (INPUT.AUGMENTATION) differs"]


def resumed_seed(folder: Path, seed: int) -> int:
    """``SEED`` of a run to be resumed: a random one (below 0) stays as it was first. Raises as ``read_start``."""
    first = (read_start(folder) or {}).get("seed") if seed < 0 else None
    return first if type(first) is int and first >= 0 else seed


def compare_data(start: Mapping[str, Any] | None, datasets: DataParts) -> list[str]:
    """What differs between the data of a run's earlier starts and those it is to continue with, as phrases.

    Raises:
        ConfigError: cases that are now to judge the model were trained on before, and were not known to be so.
    """
    if start is None:
        return [f"{RUN_RECORD} is missing, so that the data cannot be compared with those of the first start"]
    starts = _starts(start)
    last = starts[-1]["datasets"]
    differing = [part for part, sets in datasets.items() if _hashes(last.get(part)) != [d.sha256 for d in sets]]
    phrases = [f"the annotations of the {part} part differ" for part in differing]
    phrases += [
        f"image files of the {part} part differ" for part in datasets if _replaced(last.get(part), datasets[part])
    ]
    if not differing:
        return phrases
    if not all(isinstance(entry.get("cases"), dict) for entry in starts):
        unknown = "which cases it was trained on is not recorded, so that they may be among those that test it"
        return [*phrases, unknown]
    trained, in_training = _trained(starts), set(case_hashes(datasets["train"]))
    for part in HELD_OUT:
        known = _cases(starts[-1:], part) & in_training  # of these a warning is given at every start
        leaked = (trained & set(case_hashes(datasets[part]))) - known
        if leaked:
            raise ConfigError(
                f"{len(leaked)} cases of the {part} part were trained on before: results would flatter the model",
                where=", ".join(str(dataset.json_path) for dataset in datasets[part]),
                remedy="Resume with the split of the first start, or train again in another OUTPUT_DIR",
            )
    return phrases


def trained_on(weights: str | Path) -> set[str]:
    """Hashes of cases that weights have learnt from, by ``run.json`` beside them, or none. Raises as ``read_start``."""
    return _trained(_starts(read_start(Path(weights).parent)))


def seen_by(weights: str | Path | None) -> list[str]:
    """The same, sorted; of no weights, and of those whose record is damaged (``warn_of_seen`` says so), none."""
    with contextlib.suppress(ConfigError):
        return sorted(trained_on(weights)) if weights else []
    return []


def warn_of_seen(weights: str | Path, datasets: DataParts) -> None:
    """Warn where weights have learnt from cases that are to judge them."""
    try:
        trained = trained_on(weights)
    except ConfigError as error:
        logger.warning("Whether %s has seen what tests it is unknown: %s", weights, error)
        return
    for part in HELD_OUT:
        seen = trained.intersection(case_hashes(datasets.get(part, ())))
        if seen:
            logger.warning(
                "%d cases of the %s part were trained on by %s: results will flatter the model",
                *(len(seen), part, weights),
            )


def compare_settings(folder: Path, settings: Mapping[str, Any]) -> list[str]:
    """What differs between ``config.yaml`` of a run folder and the current settings; ConfigError if it is damaged."""
    path = Path(folder) / CONFIG
    if not path.is_file():
        return [f"{CONFIG} is missing, so that the settings cannot be compared with the earlier ones"]
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError("damaged: not YAML", where=path, remedy=_ASKED) from error
    if not isinstance(document, dict):
        raise ConfigError("not a configuration", where=path, remedy=_ASKED)
    before, now = flat_settings(document), flat_settings(settings)
    keys = [key for key in differing(before, now) if key in before and key in now]
    shown = [f"{key} {now[key]!s:.60} instead of {before[key]!s:.60}" for key in keys[:_NAMED]]
    return shown + ([f"{len(keys) - _NAMED} further settings"] if len(keys) > _NAMED else [])


def flat_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """{dotted key: value} of a nested configuration, without what has no effect on the results."""
    return {key: value for key, value in leaves(settings) if key not in _WITHOUT_EFFECT}


def _is_start(start: Any) -> bool:
    """Whether an entry of ``run.json`` is that of a start; earlier versions recorded no cases."""
    if not isinstance(start, dict) or not isinstance(start.get("datasets"), dict):
        return False
    cases = start.get("cases")
    return cases in (None, SAME) or isinstance(cases, dict)


def _starts(first: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """All starts of a run, each with its cases, if those are recorded."""
    if first is None:
        return []
    starts = [first, *first.get("resumed", [])]
    return [{**start, "cases": first.get("cases")} if start.get("cases") == SAME else start for start in starts]


def _trained(starts: Iterable[Mapping[str, Any]]) -> set[str]:
    starts = [start for start in starts if isinstance(start.get("cases"), Mapping)]
    return _cases(starts, "train") | _cases(starts, BEFORE)


def _hashes(entries: Any, key: str = "annotations_sha256") -> list[Any]:
    entries = entries if isinstance(entries, list) else []
    return [entry.get(key) if isinstance(entry, Mapping) else None for entry in entries]


def _replaced(entries: Any, sets: Sequence[CocoDataset]) -> bool:
    """Whether image files of the same annotations are not those of an earlier start, if that has recorded them."""
    known = zip(_hashes(entries), _hashes(entries, IMAGE_FILES), sets, strict=False)
    return any(a == dataset.sha256 and files not in (None, image_files_hash(dataset)) for a, files, dataset in known)


def _cases(starts: Iterable[Mapping[str, Any]], part: str) -> set[str]:
    return {case for start in starts for case in str(start["cases"].get(part, "")).split()}


def _identity(record: Mapping[str, Any]) -> str:
    case = case_of(record)
    if case is not None:
        return f"case {case}"
    path = Path(record["file_name"])
    return f"image {path.name} {path.stat().st_size}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
