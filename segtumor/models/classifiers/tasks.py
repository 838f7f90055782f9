"""Auxiliary tasks of whole images: site, view, grade, ... of a radiograph, learnt from features beside the class.

They are supervision alone: what is annotated of an image teaches the features, and is never an input. An image without
a value, or with several (two sites), or with one that training has not seen, teaches nothing of that task.
Letters: N images; C pooled features; V values of a task.
"""

from collections.abc import Mapping, Sequence

import torch
from detectron2.config import CfgNode
from torch import nn

from segtumor.errors import ConfigError
from segtumor.models.classifiers.losses import image_loss
from segtumor.tabular.encoder import Context
from segtumor.tabular.values import parts_of, value_in

TASKS, VALUES = "MODEL.AUXILIARY.TASKS", "MODEL.AUXILIARY.VALUES"
_UNKNOWN = -1


class AuxiliaryTasks(nn.Module):
    """One fully connected layer for each task.

    Args:
        values: {task: its V values}; a task is a field of COCO image entries, or ``age_group``.
        in_features: C.
        loss_weight: of each task's loss among the others, 0 or more.
    """

    def __init__(self, *, values: Mapping[str, Sequence[str]], in_features: int, loss_weight: float) -> None:
        super().__init__()
        self.values = {task: tuple(of_task) for task, of_task in values.items()}
        self._loss_weight = loss_weight
        self.heads = nn.ModuleList(nn.Linear(in_features, len(of_task)) for of_task in self.values.values())

    @classmethod
    def from_config(cls, cfg: CfgNode, in_features: int) -> "AuxiliaryTasks":
        """The tasks of ``MODEL.AUXILIARY``; ConfigError where training has not filled in their values yet."""
        tasks, values = cfg.MODEL.AUXILIARY.TASKS, cfg.MODEL.AUXILIARY.VALUES
        if len(tasks) != len(values):
            remedy = "They are filled in by training: use the config.yaml of the run"
            raise ConfigError(
                "not the values of each task", where=VALUES, got=len(values), expected=len(tasks), remedy=remedy
            )
        weight = cfg.MODEL.AUXILIARY.LOSS_WEIGHT
        return cls(values=dict(zip(tasks, values, strict=True)), in_features=in_features, loss_weight=weight)

    def losses(self, features: torch.Tensor, rows: Sequence[Context]) -> dict[str, torch.Tensor]:
        """(N, C) and what is annotated of N images -> weighted mean cross entropy of each task, ``loss_<task>``."""
        found = {}
        for (task, values), head in zip(self.values.items(), self.heads, strict=True):
            labels = torch.tensor([label_of(row, task, values) for row in rows], device=features.device)
            found[f"loss_{task}"] = self._loss_weight * image_loss(head(features).float(), labels)
        return found

    def answers(self, features: torch.Tensor) -> list[dict[str, tuple[str, float]]]:
        """(N, C) -> for each image {task: (its most probable value, the probability)}."""
        by_task = [head(features).float().softmax(dim=1).max(dim=1) for head in self.heads]
        return [
            {
                task: (values[int(best.indices[index])], float(best.values[index]))
                for (task, values), best in zip(self.values.items(), by_task, strict=True)
            }
            for index in range(len(features))
        ]


def label_of(row: Context, task: str, values: Sequence[str]) -> int:
    """Index of an image's value of a task among ``values``; below 0 for none, several, or another one."""
    parts = parts_of(value_in(row, task))
    return values.index(parts[0]) if len(parts) == 1 and parts[0] in values else _UNKNOWN
