"""How good is the model now: its losses and its findings on a set of records. Used while training and after it."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from detectron2.utils.events import EventStorage
from torch import nn

from segtumor.annotations.coco import CocoDataset
from segtumor.imaging import read_radiograph
from segtumor.models.kinds import Example, LossesOf, own_losses
from segtumor.runtime.predictor import Predictor
from segtumor.structures.lesions import ImageResult
from segtumor.structures.readings import Reading, image_result
from segtumor.training.batches.mapper import Record
from segtumor.training.divergence import finite_losses

#: Batches of records and their number to what shows how far they have come.
Progress = Callable[[Sequence[Sequence[Record]], int], Iterable[Sequence[Record]]]


def read_dataset(
    predictor: Predictor,
    dataset: CocoDataset,
    *,
    batch_size: int,
    max_pixels: int,
    progress: Progress | None = None,
) -> list[Reading]:
    """The readings of every image of a data set, in its order; fields of images are what is known beside pixels.

    Args:
        dataset: with images that can be read.
        batch_size: radiographs per forward pass.
        max_pixels: larger images are refused.
        progress: called with a list of batches and their number; returns the iterable to use, e.g. tqdm.
    """
    records = dataset.records
    batches = [records[start : start + batch_size] for start in range(0, len(records), batch_size)]
    readings: list[Reading] = []
    for batch in progress(batches, len(batches)) if progress else batches:
        radiographs = [read_radiograph(record["file_name"], max_pixels=max_pixels) for record in batch]
        readings += predictor.read_batch(radiographs, batch)
    return readings


def image_results(dataset: CocoDataset, readings: Sequence[Reading]) -> list[ImageResult]:
    """The readings of ``read_dataset`` beside the truth."""
    return [image_result(truth, reading) for truth, reading in zip(dataset.annotated_images, readings, strict=True)]


def predict_dataset(predictor: Predictor, dataset: CocoDataset, **options: Any) -> list[ImageResult]:
    """What was found on every image of a data set beside the truth, in its order; arguments as ``read_dataset``."""
    return image_results(dataset, read_dataset(predictor, dataset, **options))


def validation_losses(
    model: nn.Module,
    batches: Iterable[list[Example]],
    *,
    seed: int,
    where: str = "validation",
    losses_of: LossesOf = own_losses,
) -> dict[str, float]:
    """Mean of each training loss over batches and, as "total", their sum, without learning anything.

    Proposals are sampled at random, so the generators are seeded with ``seed`` and restored afterwards: the value is
    repeatable and training is not disturbed.

    Args:
        model: in training; its mode and statistics stay as they are.
        batches: iterable of lists of mapped records, at least one.
        where: named in an error, e.g. "validation at iteration 400".
        losses_of: model and batch to its losses (``models.kinds``).

    Raises:
        NonFiniteLossError: a loss, or what the proposal network predicts, is NaN or infinite.
    """
    sums: dict[str, float] = {}
    count = 0
    numpy_state = np.random.get_state()
    # The heads log statistics to the current storage; one of its own keeps them out of the training's.
    with torch.random.fork_rng(), torch.no_grad(), _training_with_frozen_statistics(model), EventStorage():
        torch.manual_seed(seed)
        for batch in batches:
            _, losses = finite_losses(losses_of, model, batch, where=where)
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value * len(batch)
            count += len(batch)
    np.random.set_state(numpy_state)
    means = {name: value / count for name, value in sums.items()}
    return {**means, "total": sum(means.values())}


@contextlib.contextmanager
def _training_with_frozen_statistics(model: nn.Module) -> Iterator[None]:
    # Detectron2 returns losses in training mode only, in which batch normalisation would learn from the validation set.
    was_training = model.training
    model.train()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    try:
        yield
    finally:
        model.train(was_training)
