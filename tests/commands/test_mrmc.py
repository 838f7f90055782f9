"""``segtumor mrmc`` on a few squares: two readers with and without a model, and its workbook for RJafroc."""

import csv
import json

import openpyxl
import pytest

from segtumor.commands.mrmc import main

pytestmark = pytest.mark.command

#: Images 1 to 4 have a tumour, each of a case of its own; 5 to 8 are normal.
BOX = "2,2,8,8"
HEADER = "reader,modality,image,x0,y0,x1,y1,confidence"
MARKS = {
    ("A", "alone"): {1: 0.9, 2: 0.6, 5: 0.7},
    ("A", "with"): {1: 0.9, 2: 0.8, 3: 0.9, 4: 0.6, 5: 0.2},
    ("B", "alone"): {1: 0.8, 3: 0.7, 6: 0.6, 7: 0.3},
    ("B", "with"): {1: 0.8, 2: 0.3, 3: 0.9, 4: 0.8},
}


def box(image_id, **more):
    return {"image_id": image_id, "category_id": 1, "bbox": [2, 2, 6, 6], **more}


@pytest.fixture
def folder(tmp_path):
    images = [{"id": i, "file_name": f"{i}.png", "width": 20, "height": 20, "case_id": f"p{i}"} for i in range(1, 9)]
    segmentation = [[2, 2, 8, 2, 8, 8, 2, 8]]
    truth = {
        "images": images,
        "annotations": [box(i, id=i, area=36, iscrowd=0, segmentation=segmentation) for i in range(1, 5)],
        "categories": [{"id": 1, "name": "tumor"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "found.json").write_text(json.dumps([box(i, score=0.9) for i in (1, 2, 3)]))
    write(tmp_path, crossed())
    return tmp_path


def crossed(cells=MARKS):
    lines = [HEADER]
    for (reader, modality), scores in cells.items():
        for i in range(1, 9):
            lines.append(
                f"{reader},{modality},{i}.png,{BOX},{scores[i]}" if i in scores else f"{reader},{modality},{i}.png,,,,,"
            )
    return lines


def write(folder, lines):
    (folder / "readers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def mrmc(folder, capsys):
    def runner(*more):
        files = ("--annotations", folder / "truth.json", "--readers", folder / "readers.csv")
        code = main([*map(str, (*files, "--output", folder / "out", "--overwrite", *more))])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return runner


def rows(folder, name):
    with open(folder / "out" / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_with_the_model_and_alone(mrmc, folder):
    code, out, err = mrmc()
    assert (code, "error" in err) == (0, False)
    assert "2 readers, 2 modalities, 8 cases" in out and "patient_sensitivity: sensitivity (patients)" in out
    values = {(r["measure"], r["modality"], r["reader"]): float(r["value"]) for r in rows(folder, "mrmc_values.csv")}
    assert values["patient_sensitivity", "alone", "A"] == 0.5 and values["patient_sensitivity", "with", "A"] == 1
    assert values["patient_auc", "with", "B"] == 1
    tests = {(row["measure"], row["inference"]): row for row in rows(folder, "mrmc_tests.csv")}
    assert len(tests) == 5 * 3 and tests["patient_sensitivity", "fixed readers"]["df2"] == "inf"
    differences = {
        (row["inference"], row["reader"]): row
        for row in rows(folder, "mrmc_differences.csv")
        if row["measure"] == "patient_sensitivity"
    }
    assert float(differences["fixed readers", ""]["estimate"]) == -0.375
    assert float(differences["one reader", "A"]["estimate"]) == -0.5
    document = json.loads((folder / "out" / "mrmc.json").read_text("utf-8"))
    assert (document["readers"], document["modalities"]) == (["A", "B"], ["alone", "with"])
    assert "`wafroc`" in (folder / "out" / "mrmc.md").read_text("utf-8")


def test_the_model_as_a_modality(mrmc, folder):
    alone = [line.replace(",alone", "") for line in crossed() if ",with" not in line]
    write(folder, [HEADER.replace(",modality", ""), *alone[1:]])
    code, _, err = mrmc()
    assert code == 5 and "one modality only" in err and "--predictions" in err
    options = ("--predictions", folder / "found.json", "--name", "net", "--measures", "patient_sensitivity")
    code, out, _ = mrmc(*options)
    assert code == 0 and "readers less net" in out and "answers alike" in out
    means = {(r["inference"], r["modality"]): r["estimate"] for r in rows(folder, "mrmc_means.csv")}
    assert means["fixed cases", "net"] == "0.75"


def test_the_workbook_of_rjafroc(mrmc, folder):
    assert mrmc("--rjafroc")[0] == 0
    book = openpyxl.load_workbook(folder / "out" / "rjafroc.xlsx")
    assert book.sheetnames == ["TP", "FP", "TRUTH"]
    true, false, truth = ([tuple(row) for row in sheet.iter_rows(values_only=True)] for sheet in book)
    assert true[0] == ("ReaderID", "ModalityID", "CaseID", "LesionID", "TP_Rating")
    assert len(true) == 1 + 2 + 4 + 2 + 4 and ("B", "with", 2, 1, 0.3) in true
    assert false[0][3] == "FP_Rating" and sorted(false[1:])[0] == ("A", "alone", 5, 0.7) and len(false) == 5
    assert truth[0] == ("CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm")
    assert truth[1] == (5, 0, 0, "A,B", "alone,with", "FROC") and truth[2][5] == "FCTRL"
    assert truth[-1] == (4, 1, 1, "A,B", "alone,with", None) and len(truth) == 9
    assert rows(folder, "rjafroc_cases.csv")[4] == {"CaseID": "5", "case_id": "p5"}


def test_labels_are_rated_cases_for_rjafroc(mrmc, folder):
    labels = [
        f"{reader},{modality},{i}.png,tumor,{scores.get(i, 0.05)}"
        for (reader, modality), scores in MARKS.items()
        for i in range(1, 9)
    ]
    write(folder, ["reader,modality,image,label,confidence", *labels])
    assert mrmc("--rjafroc")[0] == 0
    true, false, truth = openpyxl.load_workbook(folder / "out" / "rjafroc.xlsx")
    assert (true.max_row, false.max_row, truth.max_row) == (1 + 4 * 4, 1 + 4 * 4, 9)
    assert truth["F2"].value == "ROC" and false["D2"].value == 0.7


def test_mistakes_are_one_line(mrmc, folder):
    def refused(code, text, *more):
        got, _, err = mrmc(*more)
        assert (got, text in err, err.count("error:"), "Traceback" in err) == (code, True, 1, False), (text, err)

    refused(2, "expected patient_auc", "--measures", "patient_auk")
    write(folder, [line for line in crossed() if not line.startswith("B,with")])
    refused(5, "nothing of B (with)")
    write(folder, [line.replace("B,with", "B,") for line in crossed()])
    refused(5, "the modality has no name")
    write(folder, [line.replace("A,", '"A, MD",') for line in crossed()])
    refused(5, "divides names at commas", "--rjafroc")
    write(
        folder, [line.replace("modality", "seconds").replace("alone", "7").replace("with", "-7") for line in crossed()]
    )
    refused(5, "reading time is no time")
