"""Which images of a collection show the same picture: equal pixels, or nearly so, also mirrored or inverted.

Every pair is compared by Hamming distance in chunks (100,000 images are 5,000 million pairs); the few that come near
are decided by the correlation of their aligned thumbnails. Not here: reading images (``fingerprints``).

The limits were chosen on the 2,995 radiographs of BTXRD. Of altered copies (JPEG quality 60, 70 % of the size, gamma
0.8 and 1.25, brightness 0.8 and 1.2, 3 % cropped on each side or on two, turned by 2 degrees, a painted marker) at
least 94 % of each kind keep a distance of 31 bits or less, and 95 % of each kind correlate above 0.95; of the 4.5
million pairs of different pictures about 230 come as near, and no two of different patients correlate above 0.88.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segtumor.datasets.fingerprints import Fingerprint
from segtumor.imaging.perceptual_hash import HASH_BITS, aligned_correlation, band_passed
from segtumor.progress import Progress

#: What a user must know of a search that found nothing.
LIMIT = "a copy turned by 3 degrees or more, cropped by more than a few percent or equalised in contrast is not found"
EXACT, NEAR, MIRRORED, INVERTED = "exact", "near", "mirrored", "inverted"
MAX_DISTANCE = 31
MIN_CORRELATION = 0.9
_WORD_TYPES = (np.uint64, np.uint64, np.uint16)  # 143 bits; a narrow last word saves a third of the time
_CHUNK = 4096
_ROWS = 16

Fingerprints = Mapping[str, Fingerprint]
#: {(i, j): {kind: distance}}.
_Near = dict[tuple[int, int], dict[str, int]]
_Words = list[NDArray[np.unsignedinteger[Any]]]


class Pair(NamedTuple):
    """Two images that show the same picture.

    Attributes:
        first, second: names, the keys of the fingerprints, in their order.
        kind: EXACT, NEAR, MIRRORED or INVERTED.
        distance: of the perceptual hashes, 0 to 143; after mirroring or inverting.
        correlation: of the aligned thumbnails, at most 1; likewise.
    """

    first: str
    second: str
    kind: str
    distance: int
    correlation: float


def exact_duplicates(fingerprints: Fingerprints) -> list[Pair]:
    """Images with equal pixels: each with the first of its group, so that n copies give n - 1 pairs."""
    pairs = [Pair(names[0], name, EXACT, 0, 1.0) for names in _groups(fingerprints) for name in names[1:]]
    order = {name: position for position, name in enumerate(fingerprints)}
    return sorted(pairs, key=lambda pair: (order[pair.first], order[pair.second]))


def near_duplicates(
    fingerprints: Fingerprints,
    *,
    max_distance: int = MAX_DISTANCE,
    min_correlation: float = MIN_CORRELATION,
    progress: Progress = iter,
) -> list[Pair]:
    """Every pair of images with different pixels that shows nearly the same picture, in the order of the fingerprints.

    The kind is the first that fits of near, mirrored, inverted. Blank pictures are left out: they resemble each other
    and say nothing. ``max_distance`` must be less than half of the 143 bits.
    """
    groups = [names for names in _groups(fingerprints) if np.ptp(fingerprints[names[0]].thumbnail) > 0]
    order = {name: position for position, name in enumerate(fingerprints)}
    thumbnails = _Thumbnails([fingerprints[names[0]] for names in groups])
    pairs: list[Pair] = []
    for i, j, distances in _candidates([fingerprints[names[0]] for names in groups], max_distance, progress):
        decided = _decide(thumbnails, i, j, distances, max_distance, min_correlation)
        if decided is not None:
            both = ((a, b) if order[a] < order[b] else (b, a) for a in groups[i] for b in groups[j])
            pairs.extend(Pair(first, second, *decided) for first, second in both)
    return sorted(pairs, key=lambda pair: (order[pair.first], order[pair.second]))


def _groups(fingerprints: Fingerprints) -> list[list[str]]:
    """Lists of names with equal pixels, single ones too, in the order of their first."""
    groups: dict[str, list[str]] = {}
    for name, one in fingerprints.items():
        groups.setdefault(one.pixel_sha256, []).append(name)
    return list(groups.values())


def _candidates(
    prints: Sequence[Fingerprint], max_distance: int, progress: Progress
) -> Iterator[tuple[int, int, dict[str, int]]]:
    """Yield (i, j > i, {kind: distance}) of all pairs within ``max_distance`` as they are, mirrored or inverted."""
    if len(prints) < 2:
        return
    plain = _words([one.phash for one in prints])
    mirror = _words([one.mirror_phash for one in prints])
    buffers = _Buffers(min(_CHUNK, len(prints)))
    for start in progress(range(0, len(prints), _ROWS)):
        rows = slice(start, min(start + _ROWS, len(prints)))
        for column in range(start, len(prints), _CHUNK):
            columns = slice(column, min(column + _CHUNK, len(prints)))
            near: _Near = {}
            for kind, hashes in ((NEAR, plain), (MIRRORED, mirror)):
                distances = buffers.distances([word[rows] for word in hashes], [word[columns] for word in plain])
                _collect(near, kind, distances, start, column, max_distance)
            for (i, j), kinds in sorted(near.items()):
                yield i, j, kinds


def _collect(
    near: _Near, kind: str, distances: NDArray[np.integer[Any]], row: int, column: int, max_distance: int
) -> None:
    if distances.min() <= max_distance:
        _add(near, kind, np.argwhere(distances <= max_distance), distances, row, column)
    if kind == NEAR and distances.max() >= HASH_BITS - max_distance:  # inverting a picture changes every sign
        far = np.argwhere(distances >= HASH_BITS - max_distance)
        _add(near, INVERTED, far, HASH_BITS - distances.astype(np.int64), row, column)


def _add(
    near: _Near, kind: str, positions: NDArray[np.int64], distances: NDArray[np.integer[Any]], row: int, column: int
) -> None:
    for r, c in positions.tolist():
        if column + c > row + r:
            near.setdefault((row + r, column + c), {})[kind] = int(distances[r, c])


def _words(hashes: Sequence[NDArray[np.uint64]]) -> _Words:
    """The (3,) hashes of N images as three arrays (N,), each of the narrowest type that holds its bits."""
    return [word.astype(word_type) for word, word_type in zip(np.stack(hashes, axis=1), _WORD_TYPES, strict=True)]


class _Buffers:
    """Arrays used again for every block of distances; allocating them took most of the time."""

    def __init__(self, width: int) -> None:
        self._xor = [np.empty((_ROWS, width), dtype=word_type) for word_type in _WORD_TYPES]
        self._count = np.empty((_ROWS, width), dtype=np.uint8)
        self._total = np.empty((_ROWS, width), dtype=np.uint8)

    def distances(self, rows: _Words, columns: _Words) -> NDArray[np.uint8]:
        """Hamming distances (R, C) uint8 between R and C hashes from ``_words``; valid until the next call."""
        shape = np.s_[: len(rows[0]), : len(columns[0])]
        count, total = self._count[shape], self._total[shape]
        total[...] = 0
        for row_word, column_word, xor in zip(rows, columns, self._xor, strict=True):
            np.bitwise_xor(row_word[:, None], column_word[None], out=xor[shape])
            np.bitwise_count(xor[shape], out=count)
            np.add(total, count, out=total)
        return total


class _Thumbnails:
    """Band-passed thumbnails, made when first needed; a bounded number is kept."""

    _KEPT = 4096  # of 16 KiB each

    def __init__(self, prints: Sequence[Fingerprint]) -> None:
        self._prints = prints
        self._made: dict[int, NDArray[np.float32]] = {}

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        if index not in self._made:
            if len(self._made) >= self._KEPT:
                self._made.pop(next(iter(self._made)))
            self._made[index] = band_passed(self._prints[index].thumbnail)
        return self._made[index]


def _decide(
    thumbnails: _Thumbnails, i: int, j: int, distances: Mapping[str, int], max_distance: int, min_correlation: float
) -> tuple[str, int, float] | None:
    """(kind, distance, correlation) of the first kind that the thumbnails confirm, or None."""
    first, second = thumbnails[i], thumbnails[j]
    changed = {NEAR: second, MIRRORED: second[:, ::-1], INVERTED: -second}
    for kind, picture in changed.items():
        if distances.get(kind, max_distance + 1) > max_distance:
            continue
        correlation = aligned_correlation(first, picture)
        if correlation >= min_correlation:
            return kind, distances[kind], correlation
    return None
