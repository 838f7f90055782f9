"""Loaders over our records, from the configuration."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import DatasetFromList
from detectron2.data.samplers import RepeatFactorTrainingSampler, TrainingSampler
from detectron2.utils import comm
from torch.utils.data import DataLoader, Dataset, Sampler

from segtumor.annotations.regions import is_crowd
from segtumor.errors import ConfigError
from segtumor.models.kinds import Example, class_weights, kind_of
from segtumor.training.batches.mapper import RadiographMapper, Record
from segtumor.training.batches.order import BatchOrder
from segtumor.training.batches.workers import InHand, answering

#: Keep the draw of other images apart from what the same seed decides of the augmentation.
_MOSAIC, _PASTE, _MIXUP = 4, 5, 6
#: ``DATALOADER.SAMPLER_TRAIN`` for as many images of each training set, beside Detectron2's two.
SOURCE_BALANCED = "SourceBalancedSampler"


@dataclass(frozen=True)
class Together:
    """How often an example is made of several records, each in [0, 1].

    Attributes:
        mosaic: put together of its record and three others.
        paste: of those that are not, how often one gets a lesion of another record.
        mixup: of those that neither happens to, how often another record's image shines through.
    """

    mosaic: float = 0.0
    paste: float = 0.0
    mixup: float = 0.0


class TrainLoader:
    """Endless shuffled batches of mapped records, the same whatever the number of worker processes.

    Torch's loader and not Detectron2's, whose versions differ in how workers share an epoch.

    Args:
        order: keyword arguments of ``BatchOrder``, but for ``skip``.
        together: how often an example is made of several records.
        num_workers: processes that read; 0 reads in this one.
        timeout_s: how long a process may take for a batch; 0 for ever.
    """

    def __init__(
        self,
        records: Sequence[Record],
        mapper: RadiographMapper,
        order: dict[str, Any],
        num_workers: int,
        timeout_s: int = 0,
        together: Together = Together(),
    ) -> None:
        self._in_hand = InHand(num_workers)
        self._examples, self._order = _Examples(records, mapper, self._in_hand, together), order
        self._num_workers, self._timeout_s = num_workers, timeout_s

    def __iter__(self) -> Iterator[list[Example]]:
        return self.after(0)

    def after(self, batches: int) -> Iterator[list[Example]]:
        """What follows the first so many batches, as if they had been taken.

        Raises:
            InstallationError: on the way, by a worker process that does not answer in time.
        """
        loader = DataLoader(
            self._examples,
            batch_sampler=BatchOrder(**self._order, skip=batches),
            num_workers=self._num_workers,
            collate_fn=list,
        )
        return answering(iter(loader), self._timeout_s, self._name_of_longest)

    def _name_of_longest(self, seconds: float) -> str | None:
        index = self._in_hand.longer_than(seconds)
        return None if index is None else self._examples.file_name(index)


def build_train_loader(cfg: CfgNode, sources: Sequence[Sequence[Record]]) -> TrainLoader:
    """Batches of ``SOLVER.IMS_PER_BATCH`` mapped records over all processes, normal images included.

    Args:
        sources: the records of each training set.

    Raises:
        ConfigError: images made of several for a model of whole images, an unknown sampler or one that has nothing to
            balance, class weights and repeat-factor sampling, which would correct imbalance twice, or a batch that
            cannot be divided among the processes.
    """
    records = [record for source in sources for record in source]
    processes = comm.get_world_size()
    if cfg.SOLVER.IMS_PER_BATCH % processes:
        raise ConfigError(
            "cannot be divided among the processes",
            where="SOLVER.IMS_PER_BATCH",
            got=cfg.SOLVER.IMS_PER_BATCH,
            expected=f"a multiple of {processes}",
        )
    order = {
        "indices": _sampler(cfg, sources),
        "batch_size": cfg.SOLVER.IMS_PER_BATCH // processes,
        "seed": cfg.SEED + comm.get_rank(),
        "wide": [r["width"] > r["height"] for r in records] if cfg.DATALOADER.ASPECT_RATIO_GROUPING else None,
    }
    mapper = RadiographMapper.from_config(cfg, is_train=True)
    return TrainLoader(
        records,
        mapper,
        order,
        cfg.DATALOADER.NUM_WORKERS,
        timeout_s=cfg.DATALOADER.WORKER_TIMEOUT_S,
        together=_together(cfg),
    )


def _together(cfg: CfgNode) -> Together:
    shares = {
        "INPUT.MOSAIC": cfg.INPUT.MOSAIC,
        "INPUT.COPY_PASTE": cfg.INPUT.COPY_PASTE,
        "INPUT.MIXUP": cfg.INPUT.MIXUP,
    }
    for key, share in shares.items():
        if share and not kind_of(cfg).needs_lesions:
            what, remedy = "an image put together of several is of no class", "Set it to 0 for classifiers"
            raise ConfigError(what, where=key, got=share, remedy=remedy)
    return Together(*shares.values())


def _has_lesion(record: Record) -> bool:
    return any(not is_crowd(annotation) for annotation in record["annotations"])


class _Examples(Dataset[Example]):
    """Mapped records by (index, seed). Records are kept as bytes, which worker processes share instead of copying."""

    def __init__(
        self, records: Sequence[Record], mapper: RadiographMapper, in_hand: InHand, together: Together
    ) -> None:
        self._records, self._mapper, self._in_hand = DatasetFromList(records, copy=False), mapper, in_hand
        self._together = together
        self._donors = [i for i, record in enumerate(records) if _has_lesion(record)] if together.paste else []

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, place: tuple[int, int]) -> Example:
        index, seed = place
        with self._in_hand.noted(index):
            others = self._others(seed)
            if others:
                return self._mapper.mosaic([self._records[n] for n in (index, *others)], seed)
            donor = self._donor(index, seed)
            if donor is not None:
                return self._mapper.pasted(self._records[index], self._records[donor], seed)
            other = self._other(index, seed)
            if other is not None:
                return self._mapper.mixed(self._records[index], self._records[other], seed)
            return self._mapper(self._records[index], seed=seed)

    def _others(self, seed: int) -> list[int]:
        """Indices of the three that make a mosaic of an example of this seed; empty where it stays by itself."""
        if not self._together.mosaic:
            return []
        rng = np.random.default_rng([seed, _MOSAIC])
        found: list[int] = rng.integers(len(self._records), size=3).tolist()
        return found if rng.random() < self._together.mosaic else []

    def _donor(self, index: int, seed: int) -> int | None:
        """Index of the record that lends an example of this seed a lesion; None where it stays as it is."""
        if not self._donors:
            return None
        rng = np.random.default_rng([seed, _PASTE])
        donor = self._donors[int(rng.integers(len(self._donors)))]
        return donor if rng.random() < self._together.paste and donor != index else None

    def _other(self, index: int, seed: int) -> int | None:
        """Index of the record whose image shines through an example of this seed; None where it stays by itself."""
        if not self._together.mixup:
            return None
        rng = np.random.default_rng([seed, _MIXUP])
        other = int(rng.integers(len(self._records)))
        return other if rng.random() < self._together.mixup and other != index else None

    def file_name(self, index: int) -> str:
        """Of the image of a record."""
        return str(self._records[index]["file_name"])


def validation_batches(cfg: CfgNode, records: Sequence[Record]) -> Iterator[list[Example]]:
    """Every record once, in order, as lists of at most ``SOLVER.IMS_PER_BATCH`` examples without augmentation."""
    mapper = RadiographMapper.from_config(cfg, is_train=False)
    size = cfg.SOLVER.IMS_PER_BATCH
    for start in range(0, len(records), size):
        yield [mapper(record) for record in records[start : start + size]]


def _sampler(cfg: CfgNode, sources: Sequence[Sequence[Record]]) -> Sampler[int]:
    """Indices of the records of all sources, one source after the other."""
    samplers: dict[str, Callable[[], Sampler[int]]] = {
        "TrainingSampler": lambda: TrainingSampler(sum(map(len, sources)), seed=cfg.SEED),
        "RepeatFactorTrainingSampler": lambda: _repeating(cfg, _class_factors(cfg, sources)),
        SOURCE_BALANCED: lambda: _repeating(cfg, _source_factors(sources)),
    }
    name = cfg.DATALOADER.SAMPLER_TRAIN
    if name not in samplers:
        expected = f"one of {', '.join(samplers)}"
        raise ConfigError("unknown sampler", where="DATALOADER.SAMPLER_TRAIN", got=name, expected=expected)
    return samplers[name]()


def _repeating(cfg: CfgNode, factors: torch.Tensor) -> Sampler[int]:
    """Each image so many times in a pass over all, (N,) from 1 on; of fractions, as often on average."""
    sampler: Sampler[int] = RepeatFactorTrainingSampler(factors, seed=cfg.SEED)
    return sampler


def _source_factors(sources: Sequence[Sequence[Record]]) -> torch.Tensor:
    """Images of a small source are repeated until it has as many as the largest."""
    sizes = [len(source) for source in sources if source]
    if len(sizes) < 2:
        raise ConfigError(
            "nothing to balance",
            where="DATALOADER.SAMPLER_TRAIN",
            got=f"{SOURCE_BALANCED} and {len(sizes)} training set",
            expected="several in DATASETS.TRAIN",
        )
    return torch.cat([torch.full((size,), max(sizes) / size) for size in sizes])


def _class_factors(cfg: CfgNode, sources: Sequence[Sequence[Record]]) -> torch.Tensor:
    if cfg.DATALOADER.REPEAT_THRESHOLD <= 0:
        raise ConfigError(
            "repeat-factor sampling needs a threshold, the share of images below which a class is repeated",
            where="DATALOADER.REPEAT_THRESHOLD",
            got=cfg.DATALOADER.REPEAT_THRESHOLD,
            expected="above 0, e.g. 0.3",
        )
    if class_weights(cfg):
        raise ConfigError(
            "class weights and repeat-factor sampling correct the same imbalance twice",
            where="DATALOADER.SAMPLER_TRAIN",
            remedy=f"Keep one of {kind_of(cfg).weights_key} and RepeatFactorTrainingSampler",
        )
    # A crowd region is not learnt from, so that it makes no image worth repeating.
    lesions = [
        {"annotations": [a for a in record["annotations"] if not is_crowd(a)]}
        for source in sources
        for record in source
    ]
    factors: torch.Tensor = RepeatFactorTrainingSampler.repeat_factors_from_category_frequency(
        lesions, cfg.DATALOADER.REPEAT_THRESHOLD
    )
    return factors
