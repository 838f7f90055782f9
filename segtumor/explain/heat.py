"""Heat maps of a number that a network computes of an image: which parts of the image it depends on.

* ``gradcam``: feature maps weighted by the mean of their gradients (Selvaraju et al. 2017, equations 1 and 2).
* ``layercam``: every value of the feature maps weighted by its own positive gradient (Jiang et al. 2021, equation 6).
* ``guided``: gradients of the pixels that only positive values have passed on, through activations that were positive
  (Springenberg et al. 2015); of networks without ReLU, such as EfficientNet-B0, plain gradients.
* ``occlusion``: how much the number falls where a patch of mean gray covers the image (Zeiler & Fergus 2014).

Not here: which number (``explain.targets``), and to whom it is shown.
Letters: C channels of a map of h' x w'; H, W of the network's input.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from segtumor.errors import ConfigError

#: Images (1, 3, H, W), normalised, to a number.
Score = Callable[[torch.Tensor], torch.Tensor]
#: Side of an occluding patch and its step, as parts of the image's longer side.
_PATCH, _STEP = 1 / 7, 1 / 14


@dataclass(frozen=True, eq=False)
class Layer:
    """Where feature maps are looked at.

    Attributes:
        module: whose output they are: one, or several by name.
        names: of those that count, where there are several.
    """

    module: nn.Module
    names: tuple[str, ...] = ()

    def maps_of(self, output: Any) -> list[torch.Tensor]:
        """The maps in an output of the module."""
        return [output[name] for name in self.names] if isinstance(output, Mapping) else [output]


def heat_map(method: str, score: Score, images: torch.Tensor, layer: Layer) -> torch.Tensor:
    """The heat map of one image.

    Args:
        method: one of ``METHODS``.
        score: of a network in evaluation mode.
        images: (1, 3, H, W), normalised.
        layer: for the methods that look at feature maps.

    Returns:
        (H, W) float32 in [0, 1], 1 where it is hottest; all 0 if nothing matters.
    """
    heat = METHODS[method](score, images, layer).detach().float()
    largest = heat.max()
    return (heat / largest).clamp(0, 1) if largest > 0 else torch.zeros_like(heat)


def _gradcam(score: Score, images: torch.Tensor, layer: Layer) -> torch.Tensor:
    def weighted(maps: torch.Tensor, slopes: torch.Tensor) -> torch.Tensor:
        reached = (slopes != 0).any(dim=1, keepdim=True)  # the number of one box does not depend on the rest
        return slopes.mean(dim=(2, 3), keepdim=True) * maps * reached

    return _of_layer(score, images, layer, weighted)


def _layercam(score: Score, images: torch.Tensor, layer: Layer) -> torch.Tensor:
    return _of_layer(score, images, layer, lambda maps, slopes: slopes.relu() * maps)


def _of_layer(
    score: Score,
    images: torch.Tensor,
    layer: Layer,
    weighted: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    kept: list[torch.Tensor] = []
    handle = layer.module.register_forward_hook(lambda _, __, output: kept.extend(layer.maps_of(output)))
    try:
        with torch.enable_grad():
            value = score(images.detach().clone().requires_grad_())  # frozen weights have gradients of maps, too
            slopes = _gradients(value, kept)
    finally:
        handle.remove()
    heat = torch.zeros(images.shape[2:], device=images.device)
    for maps, slope in zip(kept, slopes, strict=True):
        if slope is not None:
            summed = weighted(maps.float(), slope.float()).sum(dim=1, keepdim=True).relu()
            heat = heat + functional.interpolate(summed, size=images.shape[2:], mode="bilinear")[0, 0]
    return heat


def _gradients(value: torch.Tensor, inputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Of a number by each input, None where it does not depend on that one; ConfigError where it depends on none."""
    slopes: tuple[torch.Tensor, ...] = (
        torch.autograd.grad(value, inputs, allow_unused=True) if value.requires_grad else ()
    )
    if all(slope is None for slope in slopes):
        raise ConfigError(
            "this model answers in steps and has no gradients", where="--explain", remedy="Use --explain occlusion"
        )
    return slopes


class _GuidedActivations(TorchFunctionMode):
    """Lets activations pass on positive gradients only, whoever calls them."""

    _RELUS = (functional.relu, torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_)
    _CLIPPED = (functional.relu6, functional.hardtanh, functional.hardtanh_)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in self._RELUS:
            return _Guided.apply(args[0], float("inf"))
        if func in self._CLIPPED:
            return _Guided.apply(args[0], 6.0)
        return func(*args, **(kwargs or {}))


class _Guided(torch.autograd.Function):
    """ReLU, or ReLU6, whose backward pass drops negative gradients."""

    @staticmethod
    def forward(context: Any, values: torch.Tensor, limit: float) -> torch.Tensor:
        context.save_for_backward((values > 0) & (values < limit))
        return values.clamp(0, limit)

    @staticmethod
    def backward(context: Any, *slopes: torch.Tensor) -> tuple[torch.Tensor, None]:
        (passed,) = context.saved_tensors
        return slopes[0].relu() * passed, None


def _guided(score: Score, images: torch.Tensor, layer: Layer) -> torch.Tensor:
    pixels = images.detach().clone().requires_grad_()
    with torch.enable_grad(), _GuidedActivations():
        (slopes,) = _gradients(score(pixels), [pixels])
    heat = slopes[0].abs().amax(dim=0)
    # A handful of pixels would leave all others dark.
    limit = heat.flatten().quantile(0.999) if heat.numel() < 2**24 else heat.max()
    return heat.clamp(max=float(limit))


def _occlusion(score: Score, images: torch.Tensor, layer: Layer) -> torch.Tensor:
    heat, covered = torch.zeros(images.shape[2:]), torch.zeros(images.shape[2:])
    with torch.no_grad():
        whole, gray = score(images), images.mean(dim=(2, 3), keepdim=True)
        for rows, columns in _patches(images.shape[2], images.shape[3]):
            occluded = images.clone()
            occluded[:, :, rows, columns] = gray
            heat[rows, columns] += (whole - score(occluded)).cpu()
            covered[rows, columns] += 1
    return (heat / covered.clamp(min=1)).relu()


def _patches(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    side, step = (max(1, round(max(height, width) * part)) for part in (_PATCH, _STEP))
    for top in range(0, max(1, height - side + step), step):
        for left in range(0, max(1, width - side + step), step):
            yield slice(top, top + side), slice(left, left + side)


METHODS: Mapping[str, Callable[[Score, torch.Tensor, Layer], torch.Tensor]] = {
    "gradcam": _gradcam,
    "layercam": _layercam,
    "guided": _guided,
    "occlusion": _occlusion,
}


def last_maps(network: nn.Module, images: torch.Tensor) -> Layer:
    """The module whose maps are the last before a network forgets where things are.

    Raises:
        ConfigError: it has no such maps.
    """
    seen: list[nn.Module] = []

    def note(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.dim() == 4 and min(output.shape[2:]) > 1:
            seen.append(module)

    handles = [module.register_forward_hook(note) for module in network.modules()]
    try:
        with torch.no_grad():
            network(images)
    finally:
        for handle in handles:
            handle.remove()
    if not seen:
        raise ConfigError("no feature map to look at: the image is too small for this network")
    return Layer(seen[-1])
