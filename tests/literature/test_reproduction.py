"""A published table of classes beside ours: what the counts give, which columns fit, what is written."""

import csv

import numpy as np
import pytest

from segtumor.errors import DataError
from segtumor.literature.entries.reading import load_entries, load_entry
from segtumor.literature.reproduction import Column, beside, comparison_rows, printed_columns, write_reproduction

COUNTS = np.array([[9, 1], [2, 8]])


def ours(names=("normal", "tumour"), counts=COUNTS):
    return Column("ours", names, counts, "0.850 (0.640 to 0.948)")


def test_the_printed_table_of_alrabai():
    """Table 1: .7487 .7766 .7624 of normal, .7667 .7380 .7520 of tumour, accuracy .7573, AUC .8387."""
    (column,) = printed_columns(load_entries()["alrabai_2026"])
    rows = {row.name: row for row in column.rows}
    normal, tumour = ([getattr(rows[name], f) for f in ("precision", "recall", "f1")] for name in ("normal", "tumour"))
    assert normal == pytest.approx([0.7487, 0.7766, 0.7624], abs=5e-5)
    assert tumour == pytest.approx([0.7667, 0.7380, 0.7520], abs=5e-5)
    assert column.accuracy == "0.757 (0.711 to 0.798)" and column.auc == "0.8387"


def test_the_printed_tables_of_ahlawat():
    """Class-wise: F1 .92 .89 .87 of ResNet50, .84 .80 .66 of VGG19."""
    columns = printed_columns(load_entries()["resnet50_vgg19_tissue"])
    assert [column.title.rpartition(" ")[2] for column in columns] == ["ResNet50", "VGG19"]
    for column, printed in zip(columns, ([0.92, 0.89, 0.87], [0.84, 0.80, 0.66]), strict=True):
        assert [row.f1 for row in column.rows[:3]] == pytest.approx(printed, abs=5e-3)


def test_columns_stand_side_by_side():
    header, rows = comparison_rows([*printed_columns(load_entries()["alrabai_2026"]), ours()])
    assert header == ["", "Alrabai 2026, DenseNet121", "ours"]
    table = {row[0]: row[1:] for row in rows}
    assert table["tumour, recall"] == ["0.738", "0.800"] and table["images"] == ["375", "20"]
    assert table["AUC, tumour or not"] == ["0.8387", "–"]


def test_other_classes_are_not_set_beside():
    printed = printed_columns(load_entries()["resnet50_vgg19_tissue"])
    columns, sentence = beside(printed, [ours()])
    assert [column.title for column in columns] == ["ours"] and "Non-Viable-Tumor" in sentence
    fitting = ours(printed[0].names, np.eye(3, dtype=int))
    assert beside(printed, [fitting]) == ([*printed, fitting], None)


def test_what_is_written(tmp_path):
    entry = load_entries()["alrabai_2026"]
    written, lines = write_reproduction(entry, [ours()], tmp_path, sentences=["It was *tried*."])
    names = ["reproduction.md", "reproduction.csv", "confusion_1.png", "confusion_2.png", "roc.png"]
    assert [path.name for path in written] == names and all(path.stat().st_size for path in written)
    assert (tmp_path / "reproduction.md").read_text() == "\n".join(lines) + "\n" and lines[-1] == "- It was *tried*."
    with open(tmp_path / "reproduction.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows if row["model"] == "ours"][:2] == ["normal", "tumour"]


@pytest.mark.parametrize("counts", ["[[1, 2]]", "[[1, 2], [3, -1]]", "[[1, 2, 3], [4, 5, 6], [7, 8, 9]]", "7"])
def test_a_confusion_matrix_that_is_none_is_refused(tmp_path, counts):
    source = load_entries()["alrabai_2026"].path.read_text()
    path = tmp_path / "alrabai_2026.yaml"
    path.write_text(source.replace("[[146, 42], [49, 138]]}", f"{counts}}}"))
    with pytest.raises(DataError, match="confusions"):
        load_entry(path)
