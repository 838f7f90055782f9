"""Progress for people: a bar with the time left on a terminal, plain lines elsewhere. Core: no torch, no Detectron2."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

SECONDS_BETWEEN_LINES = 15
_T = TypeVar("_T")

logger = logging.getLogger(__name__)


class Progress(Protocol):
    """Wraps what long work goes through, to show how far it has come, as tqdm does; ``iter`` shows nothing."""

    def __call__(self, items: Iterable[_T], /) -> Iterable[_T]:
        """The same items in the same order."""
        ...


class StepProgress(Protocol):
    """Like ``Progress``, for work of several steps, each with a name."""

    def __call__(self, step: str, items: Iterable[_T], /) -> Iterable[_T]:
        """The same items in the same order."""
        ...


def silent(step: str, items: Iterable[_T], /) -> Iterable[_T]:
    """A StepProgress that shows nothing."""
    return items


def on_terminal() -> bool:
    """Whether standard error, where progress is shown, is a terminal; it may be missing, or closed."""
    try:
        return bool(sys.stderr.isatty())
    except (AttributeError, ValueError):
        return False


def bar(
    items: Iterable[_T], total: int | None, description: str, *, unit: str = "batch", leave: bool = False
) -> Iterable[_T]:
    """The items with a progress bar on a terminal, as they are elsewhere.

    Args:
        items: what is gone through.
        total: how many; None where the items know.
        description: shown before the bar.
        unit: what an item is called.
        leave: whether the bar stays when it is full.
    """
    if not on_terminal():
        return items
    from tqdm import tqdm

    return tqdm(items, total=total, desc=description, unit=unit, leave=leave)


def files(items: Iterable[_T], total: int) -> Iterator[_T]:
    """The items, made of one file each, with a bar on a terminal and a line every few seconds elsewhere."""
    if on_terminal():
        from tqdm import tqdm

        yield from tqdm(items, total=total, unit="file", dynamic_ncols=True)
        return
    started = last_line = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - last_line > SECONDS_BETWEEN_LINES:
            last_line = time.monotonic()
            logger.info("%d of %d files, %.2f s per file", done, total, (last_line - started) / done)
