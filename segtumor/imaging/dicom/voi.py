"""Which of a header's display settings is used: its VOI tables, then its windows (PS3.3 C.11.2), else percentiles.

They are made for a monitor and change no measurement: one that is of no use (width 0, text, a table of another length)
is passed over and named, and the radiograph is not lost for it. Not here: the modality table and rescaling, which do
change the values (``gray``).
"""

import itertools
import math

import numpy as np

from segtumor.imaging.dicom.elements import items_of, numbers, word
from segtumor.imaging.dicom.tables import look_up
from segtumor.imaging.dicom.window import FUNCTIONS, apply_window
from segtumor.imaging.intensity import sparse_sample

KEYWORDS = ("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction")

_TABLE, _WINDOW, _NARROW_WINDOW = "VOI look-up table", "window", "window narrower than 1"
_NARROW = {_NARROW_WINDOW: "DICOM window narrower than 1: taken as LINEAR_EXACT"}
_MOST_TRIED = 8
_SAMPLE = 100_000
#: A setting that leaves fewer gray values, or a narrower range of [0, 1], shows nothing; the model would see noise.
_FEWEST_LEVELS, _LEAST_RANGE = 8, 1 / 64


def voi_pixels(header, values, padding, little_endian):
    """Modality values as the header wants them shown.

    Args:
        header: pydicom Dataset.
        values: (H, W) modality values.
        padding: (H, W) bool, pixels that are no measurement, or None.
        little_endian: byte order of tables that are stored as bytes.

    Returns:
        ((H, W) float32 in [0, 1], or None where nothing of use is there; remark, or None).
    """
    passed_over = []
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


def _remark(passed_over, instead):
    return f"DICOM {passed_over[0]}: {instead} used instead" if passed_over else None


def _settings(header, values, little_endian):
    """(name, what is wrong with it or a function of nothing -> pixels or None) of each, the preferred ones first."""
    for item in items_of(header, "VOILUTSequence"):
        yield _TABLE, lambda item=item: _looked_up(item, values, little_endian)
    function = word(header, "VOILUTFunction") or "LINEAR"
    pairs = itertools.zip_longest(numbers(header, "WindowCenter"), numbers(header, "WindowWidth"))
    for center, width in pairs:
        fault = _window_fault(center, width, function)
        if fault is not None:
            yield _WINDOW, fault
        elif function == "LINEAR" and width < 1:  # C.11.2.1.2.1 forbids it, rescaled values of a small range need it
            yield _NARROW_WINDOW, lambda c=center, w=width: apply_window(values, c, w, "LINEAR_EXACT")
        else:
            yield _WINDOW, lambda c=center, w=width: apply_window(values, c, w, function)


def _window_fault(center, width, function):
    if function not in FUNCTIONS:
        return "of an unknown function"
    if center is None or width is None:
        return "without a centre" if center is None else "without a width"
    if width <= 0 or not math.isfinite(abs(center) + width):
        return f"of width {width:g}"
    return None


def _looked_up(item, values, little_endian):
    found = look_up(item, values, little_endian)
    return None if found is None else found[0].astype(np.float32) / np.float32(found[1])


def _shows(pixels, values, padding):
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
