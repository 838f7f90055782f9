"""A classifier of whole images as a Detectron2 architecture: normal, or which kind of tumour.

Letters: N images of h x w; K classes, without normal; C pooled features of the network, D features of a table.
"""

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.utils.events import get_event_storage
from torch import nn
from torch.nn import functional

from segtumor.models.classifiers.fusion import TableInput, without_last_layer
from segtumor.models.classifiers.losses import image_loss
from segtumor.models.classifiers.networks import build_network
from segtumor.models.classifiers.tasks import AuxiliaryTasks
from segtumor.models.pixel_model import PixelModel
from segtumor.tabular.encoder import Context

_SIZE_MULTIPLE = 32


@META_ARCH_REGISTRY.register()
class ImageClassifier(PixelModel):
    """One of ``networks`` with cross entropy.

    In training it takes, beside ``"image"``, ``"image_class"``: 0 normal, ``class_id`` + 1, below 0 unknown (no loss);
    it returns ``loss_class`` and logs accuracy and Brier score of the batch. In evaluation each output holds
    ``"image_probabilities"``, (K + 1,) in [0, 1], normal first, summing to 1.

    With a table or auxiliary tasks, examples hold ``"context"`` too, what is known of the image, and in training
    ``"fold"`` (``tabular.values.fold_of_row``); without it nothing is known. Each task adds its loss, and
    ``"attributes"`` to the outputs.
    """

    class_weights: torch.Tensor | None

    @configurable
    def __init__(
        self,
        *,
        network: nn.Module,
        class_weights: Sequence[float] = (),
        head: nn.Linear | None = None,
        table: TableInput | None = None,
        tasks: AuxiliaryTasks | None = None,
        **scaling: Any,
    ) -> None:
        """
        Args:
            network: (N, 3, h, w) -> (N, K + 1) logits, normal first; with a ``head``, (N, C) features.
            class_weights: in the loss, normal first; empty for equal ones.
            head: features of the network and, behind them, of the table, to logits; a table or tasks need it.
            table: a further input, or None.
            tasks: what else is learnt from the network's features, or None.
            scaling: as of ``PixelModel``.
        """
        super().__init__(**scaling)
        self.network, self.head, self.table, self.tasks = network, head, table, tasks
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
            **_further_parts(cfg, network),
            "network": network,
            "class_weights": [*weights[-1:], *weights[:-1]],  # the configuration has normal last, as background
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
        }

    @property
    def size_multiple(self) -> int:
        """32, as networks with "SAME" padding need it; px."""
        return _SIZE_MULTIPLE

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) -> (N, K + 1), normal first; of a model with a table, where nothing is known."""
        rows: Sequence[Context] = [{}] * len(images) if self.table is not None else ()
        return self._logits(self.network(images), self._known(rows))

    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) -> (N, K + 1), normal first; as ``logits``."""
        return self.logits(images).softmax(dim=1)

    def answers(self, images: torch.Tensor, table: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
        """See ``PixelModel``.

        Args:
            table: (N, D) of a model with one, as its encoder gives them; None where nothing is known.
        """
        if self.table is None or table is None:
            return (self.answer(images),)
        return (self._logits(self.network(images), self.table.of_encoded(table)).softmax(dim=1),)

    def forward(self, batched_inputs: list[dict[str, Any]]) -> Any:
        """Losses in training mode, one output for each image in evaluation mode."""
        images = self.images(batched_inputs).tensor
        rows = [example.get("context", {}) for example in batched_inputs]
        features = self.network(images)
        logits = self._logits(features, self._known(rows, [example.get("fold") for example in batched_inputs]))
        if not self.training:
            outputs: list[dict[str, Any]] = [{"image_probabilities": row} for row in logits.softmax(dim=1)]
            if self.tasks is None:
                return outputs
            answers = self.tasks.answers(features)
            return [{**output, "attributes": said} for output, said in zip(outputs, answers, strict=True)]
        classes = torch.tensor([example["image_class"] for example in batched_inputs], device=self.device)
        _log(logits.detach(), classes)
        losses = {"loss_class": image_loss(logits, classes, self.class_weights)}
        return losses if self.tasks is None else {**losses, **self.tasks.losses(features, rows)}

    def _known(self, rows: Sequence[Context], folds: Sequence[int | None] = ()) -> torch.Tensor | None:
        """What is known of N images -> features; None of a model without a table."""
        return None if self.table is None else self.table(rows, folds or [None] * len(rows))

    def _logits(self, features: torch.Tensor, known: torch.Tensor | None) -> torch.Tensor:
        """What the network gives and what is known of N images -> (N, K + 1) logits."""
        if self.head is None:
            return features.float()
        if known is not None:
            features = torch.cat([features, known.to(features.dtype)], dim=1)
        logits: torch.Tensor = self.head(features)
        return logits.float()


def _further_parts(cfg: CfgNode, network: nn.Module) -> dict[str, Any]:
    """Head, table and tasks of a configuration that has them; its network loses its last layer then."""
    has_table, has_tasks = bool(cfg.MODEL.CLINICAL.COLUMNS), bool(cfg.MODEL.AUXILIARY.TASKS)
    if not (has_table or has_tasks):
        return {}
    _, width = without_last_layer(network)
    table = TableInput.from_config(cfg) if has_table else None
    known = table.out_features if table is not None else 0
    return {
        "head": nn.Linear(width + known, len(cfg.MODEL.CLASS_NAMES) + 1),
        "table": table,
        "tasks": AuxiliaryTasks.from_config(cfg, width) if has_tasks else None,
    }


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
