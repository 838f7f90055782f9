"""What the page gives back as DICOM: of the model's findings, and of the reader's."""

import io

import numpy as np
import pytest
from dicom_radiographs import FULL, STUDY, radiograph_file
from pages import SQUARES, Page, accepted, drawn, picture

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")

SIZE_HW = (60, 80)


@pytest.fixture
def image(page, tmp_path, monkeypatch):
    """A digital radiograph on which the first square is bright, read."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    stored = np.full(SIZE_HW, 1000, dtype=np.uint16)
    stored[SQUARES[0]] = 4095
    path = radiograph_file(tmp_path / "a.dcm", stored, WindowCenter=2048, WindowWidth=4096, **FULL)
    (image,) = page.read(("a.dcm", path.read_bytes()))
    assert [finding["score"] for finding in image["reading"]["findings"]] == [0.8]
    return image


def asked(page, image, kind, query=""):
    answer = page.get(f"/images/{image['id']}/dicom/{kind}{query}")
    assert answer.status_code == 200, answer.json
    return pydicom.dcmread(io.BytesIO(answer.data))


def test_a_radiograph_of_dicom_has_sizes_in_mm_with_their_source(image):
    (finding,) = image["reading"]["findings"]
    assert image["spacing_source"] == "mm at detector" and image["spacing_mm"] == [0.15, 0.2]
    assert finding["diameter_mm"] == pytest.approx(np.hypot(20 * 0.15, 25 * 0.2), abs=0.1)


@pytest.mark.parametrize(("kind", "modality"), [("seg", "SEG"), ("sr", "SR"), ("sc", "OT")])
def test_each_kind_is_in_the_patients_study_and_says_that_it_is_research(page, image, kind, modality):
    made = asked(page, image, kind)
    assert (made.StudyInstanceUID, made.Modality, made.PatientID) == (STUDY, modality, "SECRET-1")
    assert made.SeriesDescription.startswith("RESEARCH ONLY")
    header = page.get(f"/images/{image['id']}/dicom/{kind}").headers["Content-Disposition"]
    assert image["id"] in header and "a.dcm" not in header


def test_the_segmentation_is_the_models_or_the_readers(page, image):
    of_model = asked(page, image, "seg").pixel_array.astype(bool)
    expected = np.zeros(SIZE_HW, dtype=bool)
    expected[SQUARES[0]] = True
    np.testing.assert_array_equal(of_model.reshape(SIZE_HW), expected)
    assert page.get(f"/images/{image['id']}/dicom/seg?of=review").status_code == 409
    page.review(image, {**accepted(0), "verdict": "rejected"}, drawn((2, 3), (12, 3), (12, 9), (2, 9)))
    of_reader = asked(page, image, "seg", "?of=review").pixel_array.astype(bool).reshape(SIZE_HW)
    assert of_reader[3:9, 2:12].all() and of_reader.sum() == 60
    np.testing.assert_array_equal(asked(page, image, "seg").pixel_array.astype(bool), of_model)


def test_what_was_accepted_keeps_the_models_mask(page, image):
    page.review(image, accepted(0, "malignant"))
    made = asked(page, image, "seg", "?of=review")
    assert made.pixel_array.sum() == 500 and "malignant" in made.SegmentSequence[0].SegmentLabel


def test_what_cannot_be_made_is_told(page, image):
    (plain,) = page.read(("b.png", picture(0)))
    assert page.get(f"/images/{plain['id']}/dicom/seg").status_code == 409
    assert page.get(f"/images/{image['id']}/dicom/xml").status_code == 422
    assert page.get(f"/images/{image['id']}/dicom/seg?of=nobody").status_code == 422
    page.review(image, {**accepted(0), "verdict": "rejected"})
    nothing = page.get(f"/images/{image['id']}/dicom/seg?of=review")
    assert nothing.status_code == 422 and "nothing to segment" in nothing.json["error"]


def test_without_an_archive_that_is_told(page, image):
    path = f"/api/v1/images/{image['id']}/dicom/send"
    for body in ({"kinds": []}, {"kinds": ["xml"]}, {"kinds": ["sr"], "of": "nobody"}, {"kinds": ["sr"]}, []):
        answer = page.client.post(path, json=body, headers=Page.change)
        assert answer.status_code == 422 and answer.json["error"]
    assert page.get("/archive/studies").status_code == 422
    assert page.client.post("/api/v1/archive/fetch", json={"study": "1.2"}, headers=Page.change).status_code == 422
    assert page.get("/about").json["dicomweb"] is False and page.get("/about").json["dicom_outputs"]
