"""What is known of a patient beside the pixels, as a further input of a classifier (late fusion by concatenation).

Letters: N images; C pooled features of the image, D of the table, E behind the table's layers.
"""

from collections.abc import Sequence

import torch
from detectron2.config import CfgNode
from torch import nn

from segtumor.errors import ConfigError
from segtumor.tabular.encoder import Context, TableEncoder

COLUMNS, FITTED = "MODEL.CLINICAL.COLUMNS", "MODEL.CLINICAL.FITTED"


class TableInput(nn.Module):
    """Rows of a table to features, by two fully connected layers.

    In training whole rows are left out at random, so that the model can do without: it then sees what it sees of
    somebody of whom nothing is known.

    Args:
        encoder: fitted on the training part.
        hidden: E.
        dropout: proportion of rows left out in training, [0, 1).
    """

    def __init__(self, *, encoder: TableEncoder, hidden: int, dropout: float) -> None:
        super().__init__()
        self.encoder, self.out_features, self._dropout = encoder, hidden, dropout
        self.layers = nn.Sequential(
            nn.Linear(encoder.width, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, hidden), nn.ReLU(inplace=True)
        )

    @classmethod
    def from_config(cls, cfg: CfgNode) -> "TableInput":
        """The input of ``MODEL.CLINICAL``; ConfigError where training has not fitted it yet."""
        if not cfg.MODEL.CLINICAL.FITTED:
            remedy = "It is filled in by training: use the config.yaml of the run"
            raise ConfigError("the columns of the table are not fitted", where=FITTED, remedy=remedy)
        encoder = TableEncoder.from_dicts(cfg.MODEL.CLINICAL.FITTED, where=FITTED)
        return cls(encoder=encoder, hidden=cfg.MODEL.CLINICAL.HIDDEN, dropout=cfg.MODEL.CLINICAL.DROPOUT)

    def forward(self, rows: Sequence[Context], folds: Sequence[int | None]) -> torch.Tensor:
        """N rows, and their folds where they were fitted on (``TableEncoder.features``) -> (N, E)."""
        kept = torch.ones(len(rows)) if not self.training else (torch.rand(len(rows)) >= self._dropout)
        encoded = [
            self.encoder.features(row if keep else {}, fold)
            for row, fold, keep in zip(rows, folds, kept.tolist(), strict=True)
        ]
        return self.of_encoded(torch.tensor(encoded, device=next(self.parameters()).device))

    def of_encoded(self, encoded: torch.Tensor) -> torch.Tensor:
        """(N, D), as the encoder gives them -> (N, E)."""
        features: torch.Tensor = self.layers(encoded)
        return features


def without_last_layer(network: nn.Module) -> tuple[nn.Module, int]:
    """A network of ``networks`` without its last fully connected layer, changed in place: (N, C) features; and C."""
    name, last = [(n, layer) for n, layer in network.named_modules() if isinstance(layer, nn.Linear)][-1]
    network.set_submodule(name, nn.Identity())
    return network, last.in_features
