"""A header's display settings: its VOI tables, then its windows (PS3.3 C.11.2), else percentiles; how each is applied.

They are made for a monitor and change no measurement: one that is of no use (width 0, text, a table of another length)
is passed over and reported, and the radiograph is not lost for it. Not here: the modality table and rescaling, which do
change the values (``gray``). Left out: palettes and presentation tables.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segtumor.arrays import Array, GrayImage, Mask
from segtumor.imaging.dicom.elements import items_of, numbers, word
from segtumor.imaging.intensity import linear_window, sparse_sample

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

KEYWORDS = ("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction")

_TABLE, _WINDOW, _NARROW_WINDOW = "VOI look-up table", "window", "window narrower than 1"
_NARROW = {_NARROW_WINDOW: "DICOM window narrower than 1: taken as LINEAR_EXACT"}
_MOST_TRIED = 8
_SAMPLE = 100_000
#: A setting that leaves fewer gray values, or a narrower range of [0, 1], shows nothing; the model would see noise.
_FEWEST_LEVELS, _LEAST_RANGE = 8, 1 / 64
_MOST_ENTRIES = 0x10000
FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def voi_pixels(
    header: "Dataset", values: Array, padding: Mask | None, little_endian: bool
) -> tuple[GrayImage | None, str | None]:
    """((H, W) float32 in [0, 1] as the header wants its modality values shown, None without a setting; a remark).

    ``padding``, (H, W) bool, are pixels that are not a measurement.
    """
    passed_over: list[str] = []
    for name, setting in itertools.islice(_settings(header, values, little_endian), _MOST_TRIED):
        fault = setting
        if not isinstance(setting, str):
            pixels = setting()
            if pixels is not None and _shows(pixels, values, padding):
                another = "another" if passed_over and passed_over[-1].startswith(name) else "the"
                return pixels, _remark(passed_over, f"{another} {name} is") or _NARROW.get(name)
            fault = "of no use" if pixels is None else "that leaves a blank picture"
        passed_over.append(f"{name} {fault}")
    return None, _remark(passed_over, "percentiles are")


def _remark(passed_over: list[str], instead: str) -> str | None:
    return f"DICOM {passed_over[0]}: {instead} used instead" if passed_over else None


def _settings(
    header: "Dataset", values: Array, little_endian: bool
) -> Iterator[tuple[str, str | Callable[[], GrayImage | None]]]:
    """(name, what is wrong with it or a function of nothing -> pixels or None) of each, the preferred ones first."""
    for item in items_of(header, "VOILUTSequence"):
        yield _TABLE, functools.partial(_looked_up, item, values, little_endian)
    function = word(header, "VOILUTFunction") or "LINEAR"
    pairs = itertools.zip_longest(numbers(header, "WindowCenter"), numbers(header, "WindowWidth"))
    for center, width in pairs:
        fault = _window_fault(center, width, function)
        if fault is not None or center is None or width is None:
            yield _WINDOW, fault or ""
        elif function == "LINEAR" and width < 1:  # C.11.2.1.2.1 forbids it, rescaled values of a small range need it
            yield _NARROW_WINDOW, functools.partial(apply_window, values, center, width, "LINEAR_EXACT")
        else:
            yield _WINDOW, functools.partial(apply_window, values, center, width, function)


def _window_fault(center: float | None, width: float | None, function: str) -> str | None:
    if function not in FUNCTIONS:
        return "of an unknown function"
    if center is None or width is None:
        return "without a centre" if center is None else "without a width"
    if width <= 0 or not math.isfinite(abs(center) + width):
        return f"of width {width:g}"
    return None


def _looked_up(item: "Dataset", values: Array, little_endian: bool) -> GrayImage | None:
    found = look_up(item, values, little_endian)
    return None if found is None else found[0].astype(np.float32) / np.float32(found[1])


def _shows(pixels: GrayImage, values: Array, padding: Mask | None) -> bool:
    """Whether what differs in ``values`` still differs in ``pixels``."""
    shown, before = (sparse_sample(array, _SAMPLE, without=padding) for array in (pixels, values))
    levels = np.unique(before).size
    if levels == 1:
        levels, shown, before = 2, pixels, values  # the little that differs lies between the samples, if anything
        if before.min() == before.max():
            return True
    if np.unique(shown).size < min(_FEWEST_LEVELS, levels):
        return False
    ends = (0.5, 99.5) if np.ptp(np.percentile(before, (0.5, 99.5))) > 0 else (0, 100)
    return float(np.ptp(np.percentile(shown, ends))) >= _LEAST_RANGE


def apply_window(values: Array, center: float, width: float, function: str = "LINEAR") -> GrayImage:
    """(H, W) float32 in [0, 1] by the VOI window functions of PS3.3 C.11.2.1.2 and C.11.2.1.3, see FUNCTIONS.

    ``center`` and ``width`` are in units of ``values``; width >= 1 for LINEAR, > 0 for the others.
    """
    if function == "SIGMOID":  # 1 / (1 + exp(-4 (x - c) / w)), in a form that cannot overflow
        with np.errstate(over="ignore"):
            return (0.5 + 0.5 * np.tanh(2 * (values - np.float64(center)) / width)).astype(np.float32)
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width == 0:
        return (values > center).astype(np.float32)
    return linear_window(values, center - width / 2, center + width / 2)


def look_up(item: "Dataset", values: Array, little_endian: bool) -> tuple[NDArray[np.uint16], int] | None:
    """Map ``values`` by a table; those below and above take its first and last entry.

    pydicom's own function casts the index to the type of the table, which wraps 12-bit values in an 8-bit table.

    Args:
        item: the sequence item with LUTDescriptor and LUTData.
        values: (H, W).
        little_endian: byte order of tables that are stored as bytes.

    Returns:
        ((H, W) uint16 output, highest possible output); None for a table that is absent, empty, of another length than
        it says, or with numbers out of range.
    """
    descriptor = _descriptor(item)
    if descriptor is None:
        return None
    entries, first, bits = descriptor
    table = _table(item, entries, bits, little_endian)
    if table is None:
        return None
    if first >= 0x8000 and values.min() < 0:  # a signed number in a field that pydicom takes for unsigned
        first -= 0x10000
    index = np.clip(np.rint(values - np.float64(first)), 0, table.size - 1).astype(np.int32)
    return table[index], max(2**bits - 1, int(table.max()))


def _descriptor(item: "Dataset") -> tuple[int, int, int] | None:
    """(entries, first mapped value, bits); None if they are not numbers or out of range."""
    try:
        entries, first, bits = (int(number) for number in item.LUTDescriptor)
    except Exception:  # noqa: BLE001 - absent, text, of another length; pydicom raises kinds of its own
        return None
    entries = (entries & 0xFFFF) or _MOST_ENTRIES  # 0 stands for 65,536
    return (entries, first, bits) if 0 < bits <= 16 and -_MOST_ENTRIES <= first <= _MOST_ENTRIES else None


def _table(item: "Dataset", entries: int, bits: int, little_endian: bool) -> NDArray[np.uint16] | None:
    try:
        data = item.get("LUTData")
        if isinstance(data, bytes):
            packed = bits == 8 and len(data) <= entries + 1
            data = np.frombuffer(data[: 2 * entries], dtype="u1" if packed else "<u2" if little_endian else ">u2")
        table = np.asarray(data, dtype=np.int64).ravel()
        if bits == 8 and table.size == (entries + 1) // 2 and table.size and table.min() >= 0 and table.max() <= 0xFFFF:
            table = table.astype("<u2").view(np.uint8).astype(np.int64)  # two entries in each word
    except Exception:  # noqa: BLE001 - absent, text, numbers out of range; pydicom raises kinds of its own
        return None
    table = table[:entries]
    if table.size != entries or table.min() < 0 or table.max() > 0xFFFF:
        return None
    return table.astype(np.uint16)
