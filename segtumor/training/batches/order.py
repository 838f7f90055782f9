"""Which images are trained on next, and with which augmentation: a function of the seed and of how many came before.

Each place of the endless sequence is an image's index and the seed of its augmentation. So a resumed training continues
with the next image instead of the first, and any number of worker processes gives the same examples. Batches are put
together here, from the sizes in the annotations, and not from examples as they are made. Not here: reading images
(``training.batches.mapper``).
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

_SEEDS = 2**31
#: Index of an image, and the seed of its augmentation.
Place = tuple[int, int]


class BatchOrder(Sampler[list[Place]]):
    """Endless batches of (index, seed of its augmentation).

    Args:
        indices: Detectron2's sampler of this process: endless.
        batch_size: images of this process in each batch.
        wide: whether each image is wider than high, to put only images alike into a batch; None for batches in order.
    """

    def __init__(
        self, indices: Iterable[int], *, batch_size: int, seed: int, wide: Sequence[bool] | None = None, skip: int = 0
    ) -> None:
        self._indices, self._batch_size, self._seed, self._wide, self._skip = indices, batch_size, seed, wide, skip

    def __iter__(self) -> Iterator[list[Place]]:
        batches = self._in_order() if self._wide is None else self._of_images_alike(self._wide)
        return itertools.islice(batches, self._skip, None)

    def _places(self) -> Iterator[Place]:
        random = np.random.RandomState(self._seed)
        for index in self._indices:
            yield int(index), int(random.randint(_SEEDS))

    def _in_order(self) -> Iterator[list[Place]]:
        places = self._places()
        while batch := list(itertools.islice(places, self._batch_size)):
            yield batch

    def _of_images_alike(self, wide: Sequence[bool]) -> Iterator[list[Place]]:
        waiting: dict[bool, list[Place]] = {True: [], False: []}
        for place in self._places():
            batch = waiting[wide[place[0]]]
            batch.append(place)
            if len(batch) == self._batch_size:
                waiting[wide[place[0]]] = []
                yield batch
