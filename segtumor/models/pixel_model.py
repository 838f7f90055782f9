"""What models of whole images and of pixels share: images of a batch, normalised and padded to one size.

Letters: N images of h x w; H, W the padded size.
"""

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.structures import ImageList
from torch import nn


class PixelModel(nn.Module):
    """Base of modules that take Detectron2's batches: lists of dicts with ``"image"``, (3, h, w) in 0..255.

    Args:
        pixel_mean: subtracted from the three channels, 0..255.
        pixel_std: what they are then divided by.
    """

    pixel_mean: torch.Tensor
    pixel_std: torch.Tensor

    def __init__(self, *, pixel_mean: Sequence[float], pixel_std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("pixel_mean", torch.tensor(pixel_mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(pixel_std).view(-1, 1, 1), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.pixel_mean.device

    @property
    def size_multiple(self) -> int:
        """Height and width are padded to a multiple of it, px."""
        raise NotImplementedError

    #: Names of what ``answers`` returns.
    OUTPUTS: tuple[str, ...] = ("answer",)

    def answers(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(N, 3, H, W), normalised and padded -> what an export computes, each (N, ...)."""
        return (self.answer(images),)

    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """``answers`` of a model that has one: probabilities in [0, 1]."""
        raise NotImplementedError

    def images(self, batched_inputs: Sequence[dict[str, Any]]) -> ImageList:
        """Images to one tensor (N, 3, H, W), padded with zeros to the right and below."""
        normalised = [(x["image"].to(self.device) - self.pixel_mean) / self.pixel_std for x in batched_inputs]
        return ImageList.from_tensors(normalised, self.size_multiple)
