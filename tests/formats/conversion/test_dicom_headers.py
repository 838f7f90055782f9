"""What DICOM headers tell about converted images, and what never leaves them."""

import json

import pytest
from repository import ROOT

from segtumor.annotations.coco import load_coco
from segtumor.commands.data import convert

SECRETS = ("Mueller", "Hans", "PID-4711", "19600102", "20240305")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three DICOM radiographs of two patients, and a table of boxes that mentions two of them."""
    pytest.importorskip("pydicom")
    monkeypatch.syspath_prepend(ROOT / "tests" / "imaging")
    from imaging_files import dicom_bytes

    header = {"PatientName": "Mueller^Hans", "PatientBirthDate": "19600102", "StudyDate": "20240305"}
    header |= {"PatientAge": "034Y", "PatientSex": "M", "ViewPosition": "AP", "PixelSpacing": [0.2, 0.1]}
    for name, number in (("1.dcm", "PID-4711"), ("2.dcm", "PID-4711"), ("3.dcm", "PID-4712")):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / name).write_bytes(dicom_bytes(PatientID=number, **header))
    (tmp_path / "boxes.csv").write_text("image,xmin,ymin,xmax,ymax,label\n1.dcm,0,0,2,2,benign\n2.dcm,1,1,3,2,benign\n")
    return tmp_path


def run(folder, output, salt, *more):
    arguments = ["--source", str(folder / "boxes.csv"), "--unannotated", "normal", "--salt-file", str(folder / salt)]
    arguments += more
    assert convert.main([*arguments, "--output", str(folder / output), "--images", str(folder / "images")]) == 0
    path = folder / output / "annotations" / "all.json"
    return load_coco(path, require_masks=False).images


def test_headers_become_attributes_and_patients_hashes(folder):
    images = run(folder, "out", "salt")
    assert [(i["age"], i["sex"], i["view"], i["spacing_mm"]) for i in images] == [
        (34, "M", ["frontal"], [0.2, 0.1])
    ] * 3
    first, second, third = (image["case_id"] for image in images)
    assert first == second != third
    assert [i["case_id"] for i in run(folder, "again", "salt")] == [first, second, third]
    assert run(folder, "other", "other_salt")[0]["case_id"] != first


@pytest.mark.parametrize(
    ("patient", "n_cases", "note"),
    [
        ("REMOVED", 2, "PatientID is a placeholder: the study is the case"),
        ("EXPORT-4711", 1, "all DICOM images are of one case, though of several studies"),
    ],
)
def test_one_patient_of_all_studies_is_told(folder, patient, n_cases, note, capsys):
    from imaging_files import dicom_bytes

    for name, study in (("1.dcm", "1.2.1"), ("2.dcm", "1.2.1"), ("3.dcm", "1.2.3")):
        (folder / "images" / name).write_bytes(dicom_bytes(PatientID=patient, StudyInstanceUID=study))
    images = run(folder, "out", "salt")
    assert len({image["case_id"] for image in images}) == n_cases
    report = json.loads((folder / "out" / "conversion_report.json").read_text())
    assert report["notes_by_kind"][note] == (3 if n_cases == 2 else 1)
    (folder / "images" / "4.dcm").write_bytes(dicom_bytes(PatientID=patient, StudyInstanceUID="1.2.5"))
    (folder / "images" / "5.dcm").write_bytes(dicom_bytes(PatientID="OTHER", StudyInstanceUID="1.2.9"))
    run(folder, "mixed", "salt")
    mixed = json.loads((folder / "mixed" / "conversion_report.json").read_text())["notes_by_kind"]
    assert (note if n_cases == 2 else note.replace("all", "most")) in mixed
    assert note in capsys.readouterr().out and patient not in json.dumps(report)


def test_the_device_is_taken_where_somebody_asks_for_it(folder, capsys):
    from imaging_files import dicom_bytes

    models = {"1.dcm": "Axiom Aristos FX+", "2.dcm": "Mueller^Hans", "3.dcm": "room 20240305"}
    for name, model in models.items():
        header = {"PatientID": name, "Manufacturer": " Siemens ", "ManufacturerModelName": model}
        (folder / "images" / name).write_bytes(dicom_bytes(**header))
    assert all({"device", "manufacturer"}.isdisjoint(image) for image in run(folder, "out", "salt"))
    images = run(folder, "with", "salt", "--keep-device")
    assert [image["manufacturer"] for image in images] == ["SIEMENS"] * 3
    assert [image.get("device") for image in images] == ["AXIOM ARISTOS FX+", None, None]
    report = json.loads((folder / "with" / "conversion_report.json").read_text())
    assert report["notes_by_kind"]["DICOM header: not the name of a device, left out"] == 2
    text = json.dumps([report, images]).upper() + capsys.readouterr().out.upper()
    assert "MUELLER" not in text and "20240305" not in text


def test_no_name_number_or_date_leaves_the_file(folder, capsys, caplog):
    (folder / "images" / "4.dcm").write_bytes((folder / "images" / "3.dcm").read_bytes()[:-9])  # and a damaged one
    run(folder, "out", "salt")
    written = [path.read_text() for path in (folder / "out").rglob("*.json")]
    captured = capsys.readouterr()
    text = "\n".join([*written, captured.out, captured.err, caplog.text])
    assert json.loads(written[0])
    assert [secret for secret in SECRETS if secret.lower() in text.lower()] == []


def test_the_table_of_cases_wins_over_the_header(folder):
    (folder / "table.csv").write_text("image,case_id\n1.dcm,A\n")
    arguments = ["--source", str(folder / "boxes.csv"), "--salt-file", str(folder / "salt")]
    arguments += ["--table", str(folder / "table.csv"), "--images", str(folder / "images")]
    assert convert.main([*arguments, "--output", str(folder / "out")]) == 0
    images = load_coco(folder / "out" / "annotations" / "all.json", require_masks=False).images
    assert images[0]["case_id"] == "A"
    assert images[1]["case_id"].startswith("case-")
