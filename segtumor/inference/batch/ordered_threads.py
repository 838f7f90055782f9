"""Work in threads behind an iterator, in order and with a bound on what is waiting."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_background(
    function: Callable[[_Item], _Result],
    items: Iterable[_Item],
    *,
    workers: int,
    ahead: int,
    finish: bool = False,
) -> Generator[_Result, None, None]:
    """``map(function, items)`` in threads.

    Results come in the order of the items. Whether the first is there is looked at after each item that was taken, so
    it waits for at least one more, and at most ``ahead`` more are started before it is handed out: however many items
    there are, no more than that is in memory.

    Args:
        function: called in a thread; what it raises is raised here, in its turn.
        items: iterated in the calling thread.
        workers: threads; 0 calls ``function`` in the calling thread.
        ahead: at least 0.
        finish: whether, when ``items`` raises or the user interrupts, the results that were started come out first.
    """
    if workers == 0:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="segtumor")
    waiting: deque[Future[_Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            while waiting and (waiting[0].done() or len(waiting) > ahead):
                yield _first(waiting)
        while waiting:
            yield _first(waiting)
    except (Exception, KeyboardInterrupt, SystemExit):  # not GeneratorExit, after which nothing may be handed out
        while finish and waiting:
            yield _first(waiting)
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _first(waiting: deque[Future[_Result]]) -> _Result:
    """The oldest result; it is taken from ``waiting`` only once it is there, in case the user interrupts."""
    result = waiting[0].result()
    waiting.popleft()
    return result
