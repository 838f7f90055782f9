"""Checkpoints that are whole or absent, and are read as data, never as code.

fvcore writes a checkpoint in place: a full disk or an interrupted save leaves the newest one truncated while
``last_checkpoint`` already names it. Here a file is written beside its target, synced and renamed, and the note of
the newest is updated only afterwards. Not here: from which checkpoint training resumes, and whether it may
(``resuming``).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import nn
from torch.optim import Optimizer

from segtumor.errors import ModelError
from segtumor.files import write_text
from segtumor.models.weights import check_class_names, fit_weights, write_checkpoint
from segtumor.runs import NEWEST_CHECKPOINT
from segtumor.training.checkpoints.resuming import Newest, check_state
from segtumor.training.divergence import check_finite

#: Parts that checkpoints of earlier versions lack; without them a run resumes, but not as if it had never stopped.
_DISPENSABLE = {"random": "random numbers: training continues with others"}


class Part(Protocol):
    """What keeps a state."""

    def state_dict(self) -> dict[str, Any]:
        """The state."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Take such a state up."""
        ...


class Checkpointer:
    """Saves and restores a training run in one folder.

    Args:
        parts: further objects with ``state_dict`` and ``load_state_dict``, by name (optimizer, scheduler, ...).
        extra: plain values stored in every checkpoint (class names, version).
    """

    def __init__(
        self, model: nn.Module, folder: str | Path, *, parts: Mapping[str, Part], extra: Mapping[str, Any]
    ) -> None:
        self._model, self._folder = model, Path(folder)
        self._parts, self._extra = dict(parts), dict(extra)
        optimizer = self._parts.get("optimizer")
        self._optimizer = optimizer if isinstance(optimizer, Optimizer) else None

    def add_part(self, name: str, part: Part) -> None:
        """Save and restore ``part`` as well."""
        self._parts[name] = part

    def add_values(self, **values: Any) -> None:
        """Store these plain values in every checkpoint as well."""
        self._extra.update(values)

    @property
    def training_data(self) -> dict[str, Any] | None:
        """What the weights have learnt from (``data_identity.training_data``), or None if that was not said."""
        return self._extra.get("training_data")

    def save(self, name: str, **values: Any) -> None:
        """Write the file ``name`` with the model, the parts and ``values``, and note it as the newest.

        Raises:
            NonFiniteLossError: there are NaN or infinities in it; an earlier checkpoint stays as it was.
            OutputError: it cannot be written.
        """
        parts = {part_name: part.state_dict() for part_name, part in self._parts.items()}
        self._write(name, {"model": self._model.state_dict(), **parts, **self._extra, **values})
        write_text(self._folder / NEWEST_CHECKPOINT, name)

    def save_weights(self, name: str, *, model: nn.Module | None = None, **values: Any) -> None:
        """Write the file ``name`` with a model alone; a ``resume`` does not start from it. Raises as ``save``.

        Args:
            name: of the file.
            model: in place of the one in training, such as an average of it.
            values: plain ones, stored as well.
        """
        self._write(name, {"model": (model or self._model).state_dict(), **self._extra, **values})

    def restore(self, newest: Newest) -> list[str]:
        """Restore model and parts from a checkpoint; returns what the user should know, in sentences.

        Raises:
            ModelError: it belongs to another model, other classes or another optimizer, or lacks a part.
        """
        checkpoint, path = newest.checkpoint, newest.path
        names = self._extra.get("class_names")
        if names and not checkpoint.get("class_names"):
            raise ModelError("checkpoint does not name its classes", where=path, remedy=_INSTEAD)
        check_class_names(checkpoint.get("class_names"), names, path, strict=True)
        fit_weights(self._model, checkpoint["model"], path=path, strict=True)
        check_state(checkpoint, self._optimizer, path)
        remarks = list(newest.remarks)
        for name, part in self._parts.items():
            if name in checkpoint:
                _restore(part, checkpoint[name], name, path)
            elif name in _DISPENSABLE:
                remarks.append(f"{path.name} is of an earlier version and lacks the {_DISPENSABLE[name]}")
            else:
                raise ModelError(f"checkpoint lacks the state of the {name}", where=path, remedy=_INSTEAD)
        return remarks

    def _write(self, name: str, state: dict[str, Any]) -> None:
        check_finite(state, where=f"{name} after iteration {state.get('iteration', -1) + 1}")
        write_checkpoint(self._folder / name, state)


_INSTEAD = "Use --init-from and another OUTPUT_DIR to start from its weights alone"


def _restore(part: Part, state: Any, name: str, path: Path) -> None:
    if name == "scaler" and state == {}:  # of a training without mixed precision
        return
    try:
        part.load_state_dict(state)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(
            f"the state of the {name} cannot be used ({type(error).__name__}: {reason:.120})",
            where=path,
            remedy=_INSTEAD,
        ) from error
