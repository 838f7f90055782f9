"""A DICOMweb archive: with a real Orthanc, and with servers that answer wrongly."""

import contextlib
import datetime
import http.server
import logging
import threading
import time

import numpy as np
import pytest
from dicom_radiographs import FULL, IMAGE, SIZE_HW, STUDY, radiograph_file
from orthanc_server import free_port

from segtumor.errors import ConfigError, DataError, PacsError
from segtumor.imaging import read_radiograph
from segtumor.reporting.dicom.coding import Algorithm
from segtumor.reporting.dicom.objects import KINDS, make_objects, write_objects
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_mask
from segtumor.structures.readings import Reading
from segtumor.web.pacs.dicomweb import DicomWeb, Sent

pytestmark = pytest.mark.command
pytest.importorskip("dicomweb_client")
pytest.importorskip("highdicom")
pydicom = pytest.importorskip("pydicom")


@pytest.fixture
def archive(orthanc, credentials):
    return DicomWeb(orthanc.dicom_web, credentials=credentials)


def test_a_radiograph_is_found_fetched_read_and_its_results_are_sent_back(orthanc, archive, tmp_path):
    source = radiograph_file(tmp_path / "source.dcm", **FULL)
    orthanc.ask("/instances", source.read_bytes())
    (study,) = archive.studies()
    assert (study.uid, study.date, study.modalities, study.n_images) == (STUDY, "20200102", ("DX",), 1)
    assert study.patient_id == "SECRET-1" and "SECRET" not in repr(study) and "Müller" not in repr(study)
    came = []
    assert archive.fetch(study.uid, tmp_path / "in", lambda path, origin: came.append((path, origin))) == 1
    ((path, origin),) = came
    assert origin == f"DICOMweb, {orthanc.dicom_web}" and list((tmp_path / "in").iterdir()) == [path]
    assert IMAGE not in path.name and "SECRET" not in path.name
    np.testing.assert_array_equal(read_radiograph(path).pixels, read_radiograph(source).pixels)
    mask = np.zeros(SIZE_HW, dtype=bool)
    mask[3:9, 4:20] = True
    reading = Reading(class_names=("benign",), size_hw=SIZE_HW, findings=(Finding(0, 0.9, rle=rle_from_mask(mask)),))
    picture = np.zeros((20, 20, 3), dtype=np.uint8)
    objects = make_objects(path, reading, KINDS, score_threshold=0.5, algorithm=Algorithm("a", "1"), picture=picture)
    names = write_objects(objects, tmp_path / "out", "r")
    sent = archive.send(tmp_path / "out" / name for name in names)
    assert sent == [Sent(tmp_path / "out" / name) for name in names]
    held = orthanc.instances()
    assert held == {
        IMAGE: "DX",
        **{objects[k].SOPInstanceUID: m for k, m in zip(KINDS, ("SEG", "SR", "OT"), strict=True)},
    }
    assert len(orthanc.ask("/studies")) == 1, "in the patient's study"
    assert archive.fetch(STUDY, tmp_path / "again", lambda *_: None) == 1, "results are not fetched as radiographs"
    assert archive.studies()[0].n_images == 4


def test_studies_are_those_with_radiographs_the_newest_first(orthanc, archive, tmp_path, caplog):
    for number, (modality, date) in enumerate(
        [("CR", "20200101"), ("DX", "20210101"), ("MR", "20220101"), ("CR", "20230101")]
    ):
        ids = {
            "StudyInstanceUID": f"1.9.{number}",
            "SeriesInstanceUID": f"1.8.{number}",
            "SOPInstanceUID": f"1.7.{number}",
        }
        orthanc.ask(
            "/instances", radiograph_file(tmp_path / "a.dcm", Modality=modality, StudyDate=date, **ids).read_bytes()
        )
    dates = [study.date for study in archive.studies()]
    assert dates == ["20230101", "20210101", "20200101"]
    day = datetime.date(2021, 1, 1)
    assert [study.date for study in archive.studies(since=day)] == ["20230101", "20210101"]
    assert [study.date for study in archive.studies(since=day, until=day)] == ["20210101"]
    assert [study.date for study in archive.studies(until=day, modalities=("CR",))] == ["20200101"]
    assert not caplog.text
    assert len(archive.studies(limit=2)) == 2 and "more than 2 studies; narrow the dates" in caplog.text


