"""What leaves a header: a closed list of words, checked numbers, and the patient as a keyed hash."""

import hashlib
import hmac

import pytest
from imaging_files import GRAY, dicom_bytes, png_bytes

from segtumor.errors import BadImageError

pytest.importorskip("pydicom")
from segtumor.imaging.dicom import dicom_identity, name_reveals_patient

SALT, OTHER = bytes(range(32)), bytes(32)
STUDY = "1.2.3.4"


def attributes(folder, salt=SALT, **elements):
    path = folder / "picture.dcm"
    path.write_bytes(dicom_bytes(**({"PatientID": "A17", "StudyInstanceUID": STUDY} | elements)))
    return dicom_identity(path, salt=salt)[0]


def keyed(identity):
    return "case-" + hmac.new(SALT, identity.encode(), hashlib.sha256).hexdigest()[:16]


def test_a_full_header(tmp_path):
    found = attributes(
        tmp_path, PatientAge="034Y", PatientSex="F", ViewPosition="AP", BodyPartExamined="KNEE", PixelSpacing=[0.1, 0.2]
    )
    assert found == {
        "case_id": keyed("patient\0A17\0"),
        "age": 34,
        "sex": "F",
        "view": ["frontal"],
        "site": ["knee-joint"],
        "spacing_mm": [0.1, 0.2],
        "spacing_source": "mm (calibration unknown)",
    }


def test_an_empty_header(tmp_path):
    found = attributes(tmp_path, PatientID=None, StudyInstanceUID=None)
    empty = {key: None for key in ("case_id", "age", "sex", "spacing_mm", "spacing_source")}
    assert found == empty | {"view": [], "site": []}


@pytest.mark.parametrize(
    "patient", ["", "0", "000", "ANONYMOUS", "Unknown", "REMOVED", "De-identified", "XXXX", "-", None]
)
def test_a_placeholder_is_no_patient(patient, tmp_path):
    assert attributes(tmp_path, PatientID=patient)["case_id"] == keyed(f"study\0{STUDY}")


def test_without_patient_and_study_there_is_no_case(tmp_path):
    assert attributes(tmp_path, PatientID="REMOVED", StudyInstanceUID="REMOVED")["case_id"] is None


def test_a_pseudonym_is_a_patient(tmp_path):
    for patient in ("ANON0017", "PATIENT 3", "TEST-12"):
        assert attributes(tmp_path, PatientID=patient)["case_id"] == keyed(f"patient\0{patient}\0")


def test_the_salt_and_the_issuer_count(tmp_path):
    ids = [
        attributes(tmp_path)["case_id"],
        attributes(tmp_path, salt=OTHER)["case_id"],
        attributes(tmp_path, IssuerOfPatientID="elsewhere")["case_id"],
        attributes(tmp_path, PatientID="A18")["case_id"],
    ]
    assert len(set(ids)) == 4
    assert attributes(tmp_path, StudyInstanceUID="1.9")["case_id"] == ids[0]
    with pytest.raises(ValueError, match="salt"):
        attributes(tmp_path, salt=b"short")


@pytest.mark.parametrize(
    ("text", "years"),
    [("034Y", 34), ("006M", 0.5), ("026W", 0.5), ("010D", 0.03), ("090Y", 90), ("104Y", 90), ("000Y", 0),
     ("999Y", None), ("34", None), ("-34Y", None), ("034X", None), ("Otto", None), ("", None)],
)  # fmt: skip
def test_age_in_years(text, years, tmp_path):
    assert attributes(tmp_path, PatientAge=text)["age"] == years


@pytest.mark.parametrize(("text", "sex"), [("M", "M"), ("f ", "F"), ("O", None), ("Otto", None), ("", None)])
def test_sex(text, sex, tmp_path):
    assert attributes(tmp_path, PatientSex=text)["sex"] == sex


@pytest.mark.parametrize(
    ("position", "orientation", "view"),
    [("PA", None, ["frontal"]), ("LATERAL", None, ["lateral"]), ("RLO", None, ["oblique"]), ("Otto", None, []),
     (None, ["L", "F"], ["frontal"]), (None, ["A", "F"], ["lateral"]), (None, ["AL", "F"], []), (None, ["L", "P"], []),
     (None, ["L"], []), ("LL", ["L", "F"], ["lateral"])],
)  # fmt: skip
def test_view(position, orientation, view, tmp_path):
    assert attributes(tmp_path, ViewPosition=position, PatientOrientation=orientation)["view"] == view


@pytest.mark.parametrize(
    ("part", "site"),
    [("FEMUR", ["femur"]), ("Tib-Fib", ["tibia", "fibula"]), ("knee", ["knee-joint"]), ("Knee of Otto", []), ("", [])],
)
def test_site(part, site, tmp_path):
    assert attributes(tmp_path, BodyPartExamined=part)["site"] == site


@pytest.mark.parametrize(
    ("name", "revealed"),
    [
        ("müller_knee.dcm", True), ("MULLER.dcm", True), ("anna-marie.dcm", True), ("x_1971-05-23.dcm", True),
        ("23.05.1971 knee.dcm", True), ("img_PAT00917.dcm", True), ("pat-00917", True), ("IM0001.dcm", False),
        ("li.dcm", False), ("knee.dcm", False), ("1971.dcm", False),
    ],
)  # fmt: skip
def test_a_file_name_that_tells_the_patient(name, revealed, tmp_path):
    path = tmp_path / name
    path.write_bytes(
        dicom_bytes(
            SpecificCharacterSet="ISO_IR 192",
            PatientName="Müller^Anna Marie^Li",
            PatientID="PAT-00917",
            PatientBirthDate="19710523",
        )
    )
    assert name_reveals_patient(path) is revealed


def test_other_files_are_refused(tmp_path):
    (tmp_path / "picture.png").write_bytes(png_bytes(GRAY, 0))
    (tmp_path / "damaged.dcm").write_bytes(dicom_bytes()[:140])
    for name, word in (("picture.png", "not a DICOM"), ("none.dcm", "no such file"), ("damaged.dcm", "DICOM")):
        with pytest.raises(BadImageError, match=word):
            dicom_identity(tmp_path / name, salt=SALT)
        with pytest.raises(BadImageError, match=word):
            name_reveals_patient(tmp_path / name)


def test_a_spacing_of_no_use_is_named_and_ignored(tmp_path, caplog):
    found = attributes(tmp_path, PixelSpacing=["0.000", "0.000"])
    assert (found["spacing_mm"], found["spacing_source"]) == (None, None)
    assert "PixelSpacing is not two positive numbers" in caplog.text
