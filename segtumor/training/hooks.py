"""What happens between training steps: checkpoints, validation with the best model and early stopping, and progress."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from detectron2.config import CfgNode
from detectron2.engine import HookBase
from detectron2.utils import comm
from detectron2.utils.events import EventWriter, get_event_storage
from torch import nn
from tqdm import tqdm

from segtumor.annotations.coco import CocoDataset
from segtumor.errors import ConfigError, NonFiniteOutputError
from segtumor.evaluation.study.metrics import evaluate
from segtumor.models.build import predictor_from_config
from segtumor.models.kinds import MASK_RCNN, Example, ModelKind, kind_of
from segtumor.progress import SECONDS_BETWEEN_LINES, on_terminal
from segtumor.runs import BEST_WEIGHTS, LAST_WEIGHTS
from segtumor.runtime.predictor import Predictor
from segtumor.training.batches.loaders import validation_batches
from segtumor.training.checkpoints.checkpoint import Checkpointer
from segtumor.training.data_sets import can_choose
from segtumor.training.divergence import not_finite
from segtumor.training.validation import predict_dataset, validation_losses

logger = logging.getLogger(__name__)
T = TypeVar("T")
#: What SOLVER.BEST_METRIC may name, beside "loss", and where an evaluation has it; each kind of model has some of them.
METRICS = {
    "segm/AP": ("detection", "segm", "AP"),
    "segm/AP50": ("detection", "segm", "AP50"),
    "segm/AP75": ("detection", "segm", "AP75"),
    "bbox/AP": ("detection", "bbox", "AP"),
    "bbox/AP50": ("detection", "bbox", "AP50"),
    "dice": ("overlap", "dice"),
    "image/accuracy": ("images", "accuracy"),
    "image/sensitivity": ("images", "sensitivity"),
    "image/specificity": ("images", "specificity"),
    "image/auc": ("images", "auc"),
    "image/brier": ("images", "brier"),
    "image/class_accuracy": ("images", "image_class_accuracy"),
    "image/macro_f1": ("images", "class_macro_f1"),
}
_LOWER_IS_BETTER = ("loss", "image/brier")
_LOSS = "loss"


class Checkpoints(HookBase):
    """Every ``period`` iterations, write ``model_last.pth``, from which a run resumes. One file: VGG19's has 1.2 GB."""

    def __init__(self, checkpointer: Checkpointer, period: int) -> None:
        self._checkpointer, self.period = checkpointer, period

    def after_step(self) -> None:
        """Save when it is time."""
        if (self.trainer.iter + 1) % self.period == 0:
            self._checkpointer.save(LAST_WEIGHTS, iteration=self.trainer.iter)


