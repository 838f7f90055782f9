"""Checkpoints that are whole or absent, and are read as data, never as code.

fvcore writes a checkpoint in place: a full disk or an interrupted save leaves the newest one truncated while
``last_checkpoint`` already names it. Here a file is written beside its target, synced and renamed, and the note of
the newest is updated only afterwards.
"""

import logging
from pathlib import Path

import torch

from segtumor.engine.checksums import seal
from segtumor.engine.weights import fit_weights, read_checkpoint
from segtumor.errors import ModelError
from segtumor.files import atomic_path, write_text

_LAST = "last_checkpoint"
logger = logging.getLogger(__name__)


class Checkpointer:
    """Saves and restores a training run in one folder.

    Args:
        model: the model being trained.
        folder: the run folder.
        parts: further objects with ``state_dict`` and ``load_state_dict``, by name (optimizer, scheduler, ...).
        extra: plain values stored in every checkpoint (class names, version).
    """

    def __init__(self, model, folder, *, parts, extra):
        self._model, self._folder, self._parts, self._extra = model, Path(folder), dict(parts), dict(extra)

    def add_part(self, name, part):
        """Save and restore ``part`` as well."""
        self._parts[name] = part

    def save(self, name, **values):
        """Write ``<name>.pth`` with the model, the parts and ``values``, and note it as the newest."""
        write_checkpoint(self._folder / f"{name}.pth", self._state(values))
        write_text(self._folder / _LAST, f"{name}.pth")

    def save_weights(self, name, **values):
        """Write ``<name>.pth`` with the model alone; a later ``resume`` does not start from it."""
        write_checkpoint(self._folder / f"{name}.pth", {"model": self._model.state_dict(), **self._extra, **values})

    def resume(self):
        """Restore the newest checkpoint of the folder; returns its values, or None if there is none.

        Raises:
            ModelError: the checkpoint is unreadable or belongs to another model.
        """
        note = self._folder / _LAST
        if not note.is_file():
            return None
        path = self._folder / Path(note.read_text(encoding="utf-8").strip()).name
        checkpoint = read_checkpoint(path)
        fit_weights(self._model, checkpoint["model"], path=path, strict=True)
        for name, part in self._parts.items():
            if name not in checkpoint:
                raise ModelError(
                    f"checkpoint lacks the state of the {name}", where=path, remedy="Use --init-from instead"
                )
            part.load_state_dict(checkpoint[name])
        logger.info("Resumed from %s", path)
        return checkpoint

    def _state(self, values):
        parts = {name: part.state_dict() for name, part in self._parts.items()}
        return {"model": self._model.state_dict(), **parts, **self._extra, **values}


def write_checkpoint(path, state):
    """Write ``state`` with torch.save, atomically and with the checksum that ``read_checkpoint`` compares.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as file:
            try:
                torch.save(state, file)
            except RuntimeError as error:  # torch reports a full disk so
                raise OSError(str(error).splitlines()[0]) from error
        seal(temporary)
