"""The training loop: Detectron2's model, optimizer, schedule and hooks, with validation and safe checkpoints.

Built on Detectron2's ``TrainerBase`` and not on its ``DefaultTrainer``, whose checkpoints, evaluation and handling of a
diverging loss are what segtumor does differently, and whose inside differs between Detectron2's versions.
"""

import contextlib
import functools
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.engine import TrainerBase, hooks
from detectron2.solver import LRMultiplier, build_lr_scheduler
from detectron2.utils import comm
from detectron2.utils.events import EventStorage, EventWriter, JSONWriter, TensorboardXWriter
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LRScheduler

import segtumor
from segtumor.errors import SegtumorError
from segtumor.models.build import create_model
from segtumor.models.kinds import Example, LossesOf, kind_of, own_losses
from segtumor.runs import LAST_WEIGHTS, TRAINING_METRICS
from segtumor.training.batches.loaders import TrainLoader
from segtumor.training.checkpoints.checkpoint import Checkpointer, Part
from segtumor.training.checkpoints.random_states import RandomStates
from segtumor.training.checkpoints.resuming import Newest
from segtumor.training.divergence import finite_losses
from segtumor.training.hooks import Checkpoints, ProgressWriter, Validation
from segtumor.training.optimization.averaging import Averaging, moving_average
from segtumor.training.optimization.optimizer import build_optimizer
from segtumor.training.optimization.schedules import Plateau, Thaw, plateau_from_config, thaw_from_config
from segtumor.training.stopping import StopSignals

logger = logging.getLogger(__name__)
_WRITE_PERIOD = 20
#: Type of number of mixed precision, where it is not float16.
_SIXTEEN_BITS = {"cpu": torch.bfloat16}


class _NoBatchError(Exception):
    """There is no further batch since the training is stopping."""