@dataclass(kw_only=True, eq=False)
class Validation(HookBase):
    """Every ``period`` iterations: measure on the validation set, keep the best model, stop when it no longer improves.

    Writes ``val/loss``, ``val/dice``, ``val/segm_AP50``, ... to the run's metrics.

    Attributes:
        kind: of the model; decides which metrics are measured.
        period: iterations between measurements; it also runs after the last one.
        loss_batches: function that returns an iterable of mapped batches.
        best_metric: one of the kind's metrics or "loss".
        chooses: whether the metric is defined on this set, so that it can choose the best model and stop training.
        patience: measurements without improvement before training stops; 0 never stops.
        batch_size, max_pixels, score_threshold, iou_threshold, seed: see ``predict_dataset``, ``evaluate`` and
            ``validation_losses``.

    Raises:
        ConfigError: no such metric.
    """

    period: int
    dataset: CocoDataset
    predictor: Predictor
    loss_batches: Callable[[], Iterable[list[Example]]]
    best_metric: str
    patience: int
    batch_size: int
    max_pixels: int
    score_threshold: float
    iou_threshold: float
    seed: int
    chooses: bool = True
    kind: ModelKind = MASK_RCNN

    def __post_init__(self) -> None:
        known = [*self.kind.metrics, _LOSS]
        if self.best_metric not in known:
            got, expected = self.best_metric, ", ".join(known)
            raise ConfigError("unknown metric", where="SOLVER.BEST_METRIC", got=got, expected=expected)
        self._without_improvement = 0
        self._best: float | None = None
        self._owed: int | None = None  # iterations done at a measurement that a signal interrupted
        #: What the measurements depend on: a best value of others is no value to compare with.
        self._measures = {"metric": self.best_metric, "annotations_sha256": getattr(self.dataset, "sha256", None)}

    @classmethod
    def from_config(cls, cfg: CfgNode, dataset: CocoDataset, model: nn.Module) -> "Validation":
        """The validation of a model in training that ``TEST``, ``SOLVER`` and ``INPUT`` describe."""
        return cls(
            kind=kind_of(cfg),
            chooses=can_choose(cfg, dataset),
            period=cfg.TEST.EVAL_PERIOD or cfg.SOLVER.MAX_ITER,
            dataset=dataset,
            predictor=predictor_from_config(cfg, model, dataset.taxonomy.names),
            loss_batches=lambda: validation_batches(cfg, dataset.records),
            best_metric=cfg.SOLVER.BEST_METRIC,
            patience=cfg.SOLVER.EARLY_STOPPING_PATIENCE,
            batch_size=cfg.SOLVER.IMS_PER_BATCH,
            max_pixels=cfg.INPUT.MAX_PIXELS,
            score_threshold=cfg.TEST.CONFIDENCE_THRESHOLD,
            iou_threshold=cfg.TEST.HIT_IOU,
            seed=max(0, cfg.SEED),
        )

    def before_train(self) -> None:
        """Repeat the measurement that a signal interrupted."""
        if self._owed is not None:
            self._measure(self._owed)

    def after_step(self) -> None:
        """Measure when it is time. On several GPUs every process measures, so that all decide alike."""
        done = self.trainer.iter + 1
        if self.measured(done):
            self._measure(done)

    def measured(self, done: int) -> bool:
        """Whether so many iterations done is a time to measure."""
        return done % self.period == 0 or done == self.trainer.max_iter

    @property
    def without_improvement(self) -> int:
        """Measurements since the best one."""
        return self._without_improvement

    @property
    def has_best(self) -> bool:
        """Whether a best model is known."""
        return self._best is not None

    def forget_best(self) -> None:
        """Take the next measured model as the best: the file of the earlier one is gone."""
        self._best = None

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must remember."""
        memory = {"best": self._best, "without_improvement": self._without_improvement, "owed": self._owed}
        return {**memory, **self._measures}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Counterpart of ``state_dict``. A best value by another metric or on other images is forgotten.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        best, count, owed = state["best"], int(state["without_improvement"]), state.get("owed")
        self._owed = None if owed is None else int(owed)
        differing = [name for name, value in self._measures.items() if state.get(name, value) != value]
        if differing:
            logger.warning("%s: the best model is chosen again", " and ".join(_DIFFERING[name] for name in differing))
            return
        self._best, self._without_improvement = None if best is None else float(best), count

    def _measure(self, done: int) -> None:
        self._owed = done
        try:
            values = self._values(done)
        except _BrokenOffError:
            logger.info("validation at iteration %d was interrupted; it is repeated when training resumes", done)
            return
        self._owed = None
        self.trainer.storage.put_scalars(smoothing_hint=False, **as_logged(values))
        logger.info("validation at iteration %d: %s", done, in_words(values))
        self._keep_best(values[self.best_metric], done)

    def _values(self, done: int) -> dict[str, float]:
        where = f"validation at iteration {done}"
        losses = validation_losses(
            self.trainer.validated_model,
            self._unless_stopping(self.loss_batches()),
            seed=self.seed,
            where=where,
            losses_of=self.kind.losses,
        )
        try:
            results = predict_dataset(
                self.predictor,
                self.dataset,
                batch_size=self.batch_size,
                max_pixels=self.max_pixels,
                progress=lambda batches, _: self._unless_stopping(batches),
            )
        except NonFiniteOutputError as error:
            raise not_finite("the model's output", where=where, images=[error.where]) from error
        metrics = evaluate(
            results,
            self.dataset.taxonomy.names,
            score_threshold=self.score_threshold,
            iou_threshold=self.iou_threshold,
        ).metrics
        return {**metrics_of(metrics, self.kind.metrics), _LOSS: losses["total"]}

    def _unless_stopping(self, batches: Iterable[T]) -> Iterator[T]:
        for batch in batches:
            if self.trainer.is_stopping:
                raise _BrokenOffError
            yield batch

    def _keep_best(self, value: float, done: int) -> None:
        if not self.chooses:
            return
        higher_is_better = self.best_metric not in _LOWER_IS_BETTER
        # An undefined value is the worst there is: while there is nothing else, the last model is kept.
        score = (value if higher_is_better else -value) if math.isfinite(value) else -math.inf
        if self._best is None or self._best == -math.inf or score > self._best:
            self._best, self._without_improvement = score, 0
            if comm.is_main_process():
                self.trainer.checkpointer.save_weights(
                    BEST_WEIGHTS, model=self.trainer.validated_model, iteration=done - 1, **{self.best_metric: value}
                )
            return
        self._without_improvement += 1
        if self.patience and self._without_improvement >= self.patience:
            self.trainer.stop(f"{self.best_metric} has not improved in {self.patience} validations")


class ProgressWriter(EventWriter):
    """Shows iteration, loss, learning rate, rate and remaining time."""

    def __init__(self, max_iter: int, start_iter: int = 0) -> None:
        self._max_iter, self._start_iter = max_iter, start_iter
        self._bar: tqdm[NoReturn] | None = None
        self._started = self._last_line = time.monotonic()

    def write(self) -> None:
        """Called by Detectron2 every few iterations."""
        storage = get_event_storage()
        done = storage.iter + 1
        loss = storage.history("total_loss").median(20) if "total_loss" in storage.histories() else float("nan")
        if on_terminal():
            self._update_bar(done, loss)
        elif time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES or done == self._max_iter:
            self._write_line(done, loss)

    def close(self) -> None:
        """Called by Detectron2 at the end of training."""
        if self._bar is not None:
            self._bar.close()

    def _update_bar(self, done: int, loss: float) -> None:
        if self._bar is None:
            self._bar = tqdm(
                total=self._max_iter, initial=self._start_iter, unit="it", desc="training", dynamic_ncols=True
            )
        self._bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
        self._bar.update(done - self._bar.n)

    def _write_line(self, done: int, loss: float) -> None:
        self._last_line = time.monotonic()
        per_iteration = (self._last_line - self._started) / max(1, done - self._start_iter)
        remaining_s = (self._max_iter - done) * per_iteration
        logger.info(
            "iteration %d of %d, loss %.3f, %.2f s per iteration, %s left",
            done,
            self._max_iter,
            loss,
            per_iteration,
            tqdm.format_interval(remaining_s),
        )


class _BrokenOffError(Exception):
    """A signal asked to stop during a measurement."""


_DIFFERING = {"metric": "SOLVER.BEST_METRIC differs", "annotations_sha256": "the validation set differs"}
_SHOWN = ("loss", "segm/AP50", "bbox/AP50", "dice", "image/accuracy", "image/class_accuracy", "image/auc")


def metrics_of(metrics: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
    """What ``SOLVER.BEST_METRIC`` may name, out of an evaluation's ``metrics``; NaN where it is undefined."""
    return {name: _look_up(metrics, METRICS[name]) for name in names}


def as_logged(values: Mapping[str, float]) -> dict[str, float]:
    """Values of the validation set as the run's metrics have them, the defined ones."""
    return {f"val/{name.replace('/', '_')}": value for name, value in values.items() if math.isfinite(value)}


def in_words(values: Mapping[str, float]) -> str:
    """The most telling ones, for people."""
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items() if name in _SHOWN)


def _look_up(metrics: Any, path: Sequence[str]) -> float:
    for key in path:
        metrics = metrics[key]
    return float("nan") if metrics is None else float(metrics)
