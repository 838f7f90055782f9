"""The folder of a training run: what lies in it, and what is stored for whoever wants to repeat the run."""

import contextlib
import importlib.metadata
import logging
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import torch

import segtumor
from segtumor.compat import detectron2_version
from segtumor.errors import ConfigError
from segtumor.files import prepare_output_folder, sha256_of_file, write_json
from segtumor.runs import CONFIG
from segtumor.runtime.exported import is_export
from segtumor.training.batches.catalog import shared_cases
from segtumor.training.data_identity import BEFORE, IMAGE_FILES, SAME, case_hashes, image_files_hash, read_start

_FILES_OF_A_RUN = (
    "model_*.pth",
    "last_checkpoint",
    "metrics.json",
    "events.out.tfevents.*",
    CONFIG,
    "run.json",
    "log.txt",
    "training_curves.png",
)
_APPENDED = ("log.txt", "metrics.json")
_PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "pycocotools",
    "albumentations",
    "opencv-python-headless",
    "pillow",
)


def check_run_folder(folder, *, resume, overwrite):
    """Refuse a folder that holds another run's weights, or a run that cannot be written on; touches nothing.

    Raises:
        ConfigError: it holds weights, and neither ``resume`` nor ``overwrite`` is set; or an export; or see
            ``check_appended``.
    """
    if is_export(folder):  # which --run would read in place of the run
        raise ConfigError("the folder holds an exported model", where=folder, remedy="Choose another OUTPUT_DIR")
    if resume:
        check_appended(folder)
    if _holds_run(Path(folder)) and not (resume or overwrite):
        raise ConfigError(
            "the folder already holds a run",
            where=folder,
            remedy="Continue it with --resume, replace it with --overwrite, or choose another OUTPUT_DIR",
        )


def check_appended(folder):
    """Refuse a folder in which a pipe or a folder bears the name of a file that is appended to: of a pipe, opening it
    would wait for a reader without end.

    Raises:
        ConfigError: names it.
    """
    for name in _APPENDED:
        path = Path(folder) / name
        if path.exists() and not path.is_file():
            raise ConfigError("not an ordinary file", where=path, remedy="Move it away")


def prepare_run_folder(folder, *, resume) -> None:
    """Make a folder that passed ``check_run_folder`` ready, without the run that is to be replaced.

    Raises:
        OutputError: it cannot be written.
    """
    folder = prepare_output_folder(folder)
    if resume:
        return
    for pattern in _FILES_OF_A_RUN:  # by name: the folder may hold other things of the user
        for path in folder.glob(pattern):
            path.unlink()
    shutil.rmtree(folder / "inference", ignore_errors=True)


def _holds_run(folder):
    return any(folder.glob("model_*.pth"))


@contextlib.contextmanager
def log_file(folder):
    """Everything segtumor logs meanwhile is appended to ``log.txt`` as well, with the time."""
    handler = logging.FileHandler(Path(folder) / "log.txt", encoding="utf-8")
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


def write_provenance(folder, *, datasets, seed, known=None, before=(), resumed: bool = False, command=None) -> None:
    """Write ``run.json``: command, seed, versions, the SHA-256 of annotations and splits, and hashes of the cases.

    A resumed run adds itself to what stands there under ``"resumed"``; the first start stays as it was, but for
    ``training_data``, which says what the weights have learnt from by now.

    Args:
        folder: run folder.
        datasets: {"train": [CocoDataset, ...], ...}.
        seed: seed in force.
        known: what the weights have learnt from, as ``training_data.training_data`` gives it.
        before: sorted hashes of the cases that the weights knew from which the run started.
        resumed: whether the run continues an earlier one.
        command: arguments as typed; None takes those of the process.
    """
    path = Path(folder) / "run.json"
    entry = {
        "schema_version": 1,
        "command": list(sys.argv if command is None else command),
        "seed": seed,
        "training_data": known,
        "datasets": {part: [_dataset_entry(d) for d in sets] for part, sets in datasets.items()},
        "cases": {**{part: " ".join(case_hashes(sets)) for part, sets in datasets.items()}, BEFORE: " ".join(before)},
        "cases_in_several_parts": {f"{a}, {b}": len(cases) for a, b, cases in shared_cases(datasets)},
        "versions": versions(),
        "machine": {"threads": torch.get_num_threads(), "cuda": torch.cuda.is_available()},
        "notice": segtumor.NOTICE,
    }
    first = read_start(folder) if resumed else None
    if first is not None:
        if {**(first.get("cases") or {}), BEFORE: ""} == entry["cases"]:  # long lines; once is enough
            entry["cases"] = SAME
        entry = {**first, "training_data": known, "resumed": [*first.get("resumed", []), entry]}
    write_json(path, entry)


def versions():
    """{package: version} of everything that can change a number; None for what is not installed."""
    found = {"segtumor": segtumor.__version__, "python": platform.python_version(), "detectron2": detectron2_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return {**found, "git": _git_commit()}


def _dataset_entry(dataset):
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


def _git_commit():
    here = Path(__file__).resolve().parent
    try:
        result = subprocess.run(["git", "-C", here, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None
