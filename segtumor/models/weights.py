"""Weights from a file into a model: read safely, renamed if others wrote them, compared before they are loaded."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from segtumor.errors import ModelError
from segtumor.files import atomic_path, output_errors
from segtumor.models.checksums import check_undamaged, seal
from segtumor.models.exported_weights import is_export_file, read_exported_weights
from segtumor.models.layouts.fit import check_backbone
from segtumor.models.layouts.table import with_own_names
from segtumor.models.layouts.vgg import deepened
from segtumor.models.pickles import read_pickle
from segtumor.models.pixel_scale import FIELD, STORED, warn_of_scale

logger = logging.getLogger(__name__)
_SHOWN = 4


@dataclass(frozen=True)
class WeightsReport:
    """What became of a weights file.

    Attributes:
        loaded: parameters taken from the file.
        initialised: parameters of the model that the file lacks or has in another shape; they keep their fresh values.
        unused: parameters of the file that the model has no place for.
        layout: what wrote the file, if not segtumor or Detectron2.
        renewed: those of ``initialised`` that the file has in another shape, such as heads for other classes.
    """

    loaded: tuple[str, ...]
    initialised: tuple[str, ...]
    unused: tuple[str, ...]
    layout: str | None = None
    renewed: tuple[str, ...] = ()

    def sentence(self) -> str:
        """One line for people."""
        origin = f" ({self.layout})" if self.layout else ""
        text = (
            f"{len(self.loaded)} tensors loaded{origin}, {len(self.initialised)} newly initialised, "
            f"{len(self.unused)} unused"
        )
        renewed = f"; of another shape in the file: {_some(self.renewed)}" if self.renewed else ""
        return f"{text} (new: {_some(self.initialised)}{renewed})" if self.initialised else text


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a file of weights without running any code in it, after its checksums were compared if it has some.

    Args:
        path: a file of ``torch.save``, of Detectron2's model zoo (``.pkl``), or the ``export.json`` of a 16-bit export.

    Returns:
        dict with at least ``"model"``: {parameter name: tensor}. A bare state dict is wrapped.

    Raises:
        ModelError: the file is missing, damaged, or not a set of weights.
    """
    path = Path(path)
    if is_export_file(path):
        return read_exported_weights(path)
    if not path.is_file():
        remedy = "Check MODEL.WEIGHTS, --run or --init-from; segtumor weights list names published ones"
        raise ModelError("no such weights file", where=path, remedy=remedy)
    content = _of_model_zoo(path) if path.suffix == ".pkl" else _of_torch(path)
    inner = next((key for key in ("model", "state_dict") if isinstance(content, dict) and key in content), None)
    if inner and isinstance(content[inner], dict):
        _check_names(content.get("class_names"), path)
        _check_tensors(content[inner], path)
        return {**content, "model": content[inner]}
    if isinstance(content, dict) and content and all(isinstance(value, torch.Tensor) for value in content.values()):
        _check_tensors(content, path)
        return {"model": content}
    raise ModelError("holds no weights", where=path, got=type(content).__name__, expected="a state dict")


def _of_torch(path: Path) -> Any:
    has_checksums = check_undamaged(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"not a readable weights file: {_reason(error)}",
            where=path,
            expected="what torch.save wrote of a state dict",
            remedy="Copy it again from where it was trained; of a whole model save its state_dict() there",
        ) from error
    if not has_checksums:
        logger.warning("%s: an old format without checksums; damage to its weights cannot be noticed", path)
    return content


def _of_model_zoo(path: Path) -> dict[str, Any]:
    """A pickle of Detectron2 (its weights under "model") or of Detectron before it ("blobs", or bare)."""
    content = read_pickle(path)
    weights = next((content[key] for key in ("model", "blobs") if isinstance(content.get(key), dict)), content)
    return {"model": {name: _as_tensor(value) for name, value in weights.items()}}


def _as_tensor(value: Any) -> Any:
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def _reason(error: Exception) -> str:
    text = next(iter(str(error).splitlines()), "")
    if "weights_only" in text:  # advice to programmers, which would let the file run code
        return "it is none, or holds more than weights"
    return f"{text:.120}" or type(error).__name__


def _check_tensors(state: Mapping[Any, Any], path: Path) -> None:
    """Refuse weights that torch would convert in silence (whole numbers, complex ones) or not at all."""
    for name, tensor in state.items():
        if not isinstance(name, str):
            raise ModelError("a parameter's name is no text", where=path, got=f"{name!r:.60}")
        if not isinstance(tensor, torch.Tensor):
            continue
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_complex() or tensor.is_meta:
            kind = "without values" if tensor.is_meta else f"{tensor.layout}, {tensor.dtype}".replace("torch.", "")
            raise ModelError(
                f"{name} is no plain tensor", where=path, got=kind, expected="plain floating-point numbers"
            )


def _check_names(names: Any, path: Path) -> None:
    if names is not None and not (isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)):
        raise ModelError("its class names are no list of names", where=path, got=f"{names!r:.60}")


