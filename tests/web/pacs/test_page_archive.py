"""The page and a real archive: from its worklist to a reading, and back into the patient's study."""

import time

import pytest
from dicom_radiographs import FULL, IMAGE, STUDY, radiograph_file
from pages import Page, SquareModel

from segtumor.errors import ConfigError
from segtumor.web.app import create_app
from segtumor.web.pacs.dicomweb import DicomWeb
from segtumor.web.serving import receiver_of
from segtumor.web.site import Settings, Site
from segtumor.web.storage.store import Store
from segtumor.web.worker import Worker

pytestmark = pytest.mark.command
pytest.importorskip("dicomweb_client")
pytest.importorskip("highdicom")


@pytest.fixture
def page_of(tmp_path, monkeypatch):
    """Archive, or None -> a page that reads."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    store, model = Store(tmp_path / "page"), SquareModel()
    worker = Worker(store, model, max_pixels=10**6)

    def make(archive, **settings):
        site = Site(store=store, model=model, worker=worker, settings=Settings(**settings), archive=archive)
        page = Page(site, create_app(site).test_client())
        worker.start()
        return page

    yield make
    worker.stop()
    store.close()


@pytest.mark.parametrize("show", [False, True])
def test_a_study_is_taken_from_the_archive_and_its_results_go_back(orthanc, credentials, page_of, tmp_path, show):
    orthanc.ask("/instances", radiograph_file(tmp_path / "a.dcm", **FULL).read_bytes())
    page = page_of(DicomWeb(orthanc.dicom_web, credentials=credentials), show_patient=show)
    (study,) = page.get("/archive/studies?since=2020-01-01&until=2020-12-31").json["studies"]
    assert (study["study"], study["date"]) == (STUDY, "20200102")
    assert (study["patient"], study["description"]) == (
        ({"id": "SECRET-1", "name": "Müller^Änne"}, "Knee") if show else (None, None)
    )
    fetched = page.client.post("/api/v1/archive/fetch", json={"study": STUDY}, headers=Page.change)
    assert fetched.status_code == 202
    (image,) = fetched.json["images"]
    assert "SECRET" not in str(image) or show
    page.wait()
    path = f"/api/v1/images/{image['id']}/dicom/send"
    sent = page.client.post(path, json={"kinds": ["sr", "sc"]}, headers=Page.change)
    assert sent.json == {"sent": [{"kind": "sr", "reason": None}, {"kind": "sc", "reason": None}]}
    held = orthanc.instances()
    assert held.pop(IMAGE) == "DX" and sorted(held.values()) == ["OT", "SR"]
    assert len(orthanc.ask("/studies")) == 1


def test_an_archive_that_is_away_is_told(page_of, credentials):
    page = page_of(DicomWeb("http://127.0.0.1:9/dicom-web", credentials=credentials))
    answer = page.get("/archive/studies")
    assert answer.status_code == 502 and "cannot be reached" in answer.json["error"]


def test_what_a_device_sends_is_read(page_of, tmp_path):
    pynetdicom = pytest.importorskip("pynetdicom")
    page = page_of(None)
    dataset = pytest.importorskip("pydicom").dcmread(radiograph_file(tmp_path / "a.dcm", **FULL))
    with receiver_of(page.site, 0, host="127.0.0.1", ae_title="SEGTUMOR", callers=["XRAY1"]) as receiver:
        sender = pynetdicom.AE("XRAY1")
        sender.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
        association = sender.associate("127.0.0.1", receiver.port, ae_title="SEGTUMOR")
        assert association.send_c_store(dataset).Status == 0
        association.release()
    for _ in range(200):
        cases = page.get("/cases").json["cases"]
        if cases and cases[0]["status"] == "done":
            break
        time.sleep(0.02)
    (case,) = cases
    assert case["status"] == "done" and case["name"].startswith("case-")
    assert page.get(f"/images/{case['images'][0]}").json["name"] == "DICOM from XRAY1"
    assert not list((page.site.incoming / "dicom").iterdir())


def test_not_everybody_may_send(page_of):
    page = page_of(None)
    with pytest.raises(ConfigError, match="any machine"):
        receiver_of(page.site, 0, host="0.0.0.0", ae_title="SEGTUMOR", callers=[])
