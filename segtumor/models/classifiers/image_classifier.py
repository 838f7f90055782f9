"""A classifier of whole images as a Detectron2 architecture: normal, or which kind of tumour.

Letters: N images of h x w; K classes, without normal.
"""

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.utils.events import get_event_storage
from torch import nn
from torch.nn import functional

from segtumor.models.classifiers.networks import build_network
from segtumor.models.detectors.image_head import image_loss
from segtumor.models.pixel_model import PixelModel

_SIZE_MULTIPLE = 32


@META_ARCH_REGISTRY.register()
class ImageClassifier(PixelModel):
    """One of ``networks`` with cross entropy.

    In training it takes, beside ``"image"``, ``"image_class"``: 0 normal, ``class_id`` + 1, below 0 unknown (no loss);
    it returns ``loss_class`` and logs accuracy and Brier score of the batch. In evaluation each output holds
    ``"image_probabilities"``, (K + 1,) in [0, 1], normal first, summing to 1.
    """

    class_weights: torch.Tensor | None

    @configurable
    def __init__(self, *, network: nn.Module, class_weights: Sequence[float] = (), **scaling: Any) -> None:
        """
        Args:
            network: (N, 3, h, w) -> (N, K + 1) logits, normal first.
            class_weights: in the loss, normal first; empty for equal ones.
            scaling: as of ``PixelModel``.
        """
        super().__init__(**scaling)
        self.network = network
        weights = torch.tensor(list(class_weights)) if class_weights else None
        self.register_buffer("class_weights", weights, persistent=False)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """The network of ``MODEL.CLASSIFIER`` for ``MODEL.CLASS_NAMES``."""
        weights = list(cfg.MODEL.CLASSIFIER.CLASS_WEIGHTS)
        network = build_network(
            cfg.MODEL.CLASSIFIER.NAME,
            num_outputs=len(cfg.MODEL.CLASS_NAMES) + 1,
            dropout=cfg.MODEL.CLASSIFIER.DROPOUT,
        )
        return {
            "network": network,
            "class_weights": [*weights[-1:], *weights[:-1]],  # the configuration has normal last, as background
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
        }

    @property
    def size_multiple(self) -> int:
        """32, as networks with "SAME" padding need it; px."""
        return _SIZE_MULTIPLE

    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) -> (N, K + 1), normal first."""
        probabilities: torch.Tensor = self.network(images).float().softmax(dim=1)
        return probabilities

    def forward(self, batched_inputs: list[dict[str, Any]]) -> Any:
        """Losses in training mode, one output for each image in evaluation mode."""
        images = self.images(batched_inputs).tensor
        if not self.training:
            return [{"image_probabilities": row} for row in self.answer(images)]
        logits = self.network(images).float()
        classes = torch.tensor([example["image_class"] for example in batched_inputs], device=self.device)
        _log(logits.detach(), classes)
        return {"loss_class": image_loss(logits, classes, self.class_weights)}


def _log(logits: torch.Tensor, classes: torch.Tensor) -> None:
    """Accuracy and Brier score of the images whose class is known, into the training's metrics."""
    known = classes >= 0
    if not known.any():
        return
    probabilities, truth = logits[known].softmax(dim=1), classes[known]
    squares = (probabilities - functional.one_hot(truth, logits.shape[1])).square()
    storage = get_event_storage()
    storage.put_scalar("train/accuracy", float((probabilities.argmax(dim=1) == truth).float().mean()))
    # Brier 1950: summed over the classes, 0 to 2; halved it is the mean squared error of two classes.
    storage.put_scalar("train/brier", float(squares.sum(dim=1).mean() / 2))
