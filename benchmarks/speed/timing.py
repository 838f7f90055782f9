"""Contenders that take turns, and the ratios of their times.

A B C A B C, not A A B B C C: what disturbs the machine for a while disturbs all of them.
"""

import logging
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(f"segtumor.{__name__}")  # below segtumor, whose messages commands show


@dataclass(frozen=True)
class Timing:
    """Seconds of one contender.

    Attributes:
        seconds: one number for each turn, the warm-up not among them.
        per: things done in a turn, images or steps; ``median_s`` and ``minimum_s`` are for one of them.
    """

    seconds: tuple[float, ...]
    per: int = 1

    @property
    def median_s(self):
        """Of the turns, for one thing; NaN without turns."""
        return statistics.median(self.seconds) / self.per if self.seconds else math.nan

    @property
    def minimum_s(self):
        """Of the turns, for one thing; NaN without turns."""
        return min(self.seconds) / self.per if self.seconds else math.nan


@dataclass(frozen=True)
class Contender:
    """Something to time: ``work``, a function without arguments, does ``per`` things."""

    work: Callable[[], object]
    per: int = 1


def take_turns(contenders, *, repeats, clock=time.perf_counter):
    """Time functions in turns: one turn of all that does not count, then ``repeats`` that do.

    Args:
        contenders: {name: Contender}.
        repeats: turns that count, from 1.
        clock: function that returns seconds.

    Returns:
        {name: Timing}.
    """
    seconds = {name: [] for name in contenders}
    for turn in range(repeats + 1):
        for name, contender in contenders.items():
            logger.info("%s: %s", "warm-up" if turn == 0 else f"turn {turn} of {repeats}", name)
            started = clock()
            contender.work()
            if turn:
                seconds[name].append(clock() - started)
    return {name: Timing(tuple(values), contenders[name].per) for name, values in seconds.items()}


def speedups(timings, baseline):
    """{name: how many times as fast as ``baseline``}, by medians; NaN where a time is unknown.

    Args:
        timings: {name: Timing}.
        baseline: one of the names.
    """
    of_baseline = timings[baseline].median_s
    return {name: of_baseline / timing.median_s if timing.median_s else math.nan for name, timing in timings.items()}
