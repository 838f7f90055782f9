"""From which checkpoint a run resumes, and whether its state fits the current settings. Changes no file.

A damaged checkpoint is skipped, with a warning, for the next older one; one that is whole but does not fit is refused:
then the settings are wrong, not the file. Not here: writing and restoring (``checkpoint``), what data the run was
trained on (``data_identity``).
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch.optim import Optimizer

from segtumor.errors import ModelError
from segtumor.models.weights import read_checkpoint
from segtumor.runs import FINAL_WEIGHTS, LAST_WEIGHTS, NEWEST_CHECKPOINT
from segtumor.training.divergence import names_of_not_finite

#: The files that hold all that training needs to resume.
RESUMABLE = (LAST_WEIGHTS, FINAL_WEIGHTS)
_LONGEST_NAME = 255
_WHOLE = ("model", "optimizer", "scheduler", "iteration")
_FOREIGN = (
    "Resume with the settings of the run, or use --init-from and another OUTPUT_DIR to start from its weights alone"
)


class Newest(NamedTuple):
    """The checkpoint to resume from.

    Attributes:
        remarks: what the user should know, in sentences: files that were skipped.
    """

    path: Path
    checkpoint: Mapping[str, Any]
    remarks: tuple[str, ...]


def noted_name(folder: Path) -> str | None:
    """Name of the file that ``last_checkpoint`` names, without any folder; None where there is no note.

    Raises:
        ModelError: the note is no file name.
    """
    note = Path(folder) / NEWEST_CHECKPOINT
    if not note.exists():
        return None
    try:
        text = note.read_text(encoding="utf-8").strip() if note.is_file() else ""
    except UnicodeDecodeError:
        text = ""
    name = Path(text).name
    if not name.endswith(".pth") or not name.isprintable() or len(name.encode()) > _LONGEST_NAME:
        raise ModelError(
            "does not name a checkpoint", where=note, expected=" or ".join(RESUMABLE), remedy=_without_note(folder)
        )
    return name


def newest_checkpoint(folder: Path) -> Newest | None:
    """The newest good checkpoint of a run folder; None if it holds no weights at all.

    Raises:
        ModelError: there are weights, but none to resume from.
    """
    folder = Path(folder)
    noted = noted_name(folder)
    names = [name for name in RESUMABLE if (folder / name).is_file() and name != noted]
    if noted is not None:
        if not (folder / noted).is_file():
            what = f"names {noted}, and there is no such weights file"
            raise ModelError(what, where=folder / NEWEST_CHECKPOINT, remedy=_without_note(folder))
        names.insert(0, noted)
    if not names:
        _refuse_weights_alone(folder)
        return None
    newest, damaged = None, []
    for name in names:
        try:
            checkpoint = _read_good(folder / name)
        except ModelError as error:
            damaged.append(error)
            continue
        if newest is None or _iteration(checkpoint) > _iteration(newest.checkpoint):
            newest = Newest(folder / name, checkpoint, ())
        if name == noted:
            break
    if newest is None:
        raise damaged[0]
    return newest._replace(remarks=(*map(str, damaged), *_why(newest.path.name, noted)))


def check_state(checkpoint: Mapping[str, Any], optimizer: Optimizer | None, path: Path) -> None:
    """Refuse a checkpoint whose optimizer, scheduler or iteration is missing or does not fit, by ModelError."""
    missing = [name for name in _WHOLE if name not in checkpoint and (name != "optimizer" or optimizer)]
    if missing:
        raise ModelError(f"checkpoint lacks the state of the {', '.join(missing)}", where=path, remedy=_FOREIGN)
    iteration = checkpoint["iteration"]
    if type(iteration) is not int or iteration < 0:
        raise ModelError("no number of an iteration", where=path, got=f"{iteration!r:.40}", remedy=_FOREIGN)
    _check_scheduler(checkpoint["scheduler"], iteration, path)
    if optimizer is not None:
        _check_optimizer(checkpoint["optimizer"], optimizer, path)


def _check_scheduler(state: Any, iteration: int, path: Path) -> None:
    steps = state.get("last_epoch") if isinstance(state, Mapping) else None
    rates = state.get("base_lrs", []) if isinstance(state, Mapping) else None
    if type(steps) is not int or not isinstance(rates, list) or not all(_is_finite(rate) for rate in rates):
        raise ModelError("the state of the scheduler cannot be used", where=path, remedy=_FOREIGN)
    if steps != iteration + 1:
        raise ModelError(
            "the scheduler is at another iteration than the checkpoint",
            where=path,
            got=steps,
            expected=iteration + 1,
            remedy=_FOREIGN,
        )


def _check_optimizer(state: Any, optimizer: Optimizer, path: Path) -> None:
    groups, values = (state.get(key) if isinstance(state, Mapping) else None for key in ("param_groups", "state"))
    if not isinstance(groups, list) or not groups or not isinstance(values, Mapping) or not isinstance(groups[0], dict):
        raise ModelError("the state of the optimizer cannot be used", where=path, remedy=_FOREIGN)
    theirs, own = _kind(groups[0]), _kind(optimizer.param_groups[0])
    if theirs != own:
        raise ModelError(
            "trained with another optimizer",
            where=f"{path}, SOLVER.OPTIMIZER",
            got=own,
            expected=theirs,
            remedy=_FOREIGN,
        )
    shapes = [parameter.shape for group in optimizer.param_groups for parameter in group["params"]]
    for index, entry in values.items():
        if type(index) is not int or not 0 <= index < len(shapes) or not _fits(entry, shapes[index], own):
            raise ModelError("the state of the optimizer is that of another model", where=path, remedy=_FOREIGN)
    if not values and (own == "ADAMW" or optimizer.param_groups[0].get("momentum")):
        raise ModelError("the state of the optimizer is empty", where=path, remedy=_FOREIGN)


def _kind(group: Any) -> str:
    """Name in ``SOLVER.OPTIMIZER`` of the optimizer that a parameter group belongs to."""
    return next((name for key, name in (("betas", "ADAMW"), ("momentum", "SGD")) if key in group), "another")


def _fits(entry: Any, shape: tuple[int, ...], kind: str) -> bool:
    needed = {"ADAMW": {"step", "exp_avg", "exp_avg_sq"}, "SGD": {"momentum_buffer"}}.get(kind, set())
    if not isinstance(entry, Mapping) or not needed <= set(entry):
        return False
    # A counter of steps is a number; without momentum there is none to remember.
    return all(
        _is_finite(value) or getattr(value, "shape", None) == ()
        if name == "step"
        else (value is None and kind == "SGD") or getattr(value, "shape", None) == shape
        for name, value in entry.items()
    )


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _read_good(path: Path) -> Mapping[str, Any]:
    checkpoint = read_checkpoint(path)
    wrong = names_of_not_finite(checkpoint)
    if wrong:
        raise ModelError(f"{wrong[0]} is NaN or infinite", where=path, remedy="Use an older checkpoint")
    return checkpoint


def _iteration(checkpoint: Mapping[str, Any]) -> int:
    value = checkpoint.get("iteration")
    return value if type(value) is int else -1


def _why(name: str, noted: str | None) -> list[str]:
    if noted is None:
        return [f"{NEWEST_CHECKPOINT} is missing: {name} is the newest checkpoint of the folder"]
    return [] if name == noted else [f"{noted} is skipped for the older {name}"]


def _refuse_weights_alone(folder: Path) -> None:
    others = sorted(path.name for path in folder.glob("model_*.pth"))
    if others:
        raise ModelError(
            f"no checkpoint to resume from: {', '.join(others)} holds weights alone",
            where=folder,
            expected=" or ".join(RESUMABLE),
            remedy=f"Start a new run from it with --init-from {folder / others[0]} and another OUTPUT_DIR, or replace "
            "this one with --overwrite",
        )


def _without_note(folder: Path) -> str:
    return f"Delete {NEWEST_CHECKPOINT} to resume from the newest checkpoint that {folder} holds"
