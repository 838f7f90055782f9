"""Writing a comparison with published numbers: ``benchmark.csv``, ``.json``, ``.md`` and a self-contained ``.html``.

Not here: the rows (``segtumor.literature``, which this room must not import: it takes them as they are).
"""

import dataclasses
import shlex

from segtumor import NOTICE, __version__
from segtumor.files import prepare_output_folder, remove_files, write_csv, write_json, write_text
from segtumor.reporting.words.estimates import count_text, interval_text, value_cell
from segtumor.texts import is_undefined, markdown_table, markdown_text

_CLEAN = "ours, no shared cases"
_CSV_COLUMNS = (
    *("metric", "label", "value", "low", "high", "method", "n", "successes"),
    *("leak_free_value", "leak_free_low", "leak_free_high", "leak_free_n"),
    *("published", "published_ci", "published_n", "source", "verdict", "why"),
)
_SUFFIXES = ("csv", "json", "md", "html")
_BESIDE = "Our numbers beside the published ones"
_ALONE = "Our numbers without a published one"
_NOTES = "Why not comparable, or what to bear in mind"


def write_benchmark(rows, folder, *, title, sentences, provenance):
    """Write the rows of ``segtumor.literature.comparison.table.comparison_table``.

    Args:
        rows: list of Row.
        folder: created if needed.
        title: heading.
        sentences: what a reader must know first: data, leak, notes, assumptions.
        provenance: dict of dicts of plain values.

    Returns:
        list of the paths written.
    """
    table = [_csv_row(row) for row in rows]
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
    markdown, page = _markdown(title, sentences, rows), _page(title, sentences, rows, provenance)
    folder = prepare_output_folder(folder)
    table_path, json_path, markdown_path, page_path = paths = [folder / f"benchmark.{s}" for s in _SUFFIXES]
    remove_files(reversed(paths))
    write_csv(table_path, table, _CSV_COLUMNS)
    write_json(json_path, document)
    write_text(markdown_path, markdown)
    write_text(page_path, page)
    return paths


def estimate_text(estimate):
    """Value, interval and count of an Estimate, or a dash for None."""
    if estimate is None:
        return "–"
    if is_undefined(estimate.value):
        return value_cell(estimate)
    return f"{value_cell(estimate)} ({interval_text(estimate)}), {count_text(estimate)}"


def numbered_notes(rows):
    """{reason or caveat: its number}, in the order of the rows: most stand in many of them."""
    notes = dict.fromkeys(text for row in rows for text in (*row.reasons, *row.caveats))
    return {text: number for number, text in enumerate(notes, start=1)}


def answer_text(row, numbers):
    """Whether a Row may be compared, with the numbers of its notes: "no (1, 3)", "with caveat (2)", "yes"."""
    word = "no" if row.reasons else "with caveat" if row.caveats else "yes"
    named = ", ".join(map(str, sorted(numbers[text] for text in (*row.reasons, *row.caveats))))
    return f"{word} ({named})" if named else word


def _tables(rows):
    """(heading, columns, [(verdict, label, cells)]) of what is beside published numbers, and of what is not."""
    numbers = numbered_notes(rows)
    for heading, alone in ((_BESIDE, False), (_ALONE, True)):
        chosen = [row for row in rows if bool(row.published) != alone]
        if chosen:
            clean = any(row.leak_free is not None for row in chosen)
            columns = ("metric", "ours", *((_CLEAN,) if clean else ()))
            columns += () if alone else ("published", "source", "comparable")
            yield heading, columns, [(row.verdict, row.label, _cells(row, clean, alone, numbers)) for row in chosen]


def _cells(row, clean, alone, numbers):
    cells = (row.metric, estimate_text(row.ours), *((estimate_text(row.leak_free),) if clean else ()))
    if alone:
        return cells
    interval = f" ({row.published_ci})" if row.published_ci else ""
    n = f", {row.published_n}" if row.published_n else ""
    return (*cells, f"{row.published}{interval}{n}", row.source, answer_text(row, numbers))


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
        lines += [f"## {heading}", "", *markdown_table(columns, [texts for _, _, texts in cells]), ""]
    notes = numbered_notes(rows)
    if notes:
        lines += [f"## {_NOTES}", "", *(f"{number}. {markdown_text(text)}" for text, number in notes.items()), ""]
    return "\n".join([*lines, NOTICE, ""])


def _page(title, sentences, rows, provenance):
    from segtumor.reporting.pages.page import environment

    return (
        environment()
        .get_template("benchmark.html")
        .render(
            title=title,
            notice=NOTICE,
            version=__version__,
            sentences=sentences,
            tables=list(_tables(rows)),
            notes_heading=_NOTES,
            notes=list(numbered_notes(rows)),
            provenance={heading: _plain(content) for heading, content in provenance.items()},
        )
    )


def _plain(content):
    """Provenance as text: a command as one types it, lists and dicts without their brackets."""
    return {name: _value_text(name, value) for name, value in content.items()}


def _value_text(name, value):
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return shlex.join(map(str, value)) if name == "command" else ", ".join(map(str, value))
    return value
