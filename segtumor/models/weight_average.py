"""The mean of several models' weights as one model, which costs no more than each of them to run.

It works for models that were trained further from one start: their weights lie in one valley of the loss (Wortsman et
al. 2022, "Model soups" and "Robust fine-tuning of zero-shot models"). Models that began apart give noise.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from segtumor.errors import ConfigError, ModelError
from segtumor.files import output_errors
from segtumor.models.pixel_scale import FIELD
from segtumor.models.weights import check_class_names, read_checkpoint, write_checkpoint

#: How the names of parts begin that only training needs (``detectors.pixel_head``): left out where a model has none.
_TRAINING_ONLY = ("pixel_head.",)


def average_weights(sources: Sequence[str | Path], target: str | Path, *, shares: Sequence[float] = ()) -> int:
    """Write the weighted mean of weights of one architecture as ``target``.

    Parts that only training needs are left out where a source has none. What a source has fitted after its training,
    such as which pictures are unlike its training images, has no meaningful mean: ``training.finishing`` fits it again.
    Class names are those of all; what the mean has learnt from is what any of them has. Whole numbers (counters) and
    the scale of pixels are the first's.

    Args:
        sources: two or more of what ``read_checkpoint`` reads.
        target: file to write or replace.
        shares: of each, above 0; they are divided by their sum. Empty for equal ones.

    Returns:
        number of tensors written.

    Raises:
        ConfigError: fewer than two sources, or as many shares as there are none.
        ModelError: a source is no set of weights, or they are of different networks or classes.
        OutputError: ``target`` cannot be written.
    """
    if len(sources) < 2:
        raise ConfigError("one model has no mean", got=len(sources), expected="two or more files")
    shares = list(shares) or [1.0] * len(sources)
    if len(shares) != len(sources) or not all(share > 0 for share in shares):
        raise ConfigError("wrong shares", got=shares, expected=f"{len(sources)} numbers above 0, one for each file")
    checkpoints = [read_checkpoint(source) for source in sources]
    states = _without_training_only([_tensors(checkpoint) for checkpoint in checkpoints])
    for source, checkpoint, state in zip(sources[1:], checkpoints[1:], states[1:], strict=True):
        check_class_names(checkpoint.get("class_names"), checkpoints[0].get("class_names"), source, True)
        _check_same(states[0], state, sources[0], source)
    mean = {name: _mean([state[name] for state in states], shares) for name in states[0]}
    kept = {key: checkpoints[0][key] for key in ("class_names", FIELD) if key in checkpoints[0]}
    with output_errors(target):
        write_checkpoint(target, {**kept, "training_data": _learnt_from(checkpoints), "model": mean})
    return len(mean)


def _tensors(checkpoint: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in checkpoint["model"].items() if isinstance(tensor, torch.Tensor)}


def _without_training_only(states: Sequence[dict[str, torch.Tensor]]) -> list[dict[str, torch.Tensor]]:
    common = set.intersection(*map(set, states))
    return [{n: t for n, t in state.items() if n in common or not n.startswith(_TRAINING_ONLY)} for state in states]


def _check_same(
    first: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor], where: str | Path, path: str | Path
) -> None:
    names = sorted(first.keys() ^ other.keys())
    if names:
        raise ModelError(f"weights of another network: {names[0]} is in one of the two", where=path, got=str(where))
    for name, tensor in first.items():
        if tensor.shape != other[name].shape:
            got, expected = tuple(other[name].shape), f"{tuple(tensor.shape)}, as in {where}"
            raise ModelError(f"weights of another network: {name}", where=path, got=got, expected=expected)


def _mean(tensors: Sequence[torch.Tensor], shares: Sequence[float]) -> torch.Tensor:
    if not tensors[0].is_floating_point():
        return tensors[0].clone()
    total = sum(share * tensor.double() for share, tensor in zip(shares, tensors, strict=True))
    dtype = functools.reduce(torch.promote_types, (tensor.dtype for tensor in tensors))  # one may be of 16 bits
    return torch.as_tensor(total / sum(shares)).to(dtype)


def _learnt_from(checkpoints: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """As ``training.data_identity.training_data``; None where one does not say."""
    known = [checkpoint.get("training_data") for checkpoint in checkpoints]
    if not all(isinstance(one, dict) for one in known):
        return None
    named = [name for one in known if one for name in one.get("datasets", ())]
    return {"datasets": list(dict.fromkeys(named)), "synthetic": all(one and one.get("synthetic") for one in known)}
