"""What commands show of long work and of its results: progress, tables, remarks by kind. Nothing is computed here."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Self, TypeVar

from segtumor.annotations.remarks import Remark
from segtumor.escaping import printable
from segtumor.progress import Progress, bar, on_terminal
from segtumor.texts import aligned_table

_EXAMPLES_SHOWN = 3
_T = TypeVar("_T")


def progress_bar(what: str, unit: str = "image") -> Progress:
    """Wraps what is iterated: a bar with rate and time left on a terminal; elsewhere nothing."""
    return lambda items: bar(items, None, what, unit=unit, leave=True)


class CaseProgress:
    """A bar on a terminal, else a plain line every tenth of the way; called with the number of cases done."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.bar: Any = None

    def __enter__(self) -> Self:
        if on_terminal():
            from tqdm import tqdm

            self.bar = tqdm(total=self.total, unit="case", desc="phantoms")
        return self

    def __call__(self, done: int) -> None:
        if self.bar is not None:
            self.bar.update(done - self.bar.n)
        elif done == self.total or done * 10 // self.total > (done - 1) * 10 // self.total:
            print(f"phantoms: {done}/{self.total} cases", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()


def step_progress(what: str, items: Iterable[_T]) -> Iterable[_T]:
    """``progress`` of ``study`` and ``compare``: a bar of steps on a terminal; elsewhere nothing."""
    return progress_bar(what, unit="step")(items)


def print_table(header: Sequence[Any], rows: Iterable[Sequence[Any]]) -> None:
    """Rows of cells under their header, first column to the left, the others to the right."""
    print(*aligned_table([[printable(cell) for cell in row] for row in (header, *rows)]), sep="\n")


def print_remarks(title: str, remarks: Iterable[Remark]) -> None:
    """Remarks by kind: how many, and the first of them by image."""
    by_kind: dict[str, list[Remark]] = {}
    for remark in remarks:
        by_kind.setdefault(remark.kind, []).append(remark)
    print(f"{title}:" if by_kind else f"{title}: nothing")
    for kind, group in by_kind.items():
        shown = [_shown(remark) for remark in group[:_EXAMPLES_SHOWN]]
        more = ", ..." if len(group) > _EXAMPLES_SHOWN else ""
        print(f"  {len(group):>5}  {kind}: {', '.join(shown)}{more}")


def _shown(remark: Remark) -> str:
    if not remark.image:
        return printable(remark.detail)
    return printable(f"{remark.image} ({remark.detail})" if remark.detail else remark.image)
