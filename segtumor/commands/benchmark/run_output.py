"""What ``segtumor benchmark run`` prints: sentences, our numbers beside the published ones, and the reasons by number.

Not here: the files, which hold the reasons in full in every row (``segtumor.literature.comparison.files``).
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from segtumor.texts import is_undefined, wrapped_table

if TYPE_CHECKING:  # would delay --help
    from segtumor.evaluation.study.values import Estimate
    from segtumor.literature.comparison.table import ComparedNumber

_WIDTH = 110


def output_lines(rows: Sequence["ComparedNumber"], sentences: Iterable[str]) -> Iterator[str]:
    """Lines of text.

    Args:
        rows: of ``segtumor.literature.comparison.table``.
        sentences: what a reader must know first.
    """
    from segtumor.literature.comparison.files import numbered_notes

    numbers = numbered_notes(rows)
    beside = [row for row in rows if row.published]
    alone = [row for row in rows if not row.published]
    for sentence in sentences:
        yield textwrap.fill(sentence, _WIDTH, initial_indent="- ", subsequent_indent="  ")
    if beside:
        yield from ("", *_beside_lines(beside, numbers))
    if alone:
        yield from ("", "Without a published number:", *_alone_lines(alone))
    if numbers:
        yield from ("", "Why not comparable, or what to bear in mind:")
    for text, number in numbers.items():
        yield textwrap.fill(text, _WIDTH, initial_indent=f"{number:>3}. ", subsequent_indent="     ")


def _beside_lines(rows: Sequence["ComparedNumber"], numbers: Mapping[str, int]) -> Iterator[str]:
    from segtumor.literature.comparison.files import answer_text

    leaks = any(row.leak_free for row in rows)
    header = ("metric", "ours", *(("no shared cases",) if leaks else ()), "published", "source", "comparable")
    cells: list[tuple[str, ...]] = []
    last = None
    for row in rows:
        same = row.metric == last  # a second source for the same number of ours
        ours = ("", "") if same else (row.metric, _number(row.ours))
        clean = ("" if same else _number(row.leak_free),) if leaks else ()
        published = row.published.replace("that is, ", "") + (f" ({row.published_ci})" if row.published_ci else "")
        cells.append((*ours, *clean, published, row.source, answer_text(row, numbers)))
        last = row.metric
    shares = (60, 24, *((24,) if leaks else ()), 26, 30, 20)  # the names of the metrics are not broken
    return wrapped_table(header, cells, shares=shares)


def _alone_lines(rows: Sequence["ComparedNumber"]) -> Iterator[str]:
    from segtumor.reporting.words.estimates import count_text

    leaks = any(row.leak_free for row in rows)
    header = ("metric", "ours", *(("no shared cases",) if leaks else ()), "n")
    cells = [
        (
            row.metric,
            _number(row.ours),
            *((_number(row.leak_free),) if leaks else ()),
            count_text(row.ours) if row.ours else "",
        )
        for row in rows
    ]
    return wrapped_table(header, cells, shares=(60, 30, *((30,) if leaks else ()), 30))


def _number(estimate: "Estimate | None") -> str:
    """Value with its interval; a dash for None."""
    from segtumor.reporting.words.estimates import interval_text, number_text

    if estimate is None:
        return "–"
    return number_text(estimate) + ("" if is_undefined(estimate.value) else f" ({interval_text(estimate)})")
