"""The runs of a COCO run-length encoding, without its pixels.

pycocotools believes what it is given and reads past the end of a corrupt code; an RLE from outside is
checked here first. Not here: encoding and decoding masks (``segtumor.structures.masks``).
"""

import re
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from segtumor.arrays import Ints, Mask

_COMPRESSED = re.compile(r"[0-o]*[0-O]")  # six bits a character; the last one has no continuation bit
_TOO_LONG = re.compile(r"[P-o]{8}")  # a number of more than eight characters, longer than any image needs


def rle_runs(counts: Any) -> Ints | None:
    """Lengths of the runs, (R,) int64 in px, background first; None if they cannot be read.

    Args:
        counts: list of lengths (uncompressed) or text (compressed), as in a COCO segmentation; anything else is None.
    """
    if isinstance(counts, list):
        valid = counts and all(type(n) is int and 0 <= n <= 2**40 for n in counts)
        return np.array(counts, dtype=np.int64) if valid else None
    if not isinstance(counts, str) or not _COMPRESSED.fullmatch(counts):
        return None
    runs = None if _TOO_LONG.search(counts) else decompressed_runs(counts)
    return runs if runs is not None and runs.min() >= 0 else None


def decompressed_runs(counts: str | bytes) -> Ints:
    """Lengths of the runs of a compressed code that is known to be valid, (R,) int64 in px, background first.

    The form of the COCO API (maskApi.c, rleFrString): little-endian groups of five bits, bit 0x20 continues a number,
    bit 0x10 of the last group is its sign; from the fourth number on, the difference to the one two before.
    """
    code = counts.encode("ascii") if isinstance(counts, str) else counts
    sextets = np.frombuffer(code, dtype=np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero((sextets & 0x20) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    shifts = 5 * (np.arange(len(sextets)) - np.repeat(starts, lengths))
    runs = np.add.reduceat((sextets & 0x1F) << shifts, starts)
    runs -= np.where(sextets[ends] & 0x10, np.int64(1) << (5 * lengths), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


def run_lengths(flat: ArrayLike) -> Ints:
    """Lengths of the runs of a (N,) bool array, N >= 1, unset first: a 0 where it begins with what is set."""
    values = np.asarray(flat, dtype=bool)
    changes = np.flatnonzero(np.diff(values)) + 1
    bounds = np.concatenate([[0] if values[0] else [], [0], changes, [len(values)]]).astype(np.int64)
    return bounds[1:] - bounds[:-1]


def flat_from_runs(runs: Ints) -> Mask:
    """(N,) bool of the runs: unset, set, unset ..."""
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs)
