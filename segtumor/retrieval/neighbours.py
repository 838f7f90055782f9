"""The nearest images of an index, one of each case. Letters: N images of the index, M others, D features."""

from collections.abc import Collection

import numpy as np

from segtumor.arrays import Floats, Floats32
from segtumor.retrieval.index import Index


class Neighbours:
    """An index, ready to be searched.

    Distance is 1 - cosine, of embeddings less the index's mean: what all radiographs share would leave every angle
    small. Who is near hardly changes by that.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self._mean = index.embeddings.mean(axis=0, dtype=np.float64)
        self.directions = self.directions_of(index.embeddings)

    def directions_of(self, embeddings: Floats32) -> Floats:
        """(M, D) -> (M, D) of length 1; 0 of an image that is the index's mean."""
        centred = embeddings - self._mean
        lengths = np.linalg.norm(centred, axis=1, keepdims=True)
        directions: Floats = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 0)
        return directions

    def nearest(self, direction: Floats, k: int, *, own_cases: Collection[str] = ()) -> list[tuple[int, float]]:
        """Rows of the k nearest images and their distances, nearest first: one of a case, none of the query's own.
        Fewer where the index has fewer cases.

        Args:
            direction: (D,), of ``directions_of``.
            k: from 1.
        """
        distances = 1 - self.directions @ direction
        seen = set(own_cases)
        found: list[tuple[int, float]] = []
        for row in np.argsort(distances, kind="stable").tolist():
            case = self.index.cases[row]
            if case not in seen and len(found) < k:
                seen.add(case)
                found.append((row, float(np.clip(distances[row], 0, 2))))
        return found
