"""The files of a study: every table, empty cells for the undefined, and nothing half written."""

import csv
import dataclasses
import math
import os
from pathlib import Path

import numpy as np
import pytest
from fake_study import fake_study, some_results

from segtumor.errors import OutputError
from segtumor.evaluation.study.stages import StageRow
from segtumor.reporting.files.study_files import write_study


@pytest.fixture(scope="module", autouse=True)
def pictures():
    """Names in place of pictures, whose drawing takes nearly all the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segtumor.reporting.pages.study_figures.StudyFigure.png", lambda self: self.name.encode())
        for module in ("files.evaluation_files", "pages.study_figures"):
            patch.setattr(f"segtumor.reporting.{module}.png_bytes", lambda draw, **_: b"")
        yield


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def written(pictures, tmp_path_factory):
    study = fake_study()
    folder = tmp_path_factory.mktemp("study")
    return study, {path.name: path for path in write_study(study, folder, provenance={}, title="T")}


def test_every_file_is_there(written):
    study, paths = written
    curves = {f"curve_{name}.csv" for name in study.curves}
    others = {"estimates.csv", "subgroups.csv", "tests.csv", "per_case.csv", "report.html"}
    assert set(paths) == curves | others | {"confusion_image_class.csv", "confusion_patient_class.csv"} | {
        "image_class_table.csv",
        "patient_class_table.csv",
    }
    assert all(path.is_file() for path in paths.values())


def test_estimates_and_subgroups_keep_full_precision(written):
    study, paths = written
    rows = rows_of(paths["estimates.csv"])
    assert [row["name"] for row in rows] == [e.name for e in study.estimates]
    assert [float(row["value"]) for row in rows] == [e.value for e in study.estimates]
    subgroups = rows_of(paths["subgroups.csv"])
    assert [(row["field"], row["level"]) for row in subgroups] == [(s.field, s.level) for s in study.subgroups]
    assert {row["value"] for row in subgroups if row["field"] == "age"} == {""}


def test_nothing_undefined_is_written_as_nan(written):
    for name, path in written[1].items():
        if name.endswith(".csv"):
            cells = [cell for row in rows_of(path) for cell in row.values()]
            assert not {"nan", "NaN"} & set(cells), name


def test_curves_as_tables(written):
    study, paths = written
    roc = rows_of(paths["curve_roc_image.csv"])
    assert [float(row["sensitivity"]) for row in roc] == study.curves["roc_image"].sensitivity.tolist()
    bins = rows_of(paths["curve_reliability.csv"])
    assert [float(row["count"]) for row in bins] == np.asarray(study.curves["reliability"].counts).tolist()
    assert (bins[0]["bin_low"], bins[-1]["bin_high"]) == ("0.0", "1.0")
    assert len(rows_of(paths["curve_froc.csv"])) == len(study.curves["froc"].sensitivity)


def test_steps_are_a_table_of_models_that_judge_images(tmp_path):
    study = dataclasses.replace(fake_study(), stages=(StageRow("tumour or not", 8, 0.75, 0.5, 1.0, math.nan),))
    paths = write_study(study, tmp_path, provenance={})
    assert (tmp_path / "stages.csv").read_text().splitlines()[1] == "tumour or not,8,0.75,0.5,1.0,"
    page = paths[-1].read_text()
    assert "Tumour or not, then which" in page and '<th scope="row">tumour or not</th><td>0.750</td>' in page
    write_study(fake_study(), tmp_path, provenance={})
    assert not (tmp_path / "stages.csv").exists()


def test_confusion_as_table(written):
    study, paths = written
    names, counts = study.confusions["image_class"]
    rows = rows_of(paths["confusion_image_class.csv"])
    assert [row["true"] for row in rows] == list(names)
    assert [[int(row[f"predicted {name}"]) for name in names] for row in rows] == counts.tolist()


@pytest.mark.parametrize("n_images", [0, 1])
def test_studies_of_nothing_are_written_too(tmp_path, n_images):
    paths = write_study(fake_study(some_results(n_images)), tmp_path / "new" / "folder", provenance={})
    assert paths[-1].name == "report.html"
    assert len(rows_of(tmp_path / "new" / "folder" / "per_case.csv")) == n_images


def test_what_an_earlier_study_left_and_this_one_lacks_is_deleted(tmp_path):
    write_study(fake_study(), tmp_path, provenance={})
    (tmp_path / "curve_mine.csv").write_text("kept", encoding="utf-8")
    paths = write_study(fake_study([]), tmp_path, provenance={})
    assert sorted(tmp_path.iterdir()) == sorted([*paths, tmp_path / "curve_mine.csv"])


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError):
        write_study(fake_study([]), tmp_path / "file", provenance={})


@pytest.mark.parametrize("interrupted_at", ["per_lesion.csv", "per_image.csv", "metrics.json", "estimates.csv"])
def test_an_interruption_leaves_no_report_beside_other_numbers(tmp_path, monkeypatch, interrupted_at):
    write_study(fake_study(), tmp_path, provenance={}, evaluation={})
    assert (tmp_path / "report.html").is_file() and (tmp_path / "metrics.json").is_file()
    replace = os.replace

    def interrupt(source, target):
        if Path(target).name == interrupted_at:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_study(fake_study(some_results(3)), tmp_path, provenance={}, evaluation={})
    left = {path.name for path in tmp_path.iterdir()}
    assert "report.html" not in left and "estimates.csv" not in left
    assert ("metrics.json" in left) == (interrupted_at == "estimates.csv")


def test_what_cannot_be_drawn_costs_nothing_that_was_there(tmp_path, monkeypatch):
    before = {
        path.name: path.read_bytes() for path in write_study(fake_study(), tmp_path, provenance={}, evaluation={})
    }
    monkeypatch.setattr("segtumor.reporting.pages.study_page.study_figures", None)
    with pytest.raises(TypeError):
        write_study(fake_study([]), tmp_path, provenance={}, evaluation={})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_class_called_normal_takes_no_column_from_the_normal(tmp_path):
    confusion = (("normal", "benign", "normal"), np.arange(9).reshape(3, 3))
    study = dataclasses.replace(fake_study(), confusions={"image_class": confusion})
    write_study(study, tmp_path, provenance={})
    assert (tmp_path / "confusion_image_class.csv").read_text().splitlines() == [
        "true,predicted normal,predicted benign,predicted normal (class 2)",
        "normal,0,1,2",
        "benign,3,4,5",
        "normal (class 2),6,7,8",
    ]
