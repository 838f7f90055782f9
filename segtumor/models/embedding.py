"""A model of torch whose readings hold an embedding: the features by which it judges the image.

* Classifier: what its last fully connected layer is given.
* With an image head: what that is given, means and maxima of the feature maps.
* Other detectors and U-Net: the mean of the coarsest feature map that the detector pools regions from, or of the
  backbone's coarsest.

Equivalent to what ``runtime.mask_rcnn.detector`` gives of the same weights.
Letters: N windows, D features.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from segtumor.errors import NonFiniteOutputError
from segtumor.models.classifiers.image_classifier import ImageClassifier
from segtumor.models.detectors.image_head import ImageHeadRCNN
from segtumor.models.image_models import module_of
from segtumor.runtime.breakdown import is_broken
from segtumor.runtime.protocols import Model, SizeHW, Window
from segtumor.runtime.reading_models import Wrapper
from segtumor.structures.readings import Reading
from segtumor.tabular.encoder import Context


class Embedding(Wrapper):
    """A model with embeddings in its readings.

    Args:
        model: of this package, around a module of torch.
        class_names: of what it finds, by ``class_id``.

    Raises:
        ConfigError: another kind of model.
    """

    def __init__(self, model: Model, class_names: Sequence[str]) -> None:
        super().__init__([model], class_names)
        self._module = module_of(model)

    def read_with_contexts(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW], contexts: Sequence[Context]
    ) -> list[Reading | NonFiniteOutputError]:
        """See ``runtime.protocols.ContextModel``."""
        with _pooled(self._module) as batches:
            readings = self._reads[0](windows, sizes_hw, contexts)
        # Where one image broke down, those after the first batch are its images once more, one by one.
        rows = batches[0].float().cpu().numpy() if batches else ()
        answers = zip(readings, rows, strict=True)
        return [r if is_broken(r) else dataclasses.replace(r, embedding=row) for r, row in answers]


@contextlib.contextmanager
def _pooled(module: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Gather the (N, D) features of each batch that the module computes within the block."""
    found: list[torch.Tensor] = []

    def inputs_of(_module: nn.Module, inputs: Any) -> None:
        found.append(inputs[0].detach())

    def maps_of(_module: nn.Module, _inputs: Any, maps: Any) -> None:
        found.append(maps[_coarsest(module)].detach().mean(dim=(2, 3)))

    if isinstance(module, ImageClassifier):
        last = [layer for layer in module.network.modules() if isinstance(layer, nn.Linear)][-1]
        handle = last.register_forward_pre_hook(inputs_of)
    elif isinstance(module, ImageHeadRCNN):
        handle = module.image_head.register_forward_pre_hook(inputs_of)
    else:
        backbone: Any = module.backbone
        handle = backbone.register_forward_hook(maps_of)
    try:
        yield found
    finally:
        handle.remove()


def _coarsest(module: Any) -> str:
    """Name of a backbone's coarsest map, of those that regions are pooled from where there are any."""
    shapes = module.backbone.output_shape()
    names = getattr(getattr(module, "roi_heads", None), "box_in_features", shapes)
    return max(map(str, names), key=lambda name: int(shapes[name].stride))