class Trainer(TrainerBase):
    """Trains one model.

    Attributes:
        model: the model, without a wrapper for several GPUs.
        stop_reason: why training stopped early, or None.
        resumed_from: file of the checkpoint that training resumes from, or None.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        loader: TrainLoader,
        optimizer: torch.optim.Optimizer,
        scheduler: LRScheduler,
        folder: str | Path,
        max_iter: int,
        checkpoint_period: int,
        extra: Mapping[str, Any],
        mixed_precision: bool,
        losses: LossesOf = own_losses,
        average_decay: float = 0.0,
        thaw: Thaw | None = None,
        plateau: Plateau | None = None,
    ) -> None:
        """
        Args:
            extra: plain values stored in every checkpoint.
            mixed_precision: whether to compute in float16 on a GPU, in bfloat16 on a CPU.
            losses: module and batch to its losses (``models.kinds``).
            average_decay: of the moving average of the weights (``averaging``), in [0, 1); 0 for none.
            thaw, plateau: see ``schedules``; a plateau needs ``add_validation``.
        """
        super().__init__()
        self.model, self.optimizer, self.scheduler, self.max_iter = model, optimizer, scheduler, max_iter
        self.iter = self.start_iter = 0
        self._wrapped = _distributed(model)
        self._loader = loader
        self._batches: Iterator[list[Example]] = iter(())
        self._folder, self._checkpoint_period = folder, checkpoint_period
        self._losses = losses
        device = next(model.parameters()).device.type
        self._autocast = functools.partial(
            torch.autocast, device, dtype=_SIXTEEN_BITS.get(device, torch.float16), enabled=mixed_precision
        )
        # bfloat16 reaches as far down as float32, nothing has to be scaled.
        self._scaler = torch.amp.GradScaler(enabled=mixed_precision and device != "cpu")
        self.stop_reason: str | None = None
        self.resumed_from: Path | None = None
        self.validation: Validation | None = None
        self._random = RandomStates()
        self._signals = StopSignals()
        parts: dict[str, Part] = {
            "optimizer": optimizer,
            "scheduler": scheduler,
            "scaler": self._scaler,
            "random": self._random,
        }
        self._average = moving_average(model, average_decay) if average_decay else None
        if self._average is not None:
            parts["average"] = self._average
        self._thaw, self._plateau = thaw, plateau
        if plateau is not None:
            parts["plateau"] = plateau
        self.checkpointer = Checkpointer(model, folder, parts=parts, extra=extra)

    @classmethod
    def from_config(cls, cfg: CfgNode, loader: TrainLoader) -> "Trainer":
        """The trainer that a configuration describes; its hooks are added by ``add_hooks``."""
        model = create_model(cfg)
        optimizer = build_optimizer(cfg, model)
        return cls(
            model,
            loader=loader,
            optimizer=optimizer,
            scheduler=build_lr_scheduler(cfg, optimizer),
            folder=cfg.OUTPUT_DIR,
            max_iter=cfg.SOLVER.MAX_ITER,
            checkpoint_period=cfg.SOLVER.CHECKPOINT_PERIOD,
            extra={"class_names": list(cfg.MODEL.CLASS_NAMES), "segtumor_version": segtumor.__version__},
            mixed_precision=cfg.SOLVER.AMP.ENABLED,
            losses=kind_of(cfg).losses,
            average_decay=cfg.SOLVER.AVERAGE_DECAY,
            thaw=thaw_from_config(cfg, model),
            plateau=plateau_from_config(cfg),
        )

    @property
    def validated_model(self) -> nn.Module:
        """What is validated and kept as the best: the moving average if there is one, else the model in training."""
        return self.model if self._average is None else self._average.module

    def add_validation(self, validation: Validation) -> None:
        """Call this hook after every step, and keep its memory in the checkpoints; before ``restore``."""
        self.validation = validation
        self.checkpointer.add_part("validation", validation)

    def add_hooks(self) -> None:
        """Timing, schedule, average, validation, checkpoints and the writers of metrics, in that order; opens files.

        A checkpoint comes after the validation of its iteration: a resumed run would not measure that one again.
        """
        self.register_hooks([hooks.IterationTimer(), hooks.LRScheduler(), self._thaw])
        if self._average is not None:
            self.register_hooks([Averaging(self._average)])
        if self.validation is not None:
            self.register_hooks([self.validation, self._plateau])
        if comm.is_main_process():
            self.register_hooks([Checkpoints(self.checkpointer, self._checkpoint_period)])
            self.register_hooks([hooks.PeriodicWriter(self._writers(), period=_WRITE_PERIOD)])

    def restore(self, newest: Newest) -> list[str]:
        """Take up a checkpoint, so that ``train`` continues as if it had not stopped; returns what the user should
        know, in sentences. Changes no file.

        Weights, momentum, random numbers, the order of images and the memory of the validation come from the
        checkpoint; learning rate, schedule and decay from the current settings.

        Raises:
            ModelError: see ``Checkpointer.restore``.
        """
        settings = [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
        rates = list(self.scheduler.base_lrs)
        remarks = self.checkpointer.restore(newest)
        self.iter = self.start_iter = newest.checkpoint["iteration"] + 1
        self.resumed_from = newest.path
        # Whose rates are a function of the iteration; beyond the end it has none, and nothing is left to train.
        if isinstance(self.scheduler, LRMultiplier) and self.start_iter <= self.max_iter:
            self.scheduler.base_lrs = rates
            for group, own, rate in zip(self.optimizer.param_groups, settings, self.scheduler.get_lr(), strict=True):
                group.update({**own, "lr": rate})
        return remarks

    def train(self) -> None:
        """Train until ``max_iter``, or until a hook calls ``stop``.

        At the first SIGINT, SIGTERM or SIGHUP the iteration is finished and ``model_last.pth`` written, then the signal
        ends the process as it would have at once; a second signal does so without delay.
        """
        self.iter = self.start_iter
        self.model.train()
        if self.start_iter < self.max_iter:  # a finished run need not look for its place among the images
            self.begin(self.start_iter)
        self._random.restore()
        # Several processes would have to agree on their last iteration; there a signal ends training at once.
        signals = self._signals if comm.get_world_size() == 1 else contextlib.nullcontext()
        with signals, EventStorage(self.start_iter) as self.storage:
            try:
                self.before_train()
                self._loop()
            finally:
                self.after_train()
            if self.is_stopping:
                self._save_before_the_end()
            self._batches = iter(())
        self._signals.deliver()

    def _loop(self) -> None:
        while self.iter < self.max_iter and self.stop_reason is None and not self.is_stopping:
            self.before_step()
            try:
                self.run_step()
            except _NoBatchError:
                return
            self.after_step()
            self.iter += 1

    @property
    def is_stopping(self) -> bool:
        """Whether a signal asked to stop."""
        return self._signals.received is not None

    def _save_before_the_end(self) -> None:
        if self.iter == self.start_iter:
            logger.warning("Stopped before the first iteration was done: there is nothing new to save")
            return
        self.checkpointer.save(LAST_WEIGHTS, iteration=self.iter - 1)
        logger.warning(
            "Stopped after iteration %d of %d; to resume from there, it is saved in %s",
            *(self.iter, self.max_iter, f"{self._folder}/{LAST_WEIGHTS}"),
        )

    def time_steps(self, count: int) -> float:
        """Take one step to warm up and ``count`` more; returns the mean duration of those, s."""
        self.model.train()
        self.begin()
        with EventStorage() as self.storage:
            self.run_step()
            started = time.perf_counter()
            for _ in range(count):
                self.run_step()
        return (time.perf_counter() - started) / count

    def stop(self, reason: str) -> None:
        """Ask to leave the loop after this iteration."""
        self.stop_reason = reason

    def begin(self, iteration: int = 0) -> None:
        """Let ``run_step`` take the batches from this iteration on."""
        self._batches = self._loader.after(iteration)

    def run_step(self) -> None:
        """One batch forward, backward and an optimizer step.

        Raises:
            NonFiniteLossError: a loss is NaN or infinite; nothing was learnt from the batch.
            BadImageError: an image of the batch cannot be read.
        """
        started = time.perf_counter()
        batch = self._next_batch()
        self.storage.put_scalar("data_time", time.perf_counter() - started)
        with self._autocast():
            losses, values = finite_losses(self._losses, self._wrapped, batch, where=f"iteration {self.iter}")
        total = functools.reduce(torch.add, losses.values())
        self.optimizer.zero_grad()
        self._scaler.scale(total).backward()  # type: ignore[no-untyped-call]  # torch's
        self.storage.put_scalars(total_loss=sum(values.values()), **values)
        self._scaler.step(self.optimizer)
        self._scaler.update()

    def _next_batch(self) -> list[Example]:
        try:
            return next(self._batches)
        except RuntimeError as error:
            if self.is_stopping:  # the signal has ended the worker processes as well
                raise _NoBatchError from error
            raise
        except SegtumorError as error:
            if "Traceback" not in str(error):
                raise
            # From a worker process torch returns the whole traceback as the message; its last line is ours.
            last_line = str(error).rstrip(".\n").splitlines()[-1]
            raise type(error)(last_line.partition(": ")[2] or last_line) from error

    def _writers(self) -> list[EventWriter]:
        # Order matters: the progress writer reads what the storage still holds, Tensorboard marks it as written.
        metrics = JSONWriter(f"{self._folder}/{TRAINING_METRICS}")
        return [ProgressWriter(self.max_iter, self.start_iter), metrics, TensorboardXWriter(self._folder)]


def _distributed(model: nn.Module) -> nn.Module:
    if comm.get_world_size() == 1:
        return model
    return DistributedDataParallel(model, device_ids=[comm.get_local_rank()], broadcast_buffers=False)