def test_a_file_that_is_refused_by_who_takes_it_does_not_stay(orthanc, archive, tmp_path):
    orthanc.ask("/instances", radiograph_file(tmp_path / "a.dcm").read_bytes())

    def refuse(path, origin):
        assert path.exists()
        raise DataError("the queue is full")

    with pytest.raises(DataError, match="queue is full"):
        archive.fetch(STUDY, tmp_path / "in", refuse)
    assert list((tmp_path / "in").iterdir()) == []


def test_what_the_archive_does_not_take_is_told_file_by_file(archive, orthanc, tmp_path):
    good, text = radiograph_file(tmp_path / "a.dcm"), tmp_path / "b.dcm"
    text.write_text("hello")
    first, second = archive.send([text, good])
    assert "damaged, truncated or unsupported DICOM" in first.reason and second.reason is None
    assert list(orthanc.instances()) == [IMAGE]


@pytest.mark.parametrize("modality", ["MR", None])
def test_a_study_without_radiographs_gives_no_files_and_an_unknown_one_an_error(orthanc, archive, tmp_path, modality):
    if modality is None:
        with pytest.raises(PacsError, match="no such study"):
            archive.fetch("1.2.3.99", tmp_path / "in", lambda *_: None)
        with pytest.raises(PacsError, match="no StudyInstanceUID"):
            archive.fetch("../instances", tmp_path / "in", lambda *_: None)
        return
    orthanc.ask("/instances", radiograph_file(tmp_path / "a.dcm", Modality=modality).read_bytes())
    assert archive.fetch(STUDY, tmp_path / "in", lambda *_: None) == 0


def test_who_may_not_is_told_so_and_an_object_that_is_too_large_is_not_taken(orthanc, credentials, tmp_path):
    orthanc.ask("/instances", radiograph_file(tmp_path / "a.dcm").read_bytes())
    with pytest.raises(PacsError, match=r"refuses access \(status 401\).*credentials"):
        DicomWeb(orthanc.dicom_web).studies()
    credentials.write_text("reader:wrong")
    with pytest.raises(PacsError, match="status 401") as caught:
        DicomWeb(orthanc.dicom_web, credentials=credentials).send([tmp_path / "a.dcm"])
    assert "wrong" not in str(caught.value)
    with pytest.raises(PacsError, match="does not answer as DICOMweb"):
        credentials.write_text("reader:a secret")
        DicomWeb(f"http://127.0.0.1:{orthanc.http_port}/elsewhere", credentials=credentials).studies()
    small = DicomWeb(orthanc.dicom_web, credentials=credentials, most_bytes=3000)
    assert len(small.studies()) == 1
    with pytest.raises(PacsError, match=r"too large .*at most 3000 bytes"):
        small.fetch(STUDY, tmp_path / "in", lambda *_: None)
    assert list((tmp_path / "in").iterdir()) == []


