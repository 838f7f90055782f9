"""A model that says why: its readings with a heat map for each finding and for the whole image."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from detectron2.structures import ImageList
from torch import nn

from segtumor.errors import ConfigError, NonFiniteOutputError
from segtumor.explain.heat import METHODS, heat_map
from segtumor.explain.targets import targets_of
from segtumor.imaging.resizing import resize
from segtumor.models.detectron2_detector import evaluating, image_tensor
from segtumor.models.pixel_model import PixelModel
from segtumor.runtime.breakdown import is_broken
from segtumor.runtime.protocols import Model, SizeHW, Window
from segtumor.runtime.reading_models import reading_model
from segtumor.structures import postprocessing
from segtumor.structures.readings import Reading

#: Findings of one radiograph that are explained, the first ones.
MOST_FINDINGS = 3


class Explained:
    """A module of torch whose readings hold heat maps: "gradcam, finding 1", "gradcam, image".

    Args:
        module: a classifier, U-Net or Mask R-CNN.
        model: the same, with a method of ``runtime.protocols``.
        class_names: by ``class_id``.
        method: one of ``heat.METHODS``.
        settings: of post-processing; findings are cleaned before they are explained, so that numbers are those shown.
        threshold: findings below it are not explained, [0, 1].

    Raises:
        ConfigError: another method.
    """

    def __init__(
        self,
        module: nn.Module,
        model: Model,
        class_names: Sequence[str],
        *,
        method: str,
        settings: postprocessing.Postprocessing,
        threshold: float,
    ) -> None:
        if method not in METHODS:
            raise ConfigError("unknown explanation", where="--explain", got=method, expected=", ".join(METHODS))
        self._module, self._read, self._method = module, reading_model(model, class_names), method
        self._settings, self._threshold = settings, threshold

    def read(self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW]) -> list[Reading | NonFiniteOutputError]:
        """See ``runtime.protocols.ReadingModel``."""
        readings = self._read(windows, sizes_hw)
        return [r if is_broken(r) else self._explained(r, w) for r, w in zip(readings, windows, strict=True)]

    def _explained(self, reading: Reading, window: Window) -> Reading:
        cleaned = dataclasses.replace(reading, findings=postprocessing.apply(reading.findings, self._settings), maps={})
        shown = sum(finding.score >= self._threshold for finding in cleaned.findings)
        images = self._images(window)
        maps = {}
        with evaluating(self._module):
            at_most = min(shown, MOST_FINDINGS)
            for target in targets_of(self._module, cleaned, images, window.shape, at_most=at_most):
                heat = heat_map(self._method, target.score, images, target.layer).cpu().numpy()
                large = resize(np.ascontiguousarray(heat[: window.shape[0], : window.shape[1]]), reading.size_hw)
                maps[f"{self._method}, {target.name}"] = np.clip(large, 0, 1)
        return dataclasses.replace(cleaned, maps=maps)

    def _images(self, window: Window) -> torch.Tensor:
        batch = [{"image": image_tensor(window)}]
        module: Any = self._module
        images: ImageList = module.images(batch) if isinstance(module, PixelModel) else module.preprocess_image(batch)
        tensor: torch.Tensor = images.tensor
        return tensor
