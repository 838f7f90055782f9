"""The folder of a training run: what is in it, and what is stored for whoever wants to repeat the run."""

import contextlib
import logging
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.utils import comm

import segtumor
from segtumor import runs
from segtumor.annotations.coco import CocoDataset
from segtumor.errors import ConfigError
from segtumor.files import prepare_output_folder, sha256_of_file, write_json, write_text
from segtumor.runtime.exported import is_export
from segtumor.system.locks import lock_folder
from segtumor.system.versions import versions
from segtumor.training.batches.catalog import DataParts, shared_cases
from segtumor.training.data_identity import (
    BEFORE,
    IMAGE_FILES,
    SAME,
    augmentation_entry,
    case_hashes,
    image_files_hash,
    read_start,
)

_FILES_OF_A_RUN = (
    runs.ALL_WEIGHTS,
    runs.NEWEST_CHECKPOINT,
    runs.TRAINING_METRICS,
    "events.out.tfevents.*",
    runs.CONFIG,
    runs.RUN_RECORD,
    runs.TRAINING_LOG,
    runs.TRAINING_CURVES,
    runs.OPERATING_POINTS,
)
_APPENDED = (runs.TRAINING_LOG, runs.TRAINING_METRICS)
#: Everything that can change a number.
_VERSIONS = (
    *("segtumor", "python", "detectron2", "torch", "torchvision", "numpy", "scipy", "pycocotools", "albumentations"),
    *("opencv-python-headless", "pillow", "git"),
)


def check_run_folder(folder: str | Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that holds another run's weights, or a run that cannot be written on; touches nothing.

    Raises:
        ConfigError: it holds weights, and neither ``resume`` nor ``overwrite`` is set; or an export; or see
            ``check_appended``.
    """
    if is_export(folder):  # which --run would read in place of the run
        raise ConfigError("the folder holds an exported model", where=folder, remedy="Choose another OUTPUT_DIR")
    if resume:
        check_appended(folder)
    if any(Path(folder).glob(runs.ALL_WEIGHTS)) and not (resume or overwrite):
        raise ConfigError(
            "the folder already holds a run",
            where=folder,
            remedy="Continue it with --resume, replace it with --overwrite, or choose another OUTPUT_DIR",
        )


def check_appended(folder: str | Path) -> None:
    """Refuse a folder in which a pipe or a folder bears the name of a file that is appended to: of a pipe, opening it
    would wait for a reader without end.

    Raises:
        ConfigError: names it.
    """
    for name in _APPENDED:
        path = Path(folder) / name
        if path.exists() and not path.is_file():
            raise ConfigError("not an ordinary file", where=path, remedy="Move it away")


def prepare_run_folder(folder: str | Path, *, resume: bool) -> None:
    """Make a folder that passed ``check_run_folder`` ready, without the run to be replaced; raises OutputError."""
    folder = Path(prepare_output_folder(folder))
    if resume:
        return
    for pattern in _FILES_OF_A_RUN:  # by name: the folder may hold other things of the user
        for path in folder.glob(pattern):
            path.unlink()
    shutil.rmtree(folder / runs.EVALUATIONS, ignore_errors=True)


def lock_run(folder: str | Path) -> contextlib.AbstractContextManager[Any]:
    """The lock of the run folder; of several processes that train together the first holds it."""
    if not comm.is_main_process():
        return contextlib.nullcontext()
    return lock_folder(folder, remedy="Wait for it, or choose another OUTPUT_DIR")


@contextlib.contextmanager
def log_file(folder: str | Path) -> Iterator[None]:
    """Everything segtumor logs meanwhile is appended to ``log.txt`` as well, with the time."""
    handler = logging.FileHandler(Path(folder) / runs.TRAINING_LOG, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("segtumor")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(min(level or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()


def begin_run(
    cfg: CfgNode,
    datasets: DataParts,
    *,
    known: Mapping[str, Any] | None,
    before: Iterable[str] = (),
    resume: bool = False,
) -> None:
    """Make ``OUTPUT_DIR``, which passed ``check_run_folder``, ready, and write the complete configuration and the
    record of the run into it.

    Args:
        known: what the weights have learnt from, as ``data_identity.training_data`` gives it.
        before: sorted hashes of the cases that the weights knew from which the run started.

    Raises:
        OutputError: it cannot be written.
    """
    folder = Path(cfg.OUTPUT_DIR)
    prepare_run_folder(folder, resume=resume)
    write_text(folder / runs.CONFIG, cfg.dump())
    _write_provenance(
        folder,
        datasets=datasets,
        seed=cfg.SEED,
        known=known,
        before=before,
        augmentation=cfg.INPUT.AUGMENTATION,
        resumed=resume,
    )


def _write_provenance(
    folder: Path,
    *,
    datasets: DataParts,
    seed: int,
    known: Mapping[str, Any] | None,
    before: Iterable[str],
    augmentation: str | Path,
    resumed: bool,
) -> None:
    """Write ``run.json``: command, seed, versions, the SHA-256 of annotations and splits, and hashes of the cases.

    A resumed run adds itself to what is there under ``"resumed"``; the first start stays as it was, but for
    ``training_data``, which says what the weights have learnt from by now.

    Args:
        augmentation: name of a policy, or a file, whose hash is kept too.
    """
    path = folder / runs.RUN_RECORD
    entry: dict[str, Any] = {
        "schema_version": 1,
        "command": sys.argv,
        "seed": seed,
        "training_data": known,
        "datasets": {part: [_dataset_entry(d) for d in sets] for part, sets in datasets.items()},
        "cases": {**{part: " ".join(case_hashes(sets)) for part, sets in datasets.items()}, BEFORE: " ".join(before)},
        "cases_in_several_parts": {f"{a}, {b}": len(cases) for a, b, cases in shared_cases(datasets)},
        "versions": versions(_VERSIONS),
        **augmentation_entry(augmentation),
        "machine": {"threads": torch.get_num_threads(), "cuda": torch.cuda.is_available()},
        "notice": segtumor.NOTICE,
    }
    first = read_start(folder) if resumed else None
    if first is not None:
        if {**(first.get("cases") or {}), BEFORE: ""} == entry["cases"]:  # long lines; once is enough
            entry["cases"] = SAME
        entry = {**first, "training_data": known, "resumed": [*first.get("resumed", []), entry]}
    write_json(path, entry)


def _dataset_entry(dataset: CocoDataset) -> dict[str, Any]:
    split = dataset.json_path.parent.parent / "split.json"
    return {
        "annotations": str(dataset.json_path),
        "annotations_sha256": dataset.sha256,
        IMAGE_FILES: image_files_hash(dataset),
        "split_file_sha256": sha256_of_file(split) if split.is_file() else None,
        "images": len(dataset.records),
        "lesions": dataset.crowds.n_lesions,
        "crowds": dataset.crowds.n_regions,
    }
