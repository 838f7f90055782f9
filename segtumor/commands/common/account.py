"""How commands tell of long work and of what became of it: progress bars, tables and remarks."""

from segtumor.escaping import printable
from segtumor.progress import on_terminal
from segtumor.texts import aligned_table

_EXAMPLES_SHOWN = 3


def progress_bar(what, unit: str = "image"):
    """Wraps what is iterated: a bar with rate and time left on a terminal; elsewhere nothing."""
    if not on_terminal():
        return iter
    from tqdm import tqdm

    return lambda items: tqdm(items, desc=what, unit=unit)


def print_table(header, rows) -> None:
    """Rows of cells under their header, first column to the left, the others to the right."""
    print(*aligned_table([[printable(cell) for cell in row] for row in (header, *rows)]), sep="\n")


def print_remarks(title, remarks) -> None:
    """Remarks by kind: how many, and the first of them by image."""
    if not remarks:
        print(f"{title}: nothing")
        return
    print(f"{title}:")
    by_kind = {}
    for remark in remarks:
        by_kind.setdefault(remark.kind, []).append(remark)
    for kind, group in by_kind.items():
        shown = [_shown(remark) for remark in group[:_EXAMPLES_SHOWN]]
        more = ", ..." if len(group) > _EXAMPLES_SHOWN else ""
        print(f"  {len(group):>5}  {kind}: {', '.join(shown)}{more}")


def _shown(remark):
    if not remark.image:
        return printable(remark.detail)
    return printable(f"{remark.image} ({remark.detail})" if remark.detail else remark.image)
