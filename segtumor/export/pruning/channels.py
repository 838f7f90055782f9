"""Structured pruning: whole channels leave a set of weights, and whatever read them becomes narrower.

Pure functions on a state dict {name: tensor}. How important an output channel is:

* a convolution with batch normalisation: the size of its scale, |gamma| (Liu et al. 2017, "Learning efficient
  convolutional networks through network slimming", section 3);
* any other layer: the sum of the absolute weights of its filter (Li et al. 2017, "Pruning filters for efficient
  ConvNets", section 3.1).

Not here: group normalisation, whose groups pruning would mix; the sparsity penalty that Liu et al. train with; models,
files and configurations (``export.pruning.runs``).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from segtumor.models.backbones.vgg import FEATURE_STRIDES, stage_channels

#: Weights of a model by name.
State = Mapping[str, torch.Tensor]
#: Of each layer, a choice over all layers together leaves at least this part.
_LEAST_PART = 0.1
_KERNEL_AREA = 9


@dataclass(frozen=True)
class Reader:
    """A tensor that reads the channels of a layer.

    Attributes:
        tensor: its name in the state dict.
        axis: its dimension of input channels.
        cells: how many consecutive inputs belong to each channel; 49 for a fully connected layer behind 7 x 7 pooling.
    """

    tensor: str
    axis: int = 1
    cells: int = 1


@dataclass(frozen=True)
class Layer:
    """A layer whose output channels can be removed.

    Attributes:
        name: its name in the state dict, without ``.weight``.
        norm: name of the batch normalisation behind it, or None.
        outputs: tensors whose first dimension is its output channels.
        readers: the tensors that read them.
    """

    name: str
    norm: str | None
    outputs: tuple[str, ...]
    readers: tuple[Reader, ...]

    @property
    def label(self) -> str:
        """The name without the parts of the model that it is in."""
        return self.name.removeprefix("backbone.bottom_up.").removeprefix("backbone.").removeprefix("roi_heads.")


@dataclass(frozen=True)
class Cost:
    """Parameters and multiply-accumulate operations (MACs) for one image."""

    parameters: int
    macs: int


def vgg_layers(state: State, depth: int, stage_readers: Mapping[int, Sequence[Reader]]) -> list[Layer]:
    """The convolutions of VGG in a model's weights, in order.

    Args:
        state: state dict of a model whose backbone is ``models.backbones.vgg.VGG``, alone or below a pyramid.
        depth: 16 or 19.
        stage_readers: {stage, from 1: readers of its last map outside the backbone}.
    """
    parts = _features(state)
    convolutions = [name for name in parts if state[f"{name}.weight"].ndim == 4]
    norms = {parts[i - 1]: name for i, name in enumerate(parts) if name not in convolutions}
    outside = _readers_by_convolution(depth, stage_readers)
    layers = []
    for index, name in enumerate(convolutions):
        following = tuple(Reader(f"{after}.weight") for after in convolutions[index + 1 : index + 2])
        readers = following + outside.get(index, ())
        layers.append(Layer(name, norms.get(name), _outputs(state, name, norms.get(name)), readers))
    return layers


def pyramid_readers(feature_names: Iterable[str]) -> dict[int, tuple[Reader, ...]]:
    """{stage: readers} of the lateral convolutions of a feature pyramid on these maps of VGG."""
    readers: dict[int, list[Reader]] = {}
    for name in feature_names:
        level = int(math.log2(FEATURE_STRIDES[name]))
        readers.setdefault(stage_of(name), []).append(Reader(f"backbone.fpn_lateral{level}.weight"))
    return {stage: tuple(found) for stage, found in readers.items()}


def head_readers(state: State, channels: int) -> tuple[Reader, ...]:
    """The first tensors of Detectron2's standard heads, where they read a map of ``channels`` channels directly."""
    names = [f"roi_heads.{name}.weight" for name in ("box_head.conv1", "box_head.fc1")]
    box = next(name for name in names if name in state)
    names = [f"proposal_generator.rpn_head.{name}.weight" for name in ("conv", "conv.conv0")]
    readers = [Reader(name) for name in names if name in state]
    readers.append(Reader(box, cells=state[box].shape[1] // channels))
    if "roi_heads.mask_head.mask_fcn1.weight" in state:
        readers.append(Reader("roi_heads.mask_head.mask_fcn1.weight"))
    elif "roi_heads.mask_head.deconv.weight" in state:
        readers.append(Reader("roi_heads.mask_head.deconv.weight", axis=0))  # transposed convolutions: inputs first
    return tuple(readers)


def box_head_layers(state: State) -> list[Layer]:
    """The fully connected layers of Detectron2's standard box head, in order; list of Layer."""
    names, number = [], 1
    while f"roi_heads.box_head.fc{number}.weight" in state:
        names.append(f"roi_heads.box_head.fc{number}")
        number += 1
    predictors = tuple(Reader(f"roi_heads.box_predictor.{name}.weight") for name in ("cls_score", "bbox_pred"))
    readers = [(Reader(f"{after}.weight"),) for after in names[1:]] + [predictors]
    return [Layer(name, None, _outputs(state, name), read) for name, read in zip(names, readers, strict=False)]


def stage_of(feature_name: str) -> int:
    """ "conv3" or "pool3" -> 3."""
    return int(feature_name.removeprefix("conv").removeprefix("pool"))


def importance(state: State, layer: Layer) -> torch.Tensor:
    """Importance of each output channel of ``layer``, as the module says; (channels,) float32, 0 or more."""
    if layer.norm:
        return state[f"{layer.norm}.weight"].float().abs()
    return state[f"{layer.name}.weight"].float().abs().flatten(1).sum(dim=1)


def keep_count(width: int, fraction: float, multiple: int) -> int:
    """How many of ``width`` channels stay if ``fraction`` (0 to 1) of them go: the nearest multiple, at least one."""
    wanted = math.floor(width * (1 - fraction) / multiple + 0.5) * multiple
    return min(width, max(multiple, wanted))


def keep_in_each(scores: Iterable[torch.Tensor], fraction: float, multiple: int) -> list[torch.Tensor]:
    """Channels that stay of each layer, rising indices, if the least important ``fraction`` of every layer goes. A
    multiple of ``multiple`` stays: CPUs work on 8 or 16 at a time.
    """
    return [keep_best(score, keep_count(len(score), fraction, multiple)) for score in scores]


def keep_overall(scores: Sequence[torch.Tensor], fraction: float, multiple: int) -> list[torch.Tensor]:
    """Channels that stay if the least important ``fraction`` of all layers together goes; arguments as above.

    Counts are rounded up to the multiple and are a tenth of each layer at least; channels as important as the first one
    that stays stay too. Scores must be comparable between layers: |gamma| is; see ``comparable`` for sums of weights.
    """
    removed = math.floor(sum(map(len, scores)) * fraction)
    threshold = torch.cat(list(scores)).sort().values[removed]
    return [_keep_above(score, threshold, multiple) for score in scores]


def comparable(scores: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    """Scores of layers of different size on one scale: each layer's divided by their Euclidean norm.

    Molchanov et al. 2017, "Pruning convolutional neural networks for resource efficient inference", section 2.2.
    """
    return [score / score.norm().clamp_min(torch.finfo(score.dtype).tiny) for score in scores]


def keep_best(score: torch.Tensor, count: int) -> torch.Tensor:
    """Rising indices of the ``count`` highest scores; of equal ones the first."""
    return score.argsort(descending=True, stable=True)[:count].sort().values


def pruned(state: State, layers: Iterable[Layer], kept: Iterable[torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights without the channels that do not stay.

    Args:
        state: {name: tensor}; left as it is.
        kept: for each layer the indices of the channels that stay.

    Returns:
        A new state dict; what no layer touches is the same tensor.
    """
    smaller = dict(state)
    for layer, channels in zip(layers, kept, strict=True):
        for name in layer.outputs:
            smaller[name] = smaller[name].index_select(0, channels)
        for reader in layer.readers:
            inputs = (channels[:, None] * reader.cells + torch.arange(reader.cells)).flatten()
            smaller[reader.tensor] = smaller[reader.tensor].index_select(reader.axis, inputs)
    return smaller


def backbone_cost(depth: int, channels: Sequence[int], size_hw: tuple[int, int], *, norm: bool) -> Cost:
    """Cost of VGG's convolutions; normalisation counts as two parameters a channel and, folded away, as no operation.

    Args:
        channels: output channels of each convolution; empty for the published ones.
        size_hw: height and width of the input, px.
    """
    (height, width), inputs, parameters, macs = size_hw, 3, 0, 0
    for stage in stage_channels(depth, channels):
        for outputs in stage:
            weights = inputs * outputs * _KERNEL_AREA
            parameters += weights + outputs * (3 if norm else 1)
            macs += weights * height * width
            inputs = outputs
        height, width = height // 2, width // 2
    return Cost(parameters, macs)


def _keep_above(score: torch.Tensor, threshold: torch.Tensor, multiple: int) -> torch.Tensor:
    above = int((score >= threshold).sum())
    count = math.ceil(max(above, _LEAST_PART * len(score), 1) / multiple) * multiple
    return keep_best(score, min(len(score), count))


def _features(state: State) -> list[str]:
    """Names of the backbone's layers with weights, in order."""
    prefix = next(p for p in ("backbone.bottom_up.features.", "backbone.features.") if f"{p}0.weight" in state)
    found = [name.removesuffix(".weight") for name in state if name.startswith(prefix) and name.endswith(".weight")]
    return sorted(found, key=lambda name: int(name.removeprefix(prefix)))


def _readers_by_convolution(depth: int, stage_readers: Mapping[int, Sequence[Reader]]) -> dict[int, tuple[Reader, ...]]:
    """{index of the last convolution of a stage: readers}."""
    found, last = {}, -1
    for stage, widths in enumerate(stage_channels(depth), start=1):
        last += len(widths)
        found[last] = tuple(stage_readers.get(stage, ()))
    return found


def _outputs(state: State, *names: str | None) -> tuple[str, ...]:
    parts = ("weight", "bias", "running_mean", "running_var")
    tensors = [f"{name}.{part}" for name in names if name for part in parts]
    return tuple(name for name in tensors if name in state)
