"""Whether what leaves a model's graphs is a number that something can follow from.

A model that breaks down, by an overflow or a damaged weight, must not look like one that found nothing: what is not
finite is dropped on the way from maps to findings, and offsets are clamped, so it is looked for where numbers leave a
graph, before anything is chosen. Runtimes hide it as well: OpenVINO's ReLU makes 0 of NaN.
"""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from segtumor.errors import NonFiniteOutputError

if TYPE_CHECKING:
    from typing_extensions import TypeIs

#: What a model says of one image: findings, a reading ...
Answer = TypeVar("Answer")

#: Of logits and offsets. Beyond it float32 has no fractions: neither a probability nor a pixel follows from that.
LARGEST_OUTPUT = 2.0**24
#: Of what lies between layers, which may be large.
LARGEST_FEATURE = math.sqrt(3.4e38)  # what is beyond it has no square in float32


def is_sound(array: np.ndarray, largest: float = LARGEST_OUTPUT) -> bool:
    """Whether every number of an array is finite and no larger than ``largest``; so is an array of none."""
    # As Python's floats: in 16 bits the limit itself would be infinite. NaN fails both.
    return not array.size or (-largest <= float(array.min()) and float(array.max()) <= largest)


def broken_output() -> NonFiniteOutputError:
    """What a model returns in place of its answer about an image on which it broke down."""
    return NonFiniteOutputError(
        "the model's output is NaN or infinite",
        remedy="Nothing is known of this radiograph; copy the weights or the export again, or use another model",
    )


def all_sound(found: Sequence[Answer | NonFiniteOutputError], names: Iterable[object]) -> list[Answer]:
    """What a model found, if it broke down on none of the images; else NonFiniteOutputError names those."""
    broken = [str(name) for name, answer in zip(names, found, strict=True) if is_broken(answer)]
    if broken:
        raise named(broken_output(), ", ".join(broken))
    return [answer for answer in found if not is_broken(answer)]


def is_broken(answer: object) -> "TypeIs[NonFiniteOutputError]":
    """Whether an answer stands for an image on which the model broke down."""
    return isinstance(answer, NonFiniteOutputError)


def named(error: NonFiniteOutputError, where: Any) -> NonFiniteOutputError:
    """The same error with the image that it is about."""
    return NonFiniteOutputError(error.what, where=where, remedy=error.remedy)