def load_weights(
    model: nn.Module,
    path: str | Path,
    *,
    strict: bool,
    class_names: Sequence[str] | None = None,
    checkpoint: Mapping[str, Any] | None = None,
) -> WeightsReport:
    """Load a file's weights into ``model``.

    Args:
        model: a Detectron2 model.
        path: file of segtumor or Detectron2, or of a layout in ``models.layouts.table``.
        strict: whether every parameter must be in the file (to predict or resume) or new ones may stay as initialised
            (to start a training from other weights).
        class_names: the current classes, in order; weights that name others are refused if ``strict``, else warned of.
        checkpoint: what ``read_checkpoint`` returned of the file, where that was read already.

    Returns:
        WeightsReport.

    Raises:
        ModelError: as ``read_checkpoint``, or the weights do not fit.
    """
    checkpoint = checkpoint or read_checkpoint(path)
    check_class_names(checkpoint.get("class_names"), class_names, path, strict)
    renamed = with_own_names(checkpoint["model"], model.state_dict())
    if renamed.layout:
        check_backbone(renamed, model.state_dict(), path)
    report = fit_weights(model, renamed.state, path=path, strict=strict)
    warn_of_scale(model, checkpoint, path)
    return replace(report, layout=renamed.layout.name) if renamed.layout else report


def fit_weights(model: nn.Module, state: Mapping[str, Any], *, path: str | Path, strict: bool) -> WeightsReport:
    """Load ``state`` where names and shapes agree; see ``load_weights``."""
    own = model.state_dict()
    state = {name: tensor for name, tensor in state.items() if name not in STORED}
    loaded = {n: tensor for n, tensor in state.items() if n in own and getattr(tensor, "shape", None) == own[n].shape}
    initialised = tuple(name for name in own if name not in loaded and name not in STORED)
    report = WeightsReport(
        tuple(loaded),
        initialised,
        tuple(name for name in state if name not in loaded),
        renewed=tuple(name for name in initialised if name in state),
    )
    if (strict and (initialised or report.unused)) or not loaded:
        raise ModelError(
            f"weights do not fit the model: {report.sentence()}",
            where=path,
            remedy="Use the config.yaml that the weights were trained with",
        )
    whole = [name for name in loaded if own[name].is_floating_point() and not loaded[name].is_floating_point()]
    if whole:
        raise ModelError(
            f"{whole[0]} holds no fractions",
            where=path,
            got=str(loaded[whole[0]].dtype),
            expected="floating-point numbers",
        )
    empty = next((name for name, tensor in loaded.items() if strict and tensor.dim() > 1 and not tensor.any()), None)
    if empty:  # which no training leaves, but a damaged copy that was saved again does
        raise ModelError(f"{empty} is all zeros", where=path, remedy="Copy the file again or use an older checkpoint")
    _check_finite(loaded, path)
    model.load_state_dict(loaded, strict=False)
    return report


def _check_finite(state: Mapping[str, torch.Tensor], path: str | Path) -> None:
    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            half = tensor.dtype == torch.float16
            raise ModelError(
                f"weights are NaN or infinite, in {name}",
                where=path,
                remedy="Numbers beyond 65504 do not fit into 16 bits: convert the original, or keep 32 bits"
                if half
                else "Copy the file again or use an older checkpoint",
            )


def check_class_names(
    trained: Sequence[str] | None, wanted: Sequence[str] | None, path: str | Path, strict: bool
) -> None:
    """Refuse weights of other classes, or of another order of them; only warn unless ``strict``.

    Args:
        trained: class names of the weights, or None if they do not say.
        wanted: the current class names, or None for any.
    """
    if not trained or wanted is None or list(trained) == list(wanted):
        return
    error = ModelError(
        "the weights were trained for other classes, or another order of them",
        where=path,
        got=", ".join(trained),
        expected=", ".join(wanted),
        remedy="Order the categories of the annotation file as in training",
    )
    if strict:
        raise error
    logger.warning("%s", error)


def _some(names: Sequence[str]) -> str:
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def write_checkpoint(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write ``state`` with torch.save, atomically and with the checksum that ``read_checkpoint`` compares.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as file:
            try:
                torch.save(state, file)
            except RuntimeError as error:  # torch reports a full disk so, after the system's own words
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from None
                raise OSError(str(error).splitlines()[0]) from error
        seal(temporary)


def convert(source: str | Path, target: str | Path, *, half: bool, deepen: bool = False) -> int:
    """Write the weights of ``source``, their classes, data and scale of pixels, and nothing else, as ``target``.

    Args:
        source: what ``read_checkpoint`` reads.
        target: file to write or replace.
        half: whether matrices and kernels become 16-bit floats; vectors, among them statistics, stay as they are.
        deepen: whether a VGG16 becomes the VGG19 that computes the same.

    Returns:
        Number of tensors written.

    Raises:
        ModelError: ``source`` is no set of weights or, to be deepened, no VGG16; or a number of it is NaN, infinite or
            beyond 16 bits.
        OutputError: ``target`` cannot be written.
    """
    checkpoint = read_checkpoint(source)
    tensors = {name: tensor for name, tensor in checkpoint["model"].items() if isinstance(tensor, torch.Tensor)}
    tensors = deepened(tensors) if deepen else tensors
    state = {name: _halved(tensor) if half else tensor for name, tensor in tensors.items()}
    _check_finite(state, source)
    kept: dict[str, Any] = {
        key: checkpoint[key] for key in ("class_names", "training_data", FIELD) if key in checkpoint
    }
    with output_errors(target):
        write_checkpoint(target, {**kept, "model": state})
    return len(state)


def _halved(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.is_floating_point() and tensor.dim() > 1 else tensor


def recorded_training_data(path: str | Path) -> dict[str, Any] | None:
    """What weights say of what they were trained on (``training.data_identity``), or None; of a file that was loaded
    before: its tensors are not read again."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, ValueError):  # a format from before anything was recorded
        return None
    found = content.get("training_data") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else None
