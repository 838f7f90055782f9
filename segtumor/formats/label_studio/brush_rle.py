"""Label Studio's brush masks: the bytes of an RGBA picture, run-length encoded bit by bit.

The code is that of the rle-pack library (thi.ng/umbrella): 32 bits number of values, 5 bits word size - 1, four times 4
bits run size - 1; then runs of 1 bit "repeated", 2 bits which run size, so many bits of length - 1, and one word if
repeated, else a word for each value. Most significant bit first, padded with zeros. A pixel with alpha above 0 belongs
to the mask. Only the mask is ever held in memory, not the four bytes of each pixel. Not here: what surrounds the code.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtumor.annotations.remarks import LeftOutError
from segtumor.arrays import Mask, SizeHW
from segtumor.imaging import MAX_PIXELS
from segtumor.structures.rle import run_lengths

_WORD_BITS = 8
#: As Label Studio writes them.
_RUN_SIZES = (3, 4, 8, 16)
_LONGEST = 2 ** _RUN_SIZES[-1]


class _BitReader:
    """Reads numbers of a few bits, most significant first; LeftOutError past the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._position, self._end = data, 0, 8 * len(data)

    def read(self, size: int) -> int:
        first, last = self._position // 8, (self._position + size + 7) // 8
        self._advance(size)
        number = int.from_bytes(self._data[first:last], "big")
        return number >> (8 * last - self._position) & ((1 << size) - 1)

    def read_many(self, size: int, count: int) -> NDArray[np.uint8]:
        """``count`` numbers of ``size`` <= 8 bits each as a uint8 array."""
        first, skipped = divmod(self._position, 8)
        self._advance(size * count)
        data = np.frombuffer(self._data, dtype=np.uint8)[first : (self._position + 7) // 8]
        bits = np.unpackbits(data)[skipped : skipped + size * count].reshape(count, size)
        return bits @ (1 << np.arange(size - 1, -1, -1)).astype(np.uint8)

    def _advance(self, size: int) -> None:
        self._position += size
        if self._position > self._end:
            raise LeftOutError("mask not readable", "its code is cut off")


def mask_from_brush(code: Any, size_hw: SizeHW) -> Mask:
    """Bytes as read from JSON to the (H, W) mask; raises LeftOutError if damaged or of another size."""
    height, width = size_hw
    if height * width > MAX_PIXELS:
        raise LeftOutError("mask not readable", f"of {height} x {width} px")
    bits = _BitReader(_as_bytes(code))
    length = bits.read(32)
    if length != height * width * 4:
        raise LeftOutError("mask not readable", f"{length} values for {height} x {width} px of four each")
    mask = np.zeros(height * width, dtype=bool)
    for start, stop, values in _runs(bits, length):
        first, last = start // 4, stop // 4  # the pixels whose alpha, the last of their four values, is in the run
        if not isinstance(values, int):
            mask[first:last] = values[first * 4 + 3 - start :: 4] > 0
        elif values:
            mask[first:last] = True
    return mask.reshape(height, width)


def brush_from_mask(mask: Mask) -> list[int]:
    """(H, W) bool -> code as Label Studio writes it, a list of ints in 0..255; all four values of a pixel are alike."""
    parts = [f"{4 * mask.size:032b}", f"{_WORD_BITS - 1:05b}", *(f"{size - 1:04b}" for size in _RUN_SIZES)]
    for index, run in enumerate(run_lengths(mask.ravel()).tolist()):
        word = ("1" if index % 2 else "0") * _WORD_BITS
        full, rest = divmod(4 * run, _LONGEST)
        parts += [_run_head(_LONGEST) + word] * full
        if rest:
            parts.append(_run_head(rest) + word)
    text = "".join(parts)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def _run_head(length: int) -> str:
    """The bits of a repeated run up to its word, with the smallest run size that holds it."""
    index = next(i for i, size in enumerate(_RUN_SIZES) if length <= 2**size)
    return f"1{index:02b}{length - 1:0{_RUN_SIZES[index]}b}"


def _as_bytes(code: Any) -> bytes:
    try:
        return bytes(code) if isinstance(code, list) else b""
    except (TypeError, ValueError) as error:
        raise LeftOutError("mask not readable", "its code holds something else than bytes") from error


def _runs(bits: _BitReader, length: int) -> Iterator[tuple[int, int, int | NDArray[np.uint8]]]:
    """(start, stop, value or array of values) of every run."""
    word = bits.read(5) + 1
    sizes = [bits.read(4) + 1 for _ in range(4)]
    if word > _WORD_BITS:
        raise LeftOutError("mask not readable", f"words of {word} bits")
    start = 0
    while start < length:
        repeated = bits.read(1)
        stop = start + 1 + bits.read(sizes[bits.read(2)])
        if stop > length:
            raise LeftOutError("mask not readable", "its code is longer than it says")
        yield start, stop, bits.read(word) if repeated else bits.read_many(word, stop - start)
        start = stop
