"""What was measured, for a terminal and for files: speed.md and speed.json."""

from segtumor import NOTICE
from segtumor.files import prepare_output_folder, write_json, write_text
from segtumor.training.speed.machine import sentence
from segtumor.training.speed.tables import markdown_of, text_of


def text_report(machine, parts):
    """Machine, then the tables.

    Args:
        machine: ``machine.describe_machine``.
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
