"""Optimizers by name: Detectron2's SGD; Adam; and AdamW, which learns from scratch in fewer iterations."""

import torch
from detectron2.config import CfgNode
from detectron2.solver import build_optimizer as build_sgd
from detectron2.solver.build import get_default_optimizer_params, maybe_add_gradient_clipping
from torch import nn

from segtumor.errors import ConfigError

_ADAPTIVE = {"ADAM": torch.optim.Adam, "ADAMW": torch.optim.AdamW}


def build_optimizer(cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of ``SOLVER.OPTIMIZER`` with Detectron2's learning rates, weight decays and gradient clipping.

    Raises:
        ConfigError: neither "SGD", "ADAM" (Kingma & Ba 2015) nor "ADAMW" (Loshchilov & Hutter 2019).
    """
    name = cfg.SOLVER.OPTIMIZER
    if name == "SGD":
        sgd: torch.optim.Optimizer = build_sgd(cfg, model)
        return sgd
    if name not in _ADAPTIVE:
        raise ConfigError("unknown optimizer", where="SOLVER.OPTIMIZER", got=name, expected="SGD, ADAM or ADAMW")
    parameters = get_default_optimizer_params(
        model,
        base_lr=cfg.SOLVER.BASE_LR,
        weight_decay=cfg.SOLVER.WEIGHT_DECAY,
        weight_decay_norm=cfg.SOLVER.WEIGHT_DECAY_NORM,
        bias_lr_factor=cfg.SOLVER.BIAS_LR_FACTOR,
        weight_decay_bias=cfg.SOLVER.WEIGHT_DECAY_BIAS,
    )
    adaptive: torch.optim.Optimizer = maybe_add_gradient_clipping(cfg, _ADAPTIVE[name])(
        parameters, lr=cfg.SOLVER.BASE_LR
    )
    return adaptive
