"""What was measured, and on which machine: tables for a terminal and for documents, speed.md and speed.json.

Numbers are formatted where they are measured; here are only cells.
"""

import importlib.metadata
import math
import os
import platform
import re
import resource
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import torch

import segtumor
from segtumor import NOTICE
from segtumor.files import prepare_output_folder, write_json, write_text
from segtumor.system.versions import detectron2_version
from segtumor.texts import aligned_table, markdown_table, markdown_text

_PACKAGES = ("torch", "torchvision", "onnxruntime", "openvino", "numpy", "opencv-python-headless")
_WIDTH = 116


@dataclass(frozen=True)
class Table:
    """Attributes: title, columns (texts), rows (lists of texts), notes (sentences below it)."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """What one part of the benchmark found.

    Attributes:
        tables: for people.
        raw: plain values for JSON, times in seconds and memory in MiB.
        problems: sentences, one for each result that differs from what it must equal; empty if all is well.
    """

    tables: tuple[Table, ...]
    raw: dict = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def text_of(table):
    """The table as aligned lines."""
    notes = [textwrap.fill(note, _WIDTH, initial_indent="  ", subsequent_indent="  ") for note in table.notes]
    return "\n".join([table.title, "", *aligned_table([table.columns, *table.rows], rule=True), *notes])


def markdown_of(table):
    """The table as lines of Markdown, with a heading."""
    notes = [f"- {markdown_text(note)}" for note in table.notes]
    return "\n".join(
        [f"## {table.title}", "", *markdown_table(table.columns, table.rows), *([""] if notes else []), *notes]
    )


def milliseconds(seconds):
    """Text of a time: "12.3", "1,234"; "-" for NaN."""
    return "-" if math.isnan(seconds) else f"{1000 * seconds:,.{0 if seconds >= 0.1 else 1}f}"


def ratio(value):
    """Text of a ratio: "2.31 x"; "-" for NaN."""
    return "-" if math.isnan(value) else f"{value:.2f} x"


def describe_machine(threads):
    """Plain values: versions (None where a package is not installed), processor, cores, threads.

    Args:
        threads: that each contender may use.
    """
    versions = {"segtumor": segtumor.__version__, "detectron2": detectron2_version()}
    return {
        "versions": {**versions, **{name: version_of(name) for name in _PACKAGES}},
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "torch_instructions": torch.backends.cpu.get_cpu_capability(),
    }


def version_of(distribution):
    """Version of an installed package, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def sentence(machine) -> str:
    """``describe_machine`` in two lines."""
    versions = ", ".join(f"{name} {version or '(not installed)'}" for name, version in machine["versions"].items())
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, {machine['system']}, "
        f"Python {machine['python']}\n{versions}"
    )


def peak_memory_mib():
    """The most memory that this process has held, MiB.

    From /proc where there is one: ``getrusage`` counts the memory of the parent that a process was forked from.
    """
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="ascii")) if status.exists() else None
    kib = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / 1024


def _processor():
    """Name of the processor, as the system gives it."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text(encoding="utf-8")) if info.exists() else None
    return found[1].strip() if found else platform.processor() or "unknown processor"


def text_report(machine, parts):
    """Machine, then the tables.

    Args:
        machine: ``describe_machine``.
        parts: {name: Part}.
    """
    return "\n\n".join([sentence(machine), *(text_of(table) for part in parts.values() for table in part.tables)])


def write_report(folder, machine, parts) -> None:
    """Write speed.md and speed.json into ``folder``, which is made if needed; arguments as ``text_report``.

    Raises:
        OutputError: it cannot be written.
    """
    folder = prepare_output_folder(folder)
    tables = [markdown_of(table) for part in parts.values() for table in part.tables]
    lines = ["# Speed", "", *sentence(machine).replace("\n", "\n\n").splitlines(), "", NOTICE, ""]
    write_text(folder / "speed.md", "\n".join([*lines, "\n\n".join(tables), ""]))
    raw = {name: part.raw for name, part in parts.items()}
    problems = [problem for part in parts.values() for problem in part.problems]
    write_json(folder / "speed.json", {"machine": machine, "parts": raw, "problems": problems})
