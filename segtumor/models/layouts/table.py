"""The layouts of weights files that are recognised by the names in them, and renaming their parameters to a model's."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from segtumor.models.layouts import densenet, efficientnet_lite, resnet, vgg


@dataclass(frozen=True)
class Layout:
    """One way to name the parameters of a network.

    Attributes:
        name: for people.
        key: the parameter by which a file is recognised.
        own_name: a parameter's name to that within the backbone, or one that starts with ``roi_heads.``.
    """

    name: str
    key: str
    own_name: Callable[[str], str]


LAYOUTS = (
    Layout("torchvision ResNet", resnet.KEY, resnet.own_name),
    Layout("torchvision VGG", vgg.KEY, vgg.own_name),
    Layout("torchvision MobileNet or EfficientNet", "features.0.0.weight", str),
    Layout("torchvision DenseNet", densenet.KEY, densenet.own_name),
    Layout("EfficientNet-Lite", efficientnet_lite.KEY, efficientnet_lite.own_name),
)


def layout_of(names: Collection[str]) -> Layout | None:
    """The layout that parameters of these names have, or None: they are a model's own."""
    return next((layout for layout in LAYOUTS if layout.key in names), None)


def with_own_names(state: Mapping[str, Any], model_names: Iterable[str]) -> Mapping[str, Any]:
    """Parameters under the names that a model has for them; those of no known layout keep theirs.

    Args:
        state: {parameter name: tensor} of a file.
        model_names: names of the model's parameters, which tell whether its backbone lies under a pyramid.
    """
    layout = layout_of(state)
    if layout is None:
        return state
    in_pyramid = any(name.startswith("backbone.bottom_up.") for name in model_names)
    prefix = "backbone.bottom_up." if in_pyramid else "backbone."
    renamed = {layout.own_name(name): tensor for name, tensor in state.items()}
    return {name if name.startswith("roi_heads.") else prefix + name: tensor for name, tensor in renamed.items()}