@contextlib.contextmanager
def answering(status, headers, body, delay_s=0.0):
    """A server on loopback that gives one answer to everything; yields (its address, what it was asked)."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Authorization")))
            time.sleep(delay_s)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/dicom-web", asked
    finally:
        server.shutdown()
        server.server_close()


JSON = {"Content-Type": "application/dicom+json"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "message"),
    [
        (200, {"Content-Type": "text/html"}, b"<html>SECRET</html>", "does not answer as DICOMweb"),
        (200, JSON, b"[3, 4]", "does not answer as DICOMweb"),
        (200, JSON, b'[{"0020000D": ["SECRET"]}]', "does not answer as DICOMweb"),
        (200, JSON, b'[{"0020000D": {"vr": "UI", "Value": ["../SECRET"]}}]', "does not answer as DICOMweb"),
        (404, {}, b"", r"does not answer as DICOMweb \(got status 404\)"),
        (403, {}, b"SECRET", "refuses access"),
        (503, {}, b"SECRET", r"cannot do it now \(status 503\)"),
        (302, {"Location": "http://127.0.0.1:9/x"}, b"", "moved to another address"),
        (200, {**JSON, "Content-Length": "1000"}, b"[]", "cannot be reached"),
        (200, JSON, b" " * 5000 + b"[]", "too large"),
    ],
)
def test_wrong_answers_are_clear_errors_that_quote_nothing(status, headers, body, message, caplog):
    caplog.set_level(logging.INFO)
    with answering(status, headers, body) as (url, _), pytest.raises(PacsError, match=message) as caught:
        DicomWeb(url, most_bytes=4000, timeout_s=(1, 1)).studies()
    assert "SECRET" not in f"{caught.value} {caplog.text}" and url in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b"", None),
        (200, b'{"00081199": {"vr": "SQ", "Value": [{}]}}', None),
        (202, b'{"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [42752]}}]}}', "reason A700"),
        (202, b'{"00081198": {"vr": "SQ", "Value": [{}]}}', "no reason given"),
        (409, b"SECRET", "status 409"),
        (507, b"SECRET", PacsError),
        (200, b"SECRET", PacsError),
    ],
)
def test_what_an_archive_says_of_an_object_that_it_was_sent(status, body, reason, tmp_path):
    path = radiograph_file(tmp_path / "a.dcm")
    with answering(status, JSON, body) as (url, _):
        if reason is PacsError:
            with pytest.raises(PacsError, match=r"status 507|does not answer as DICOMweb"):
                DicomWeb(url).send([path])
            return
        (sent,) = DicomWeb(url).send([path])
    assert sent.reason == (reason and f"the archive did not take it ({reason})")


def test_who_does_not_answer_in_time_or_at_all():
    late = pytest.raises(PacsError, match=r"no answer in time .*0\.1 s for an answer")
    with answering(200, JSON, b"[]", delay_s=0.5) as (url, _), late:
        DicomWeb(url, timeout_s=(1, 0.1)).studies()
    with pytest.raises(PacsError, match=r"cannot be reached.*Check the address"):
        DicomWeb(f"http://127.0.0.1:{free_port()}/dicom-web").studies()


def test_credentials_go_to_the_service_and_into_no_address(credentials, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with answering(200, JSON, b"[]") as (url, asked):
        assert DicomWeb(url, credentials=credentials).studies(since=datetime.date(2020, 1, 2)) == []
        credentials.write_text("Bearer abc.def")
        assert DicomWeb(url, credentials=credentials).studies(modalities=("CR",)) == []
        assert DicomWeb(url).studies(modalities=("CR",)) == []
    assert [login for _, login in asked] == ["Basic cmVhZGVyOmEgc2VjcmV0"] * 3 + ["Bearer abc.def", None]
    assert "secret" not in str([path for path, _ in asked]) and "StudyDate=20200102-" in asked[0][0]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("pacs.example/dicom-web", "not the address"),
        ("ftp://pacs.example", "not the address"),
        ("http://", "not the address"),
        ("http://x:99999", "not the address"),
        ("http://me:hidden@pacs.example/dicom-web", "user or a password in it"),
        ("http://pacs.example/dicom-web?token=hidden", "a query in it"),
    ],
)
def test_addresses_that_cannot_be_used(url, message):
    with pytest.raises(ConfigError, match=message) as caught:
        DicomWeb(url)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "nothing", ":x", "Bearer ", "a:b\nc:d", "a\x07:b"])
def test_credentials_that_are_none(credentials, text):
    credentials.write_text(text)
    with pytest.raises(ConfigError, match="one line, USER:PASSWORD or Bearer TOKEN"):
        DicomWeb("https://pacs.example", credentials=credentials)


def test_credentials_that_others_can_read_or_that_go_unencrypted_are_warned_of(credentials, caplog):
    credentials.chmod(0o644)
    DicomWeb("http://pacs.example/dicom-web", credentials=credentials)
    assert "chmod 600" in caplog.text and "unencrypted" in caplog.text
    with pytest.raises(ConfigError, match="cannot be read"):
        DicomWeb("https://pacs.example", credentials=credentials.with_name("none"))
    with pytest.raises(ConfigError, match="no such file of certificates"):
        DicomWeb("https://pacs.example", ca_file=credentials.with_name("none"))
