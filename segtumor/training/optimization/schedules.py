"""What changes while a training runs, beside the learning rate's own schedule: layers that thaw, a rate that falls when
validation stands still, and epochs as the unit of length.

Not here: warm-up, cosine and steps, which are Detectron2's.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from detectron2.config import CfgNode, get_cfg
from detectron2.engine import HookBase
from detectron2.utils import comm
from torch import nn

from segtumor.errors import ConfigError

logger = logging.getLogger(__name__)


def set_epochs(cfg: CfgNode, n_images: int) -> None:
    """Let ``SOLVER.EPOCHS``, unless it is 0, decide ``SOLVER.MAX_ITER``, with a validation after each epoch.

    Args:
        cfg: not frozen.
        n_images: of the training set.
    """
    if not cfg.SOLVER.EPOCHS:
        return
    steps = math.ceil(n_images / cfg.SOLVER.IMS_PER_BATCH)
    if cfg.SOLVER.MAX_ITER not in (steps * cfg.SOLVER.EPOCHS, get_cfg().SOLVER.MAX_ITER):
        logger.warning(
            "SOLVER.EPOCHS %d makes %d iterations; SOLVER.MAX_ITER %d has no effect (it has with SOLVER.EPOCHS 0)",
            *(cfg.SOLVER.EPOCHS, steps * cfg.SOLVER.EPOCHS, cfg.SOLVER.MAX_ITER),
        )
    cfg.SOLVER.MAX_ITER, cfg.TEST.EVAL_PERIOD = steps * cfg.SOLVER.EPOCHS, steps


class Thaw(HookBase):
    """Lets parts of a model train from a certain time on; frozen batch norms still follow the images' statistics.

    Args:
        model: its parameters that train at this moment are those that may.
        stages: pairs of a proportion of the training, [0, 1), and the beginning of names of parameters.
        max_iter: length of the training.

    Raises:
        ConfigError: nothing would train at first, no parameter has such a name, or the model is on several GPUs.
    """

    def __init__(self, model: nn.Module, stages: Sequence[tuple[float, str]], max_iter: int) -> None:
        self._parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._stages = [(proportion * max_iter, prefix) for proportion, prefix in stages]
        where = "SOLVER.THAW"
        if comm.get_world_size() > 1:
            raise ConfigError("layers thaw on one GPU only", where=where, remedy="Use --num-gpus 1 or set it to []")
        for _, prefix in stages:
            if not any(name.startswith(prefix) for name in self._parameters):
                parts = sorted({".".join(name.split(".")[:2]) for name in self._parameters})
                raise ConfigError("no parameter begins so", where=where, got=prefix, expected=", ".join(parts[:12]))
        first = min(proportion for proportion, _ in stages)
        if first > 0:
            expected = "a pair that begins with 0"
            raise ConfigError("nothing would train at first", where=where, got=first, expected=expected)

    def before_step(self) -> None:
        """Freeze and thaw."""
        prefixes = tuple(prefix for start, prefix in self._stages if self.trainer.iter >= start)
        for name, parameter in self._parameters.items():
            parameter.requires_grad_(name.startswith(prefixes))


class Plateau(HookBase):
    """Multiplies the learning rate whenever validation has not improved for some time.

    Args:
        patience: validations without improvement, 1 or more.
        factor: (0, 1].
    """

    def __init__(self, patience: int, factor: float) -> None:
        self._patience, self._factor, self._reductions = patience, factor, 0

    def before_train(self) -> None:
        """Take up the rate of a resumed run."""
        self._multiply(self._factor**self._reductions)

    def after_step(self) -> None:
        """Look at the validation of this iteration, if there was one."""
        validation = self.trainer.validation
        if not validation.measured(self.trainer.iter + 1):
            return
        count = validation.without_improvement
        if count and count % self._patience == 0:
            self._reductions += 1
            self._multiply(self._factor)

    def _multiply(self, factor: float) -> None:
        # What the schedule multiplies; it sets the optimizer's rate after each iteration.
        self.trainer.scheduler.base_lrs = [rate * factor for rate in self.trainer.scheduler.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must remember."""
        return {"reductions": self._reductions}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Counterpart of ``state_dict``."""
        self._reductions = int(state["reductions"])


def thaw_from_config(cfg: CfgNode, model: nn.Module) -> Thaw | None:
    """The ``Thaw`` of ``SOLVER.THAW``, or None for []."""
    stages = [(float(proportion), str(prefix)) for proportion, prefix in cfg.SOLVER.THAW]
    return Thaw(model, stages, cfg.SOLVER.MAX_ITER) if stages else None


def plateau_from_config(cfg: CfgNode) -> Plateau | None:
    """The ``Plateau`` of ``SOLVER.PLATEAU_PATIENCE``, or None for 0."""
    patience = cfg.SOLVER.PLATEAU_PATIENCE
    return Plateau(patience, cfg.SOLVER.GAMMA) if patience else None
