"""The training loop: Detectron2's model, optimizer, schedule and hooks, with validation and safe checkpoints.

Built on Detectron2's ``TrainerBase`` and not on its ``DefaultTrainer``, whose checkpoints, evaluation and handling of a
diverging loss are what segtumor does differently, and whose inside differs between Detectron2's versions.
"""

import logging
import math
import time

import torch
from detectron2.engine import TrainerBase, hooks
from detectron2.solver import build_lr_scheduler
from detectron2.utils import comm
from detectron2.utils.events import EventStorage, JSONWriter, TensorboardXWriter
from torch.nn.parallel import DistributedDataParallel

import segtumor
from segtumor.engine.checkpoint import Checkpointer
from segtumor.engine.hooks import Checkpoints
from segtumor.engine.model import create_model
from segtumor.engine.optimizer import build_optimizer
from segtumor.engine.progress import ProgressWriter
from segtumor.errors import NonFiniteLossError, SegtumorError

logger = logging.getLogger(__name__)
_WRITE_PERIOD = 20


class Trainer(TrainerBase):
    """Trains one model.

    Attributes:
        model: the model, without a wrapper for several GPUs.
        checkpointer: ``Checkpointer`` of the run folder.
        stop_reason: why training stopped early, or None.
    """

    def __init__(
        self, model, *, loader, optimizer, scheduler, folder, max_iter, checkpoint_period, extra, mixed_precision
    ):
        """
        Args:
            model: a Detectron2 model.
            loader: endless iterable of batches.
            optimizer, scheduler: torch's.
            folder: run folder, exists.
            max_iter: iterations.
            checkpoint_period: iterations between checkpoints.
            extra: plain values stored in every checkpoint.
            mixed_precision: whether to compute in float16 on a GPU.
        """
        super().__init__()
        self.model, self.optimizer, self.scheduler, self.max_iter = model, optimizer, scheduler, max_iter
        self._wrapped = _distributed(model)
        self._batches = iter(loader)
        self._folder, self._checkpoint_period = folder, checkpoint_period
        self._mixed_precision = mixed_precision
        self._scaler = torch.amp.GradScaler(enabled=mixed_precision)
        self.stop_reason = None
        parts = {"optimizer": optimizer, "scheduler": scheduler, "scaler": self._scaler}
        self.checkpointer = Checkpointer(model, folder, parts=parts, extra=extra)

    @classmethod
    def from_config(cls, cfg, loader):
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
            mixed_precision=cfg.SOLVER.AMP.ENABLED and cfg.MODEL.DEVICE != "cpu",
        )

    def add_hooks(self, validation=None):
        """Timing, schedule, ``validation`` (a hook or None), checkpoints and the writers of metrics, in that order.

        A checkpoint comes after the validation of its iteration: a resumed run would not measure that one again.
        """
        self.register_hooks([hooks.IterationTimer(), hooks.LRScheduler()])
        if validation is not None:
            self.register_hooks([validation])
            self.checkpointer.add_part("validation", validation)
        if comm.is_main_process():
            self.register_hooks([Checkpoints(self.checkpointer, self._checkpoint_period)])
            self.register_hooks([hooks.PeriodicWriter(self._writers(), period=_WRITE_PERIOD)])

    def resume(self):
        """Continue from the newest checkpoint of the run folder; returns the iteration to start with, 0 without one."""
        checkpoint = self.checkpointer.resume()
        if checkpoint is None:
            logger.warning("Nothing to resume in %s: training starts from the beginning", self._folder)
            return 0
        return checkpoint["iteration"] + 1

    def train(self, start_iter=0):
        """Train until ``max_iter``, or until a hook calls ``stop``."""
        self.iter = self.start_iter = start_iter
        self.model.train()
        with EventStorage(start_iter) as self.storage:
            try:
                self.before_train()
                while self.iter < self.max_iter and self.stop_reason is None:
                    self.before_step()
                    self.run_step()
                    self.after_step()
                    self.iter += 1
            finally:
                self.after_train()

    def time_steps(self, count):
        """Take one step to warm up and ``count`` more; returns the mean duration of those, s."""
        self.model.train()
        with EventStorage() as self.storage:
            self.run_step()
            started = time.perf_counter()
            for _ in range(count):
                self.run_step()
        return (time.perf_counter() - started) / count

    def stop(self, reason):
        """Ask to leave the loop after this iteration."""
        self.stop_reason = reason

    def run_step(self):
        """One batch forward, backward and an optimizer step.

        Raises:
            NonFiniteLossError: a loss is NaN or infinite; nothing was learnt from the batch.
            BadImageError: an image of the batch cannot be read.
        """
        started = time.perf_counter()
        batch = self._next_batch()
        self.storage.put_scalar("data_time", time.perf_counter() - started)
        device = next(self.model.parameters()).device.type
        try:
            with torch.autocast(device, dtype=torch.float16, enabled=self._mixed_precision):
                losses = self._wrapped(batch)
        except FloatingPointError as error:  # raised by the proposal network on NaN or infinite boxes
            raise self._not_finite(batch, "proposals") from error
        total = sum(losses.values())
        values = {name: value.item() for name, value in losses.items()}
        wrong = [name for name, value in values.items() if not math.isfinite(value)]
        if wrong:
            raise self._not_finite(batch, ", ".join(wrong))
        self.optimizer.zero_grad()
        self._scaler.scale(total).backward()
        self.storage.put_scalars(total_loss=sum(values.values()), **values)
        self._scaler.step(self.optimizer)
        self._scaler.update()

    def _next_batch(self):
        try:
            return next(self._batches)
        except SegtumorError as error:
            if "Traceback" not in str(error):
                raise
            # From a worker process torch returns the whole traceback as the message; its last line is ours.
            last_line = str(error).rstrip(".\n").splitlines()[-1]
            raise type(error)(last_line.partition(": ")[2] or last_line) from error

    def _not_finite(self, batch, what):
        names = ", ".join(example["file_name"] for example in batch)
        return NonFiniteLossError(
            f"{what} became NaN or infinite",
            where=f"iteration {self.iter}",
            got=f"images {names}",
            remedy="Look at these images; else lower SOLVER.BASE_LR or raise SOLVER.WARMUP_ITERS",
        )

    def _writers(self):
        # Order matters: the progress writer reads what the storage still holds, Tensorboard marks it as written.
        metrics = JSONWriter(f"{self._folder}/metrics.json")
        return [ProgressWriter(self.max_iter, self.start_iter), metrics, TensorboardXWriter(self._folder)]


def _distributed(model):
    if comm.get_world_size() == 1:
        return model
    return DistributedDataParallel(model, device_ids=[comm.get_local_rank()], broadcast_buffers=False)
