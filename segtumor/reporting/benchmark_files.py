"""Writing a comparison with published numbers: ``benchmark.csv``, ``.json``, ``.md`` and a self-contained ``.html``.

Not here: the rows (``segtumor.benchmark``, which this room must not import: it takes them as they are).
"""

import dataclasses

from segtumor import NOTICE, __version__
from segtumor.files import prepare_output_folder, write_csv, write_json, write_text
from segtumor.reporting.markdown import markdown_table, markdown_text
from segtumor.reporting.study_text import count_text, interval_text, is_undefined, value_cell

_CLEAN = "ours, no shared cases"
_CSV_COLUMNS = (
    *("metric", "label", "value", "low", "high", "method", "n", "successes"),
    *("leak_free_value", "leak_free_low", "leak_free_high", "leak_free_n"),
    *("published", "published_ci", "published_n", "source", "verdict", "why"),
)
_BESIDE = "Our numbers beside the published ones"
_ALONE = "Our numbers without a published one"


def write_benchmark(rows, folder, *, title, sentences, provenance):
    """Write the rows of ``segtumor.benchmark.table.comparison_table``.

    Args:
        rows: list of Row.
        folder: created if needed.
        title: heading.
        sentences: what a reader must know first: data, leak, notes, assumptions.
        provenance: dict of dicts of plain values.

    Returns:
        list of the paths written.
    """
    folder = prepare_output_folder(folder)
    table = [_csv_row(row) for row in rows]
    write_csv(folder / "benchmark.csv", table, _CSV_COLUMNS)
    document = {
        "schema_version": 1,
        "segtumor_version": __version__,
        "notice": NOTICE,
        "title": title,
        "sentences": list(sentences),
        "provenance": provenance,
        "rows": [
            {**cells, "reasons": list(row.reasons), "caveats": list(row.caveats)}
            for cells, row in zip(table, rows, strict=True)
        ],
    }
    write_json(folder / "benchmark.json", document)
    write_text(folder / "benchmark.md", _markdown(title, sentences, rows))
    write_text(folder / "benchmark.html", _page(title, sentences, rows, provenance))
    return [folder / f"benchmark.{suffix}" for suffix in ("csv", "json", "md", "html")]


def estimate_text(estimate):
    """Value, interval and count of an Estimate, or a dash for None."""
    if estimate is None:
        return "–"
    if is_undefined(estimate.value):
        return value_cell(estimate)
    return f"{value_cell(estimate)} ({interval_text(estimate)}), {count_text(estimate)}"


def _tables(rows):
    """(heading, columns, [(whether comparable, cells)]) of what is beside published numbers, and of what is not."""
    for heading, alone in ((_BESIDE, False), (_ALONE, True)):
        chosen = [row for row in rows if bool(row.published) != alone]
        if chosen:
            clean = any(row.leak_free is not None for row in chosen)
            columns = ("metric", "ours", *((_CLEAN,) if clean else ()))
            columns += () if alone else ("published", "source", "comparable", "why not, or what to bear in mind")
            yield heading, columns, [(row.verdict == "comparable", _cells(row, clean, alone)) for row in chosen]


def _cells(row, clean, alone):
    cells = (row.metric, estimate_text(row.ours), *((estimate_text(row.leak_free),) if clean else ()))
    if alone:
        return cells
    interval = f" ({row.published_ci})" if row.published_ci else ""
    n = f", {row.published_n}" if row.published_n else ""
    return (*cells, f"{row.published}{interval}{n}", row.source, "no" if row.reasons else "yes", row.why)


def _csv_row(row):
    cells = {name: getattr(row, name) for name in _CSV_COLUMNS if hasattr(row, name)}
    for prefix, estimate in (("", row.ours), ("leak_free_", row.leak_free)):
        values = dataclasses.asdict(estimate) if estimate is not None else {}
        for name in ("value", "low", "high", "method", "n", "successes"):
            if prefix + name in _CSV_COLUMNS:
                value = values.get(name)
                cells[prefix + name] = None if isinstance(value, float) and is_undefined(value) else value
    return cells


def _markdown(title, sentences, rows):
    lines = [f"# {markdown_text(title)}", "", *(f"- {markdown_text(sentence)}" for sentence in sentences), ""]
    for heading, columns, cells in _tables(rows):
        lines += [f"## {heading}", "", *markdown_table(columns, [texts for _, texts in cells]), ""]
    return "\n".join([*lines, NOTICE, ""])


def _page(title, sentences, rows, provenance):
    from segtumor.reporting.pages import environment

    return (
        environment()
        .get_template("benchmark.html")
        .render(
            title=title,
            notice=NOTICE,
            version=__version__,
            sentences=sentences,
            tables=list(_tables(rows)),
            provenance=provenance,
        )
    )
