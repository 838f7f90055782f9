"""The layouts of weights files that are recognised by the names in them, and renaming their parameters to a model's."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from segtumor.models.layouts import (
    caffe2,
    densenet,
    efficientnet_lite,
    radimagenet,
    resnet,
    torchvision_detectors,
    torchxrayvision,
    vgg,
)

State = Mapping[str, Any]
#: Mean and standard deviation of each channel, red first, on a scale of 0 to 255.
Pixels = tuple[tuple[float, float, float], tuple[float, float, float]]

TORCHVISION_PIXELS: Pixels = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_ABSOLUTE = ("backbone.", "proposal_generator.", "roi_heads.")
#: What names of parameters begin with: of a backbone under a pyramid, of one without, of a classifier's network.
_UNDER_PYRAMID, _BACKBONE, _NETWORK = "backbone.bottom_up.", "backbone.", "network."
_CONVOLUTION_DIMS = 4
_WRAPPERS = re.compile(r"^((?:module|model|_orig_mod)\.)+")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way to name the parameters of a network.

    Attributes:
        name: for people.
        recognises: whether {parameter name: tensor} is of this layout.
        own_name: a parameter's name to that within the backbone, or to one of the whole model, which starts with
            ``backbone.``, ``proposal_generator.`` or ``roi_heads.``.
        prepared: applied to {parameter name: tensor} before; for what names alone do not tell.
        pixels: how the weights expect pixels to be normalised, which ``MODEL.PIXEL_MEAN`` and ``PIXEL_STD`` set.
    """

    name: str
    recognises: Callable[[State], bool]
    own_name: Callable[[str], str] = str
    prepared: Callable[[State], State] = dict
    pixels: Pixels | None = None


@dataclass(frozen=True)
class Renamed:
    """A file's parameters under a model's names.

    Attributes:
        state: {the model's name: tensor}.
        layout: what the file's layout was, or None: it has the model's own.
        of_backbone: names in ``state`` that the layout places within the backbone.
    """

    state: State
    layout: Layout | None = None
    of_backbone: frozenset[str] = frozenset()


def _has(key: str) -> Callable[[State], bool]:
    return lambda state: key in state


LAYOUTS = (
    Layout(
        name="torchvision detector, ResNet",
        recognises=_has(torchvision_detectors.RESNET_KEY),
        own_name=torchvision_detectors.own_name,
        prepared=torchvision_detectors.background_last,
        pixels=TORCHVISION_PIXELS,
    ),
    Layout(
        name="torchvision detector, MobileNet",
        recognises=_has(torchvision_detectors.MOBILENET_KEY),
        own_name=torchvision_detectors.own_name_of_mobilenet,
        pixels=TORCHVISION_PIXELS,
    ),
    Layout(
        name="torchvision ResNet",
        recognises=_has(resnet.KEY),
        own_name=resnet.own_name,
        pixels=TORCHVISION_PIXELS,
    ),
    Layout(
        name="torchvision VGG",
        recognises=_has(vgg.KEY),
        own_name=vgg.own_name,
        pixels=TORCHVISION_PIXELS,
    ),
    Layout(
        name="torchvision MobileNet or EfficientNet",
        recognises=_has("features.0.0.weight"),
        pixels=TORCHVISION_PIXELS,
    ),
    Layout(
        name="TorchXRayVision DenseNet",
        recognises=torchxrayvision.recognises,
        own_name=densenet.own_name,
        prepared=torchxrayvision.of_three_channels,
        pixels=torchxrayvision.PIXELS,
    ),
    Layout(
        name="torchvision DenseNet",
        recognises=_has(densenet.KEY),
        own_name=densenet.own_name,
        pixels=TORCHVISION_PIXELS,
    ),
    Layout(
        name="EfficientNet-Lite",
        recognises=_has(efficientnet_lite.KEY),
        own_name=efficientnet_lite.own_name,
        pixels=efficientnet_lite.PIXELS,
    ),
    Layout(
        name="RadImageNet",
        recognises=radimagenet.recognises,
        own_name=radimagenet.own_name,
        pixels=radimagenet.PIXELS,
    ),
    Layout(
        name="Detectron2 ResNet",  # which its script makes of torchvision's
        recognises=_has("stem.conv1.weight"),
        pixels=TORCHVISION_PIXELS,
    ),
    Layout(
        name="Caffe2 Detectron",
        recognises=_has(caffe2.KEY),
        own_name=caffe2.own_name,
        prepared=caffe2.renamed,
        pixels=caffe2.PIXELS,
    ),
)


def unwrapped(state: State) -> State:
    """Parameters without what ``DataParallel``, Lightning or ``torch.compile`` put before each name."""
    first = _WRAPPERS.match(next(iter(state), ""))
    if first is None or not all(name.startswith(first[0]) for name in state):
        return state
    return {name.removeprefix(first[0]): tensor for name, tensor in state.items()}


def layout_of(state: State) -> Layout | None:
    """The layout of {parameter name: tensor}, unwrapped, or None: the names are a model's own, or nobody's."""
    return next((layout for layout in LAYOUTS if layout.recognises(state)), None)


def with_own_names(state: State, model_names: Iterable[str]) -> Renamed:
    """A file's parameters under the names that a model has for them; those of no known layout keep theirs.

    Args:
        state: {parameter name: tensor} of a file.
        model_names: names of the model's parameters, which tell whether its backbone lies under a pyramid.
    """
    model_names = dict.fromkeys(model_names)
    state = unwrapped(state) if model_names.keys().isdisjoint(state) else state
    layout = layout_of(state)
    prefix = _prefix_of(model_names)
    if layout is None or layout.recognises(model_names):  # a model may have a layout of these itself
        return Renamed(_of_detector(state, prefix))
    if prefix == _NETWORK:
        return _of_network(layout, state, {name.removeprefix(_NETWORK) for name in model_names})
    named = {layout.own_name(name): tensor for name, tensor in layout.prepared(state).items()}
    within = {name: prefix + name for name in named if not name.startswith(_ABSOLUTE)}
    renamed = {within.get(name, name): tensor for name, tensor in named.items()}
    return Renamed(renamed, layout, frozenset(within.values()))


def _prefix_of(model_names: Iterable[str]) -> str:
    """How the names of a model's backbone begin, or of its network if it is a classifier."""
    found = (prefix for prefix in (_NETWORK, _UNDER_PYRAMID) if any(name.startswith(prefix) for name in model_names))
    return next(found, _BACKBONE)


def _of_detector(state: State, prefix: str) -> State:
    """Where a detector's parameters are to start another kind of model: its backbone, under that model's names."""
    if prefix == _UNDER_PYRAMID or not any(name.startswith(_UNDER_PYRAMID) for name in state):
        return state
    return {
        prefix + name.removeprefix(_UNDER_PYRAMID) if name.startswith(_UNDER_PYRAMID) else name: tensor
        for name, tensor in state.items()
    }


def _of_network(layout: Layout, state: State, own: Collection[str]) -> Renamed:
    """A classifier's network keeps torchvision's names, as the file may; its last layer is for other classes."""
    prepared = layout.prepared(state)
    candidates = (prepared, {layout.own_name(name): tensor for name, tensor in prepared.items()})
    named = max(candidates, key=lambda names: len(names.keys() & own))
    convolutions = (n for n, tensor in named.items() if getattr(tensor, "ndim", 0) == _CONVOLUTION_DIMS)
    renamed = {_NETWORK + name: tensor for name, tensor in named.items()}
    return Renamed(renamed, layout, frozenset(_NETWORK + name for name in convolutions))
