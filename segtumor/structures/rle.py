"""The runs of a COCO run-length encoding, without its pixels.

pycocotools believes what it is given and reads past the end of a corrupt code; whoever takes an RLE from outside asks
here first. Not here: encoding and decoding masks (``segtumor.structures.masks``).
"""

import re

import numpy as np

_COMPRESSED = re.compile(r"[0-o]*[0-O]")  # six bits a character; the last one has no continuation bit


def rle_runs(counts):
    """Lengths of the runs, (R,) int64 in px, background first; None if they cannot be read.

    Args:
        counts: list of lengths (uncompressed) or text (compressed), as in a COCO segmentation; anything else is None.
    """
    if isinstance(counts, list):
        sound = counts and all(type(n) is int and 0 <= n <= 2**40 for n in counts)
        return np.array(counts, dtype=np.int64) if sound else None
    if not isinstance(counts, str) or not _COMPRESSED.fullmatch(counts):
        return None
    runs = _decompress(np.frombuffer(counts.encode("ascii"), dtype=np.uint8).astype(np.int64) - 48)
    return runs if runs is not None and runs.min() >= 0 else None


def _decompress(sextets):
    """Runs of the COCO API's compressed form (maskApi.c, rleFrString): little-endian groups of five bits, bit 0x20
    continues a number, bit 0x10 of the last group is its sign; from the fourth number on, the difference to the one
    two before. None if a number is longer than any image needs."""
    ends = np.flatnonzero((sextets & 0x20) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 8:
        return None
    shifts = 5 * (np.arange(len(sextets)) - np.repeat(starts, lengths))
    runs = np.add.reduceat((sextets & 0x1F) << shifts, starts)
    runs -= np.where(sextets[ends] & 0x10, np.int64(1) << (5 * lengths), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs
