"""Whether what leaves a model's graphs is a number that something can follow from.

A model that breaks down, by an overflow or a damaged weight, must not look like one that found nothing: what is not
finite is dropped on the way from maps to findings, and offsets are clamped, so it is looked for where numbers leave a
graph, before anything is chosen. Runtimes hide it as well: OpenVINO's ReLU makes 0 of NaN.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from segtumor.errors import NonFiniteOutputError

#: Of logits and offsets. Beyond it float32 has no fractions: neither a probability nor a pixel follows from that.
LARGEST_OUTPUT = 2.0**24
#: Of what lies between layers, which may be large.
LARGEST_FEATURE = math.sqrt(3.4e38)  # what is beyond it has no square in float32


def is_sound(array: np.ndarray, largest: float = LARGEST_OUTPUT) -> bool:
    """Whether every number of an array is finite and no larger than ``largest``; so is an array of none."""
    # As Python's floats: in 16 bits the limit itself would be infinite. NaN fails both.
    return not array.size or (-largest <= float(array.min()) and float(array.max()) <= largest)


def broken_output() -> NonFiniteOutputError:
    """What a detector returns in place of the findings of an image on which the model broke down."""
    return NonFiniteOutputError(
        "the model's output is NaN or infinite",
        remedy="Nothing is known of this radiograph; copy the weights or the export again, or use another model",
    )


def all_sound(found: list, names: Iterable[Any]) -> list:
    """What a detector found, if the model broke down on none of the images.

    Args:
        found: what ``detect`` returned.
        names: of the images.

    Raises:
        NonFiniteOutputError: names the images.
    """
    broken = [str(name) for name, findings in zip(names, found, strict=True) if is_broken(findings)]
    if broken:
        raise named(broken_output(), ", ".join(broken))
    return found


def is_broken(findings: Any) -> bool:
    """Whether an item of what ``detect`` returns stands for an image on which the model broke down."""
    return isinstance(findings, NonFiniteOutputError)


def named(error: NonFiniteOutputError, where: Any) -> NonFiniteOutputError:
    """The same error with the image that it is about."""
    return NonFiniteOutputError(error.what, where=where, remedy=error.remedy)
