"""Receiving by C-STORE: from Orthanc as the sender, and from senders that are refused."""

import contextlib
import logging
import re
import socket
import time

import numpy as np
import pytest
from dicom_radiographs import FULL, IMAGE, radiograph_file
from orthanc_server import free_port

from segtumor.errors import ConfigError, DataError, OutputError
from segtumor.imaging import read_radiograph
from segtumor.web.pacs.arrivals import file_name
from segtumor.web.pacs.receiver import NO_ROOM, NOT_UNDERSTOOD, TAKEN, Receiver

pytestmark = pytest.mark.command
pynetdicom = pytest.importorskip("pynetdicom")
pydicom = pytest.importorskip("pydicom")


@pytest.fixture
def receiving(tmp_path):
    """Function of options -> a running Receiver, and a list of what it hands over."""
    running = []

    def receive(on_file=None, **options):
        came = []
        take = on_file or (lambda path, origin: came.append((path, origin)))
        receiver = Receiver(0, tmp_path / "in", take, **options)
        receiver.start()
        running.append(receiver)
        return receiver, came

    yield receive
    for receiver in running:
        receiver.stop()


def files(tmp_path):
    return sorted(path.name for path in (tmp_path / "in").iterdir())


def store(receiver, path, *, calling="XRAY1", called="SEGTUMOR"):
    """The status that a sender is answered; None where nothing is agreed on or it is cut off."""
    dataset = pydicom.dcmread(path)
    sender = pynetdicom.AE(calling)
    sender.acse_timeout = sender.dimse_timeout = sender.network_timeout = 5
    sender.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = sender.associate("127.0.0.1", receiver.port, ae_title=called)
    if not association.is_established:
        return None
    try:
        return association.send_c_store(dataset).get("Status")
    finally:
        association.release()


def test_orthanc_sends_and_the_same_radiograph_arrives(orthanc, receiving, tmp_path):
    source = radiograph_file(tmp_path / "source.dcm", **FULL)
    orthanc.ask("/instances", source.read_bytes())
    receiver, came = receiving()
    orthanc.ask("/modalities/here", {"AET": "SEGTUMOR", "Host": "127.0.0.1", "Port": receiver.port}, method="PUT")
    assert orthanc.ask("/modalities/here/echo", {}) == {}
    orthanc.ask("/modalities/here/store", orthanc.ask("/instances"))
    ((path, origin),) = came
    assert origin == "DICOM from ORTHANC" and files(tmp_path) == [path.name]
    assert IMAGE not in path.name and "SECRET" not in path.name
    np.testing.assert_array_equal(read_radiograph(path).pixels, read_radiograph(source).pixels)
    assert str(pydicom.dcmread(path).PatientName) == "Müller^Änne"


def test_what_is_sent_twice_is_one_file(receiving, tmp_path):
    receiver, came = receiving()
    path = radiograph_file(tmp_path / "a.dcm")
    assert [store(receiver, path), store(receiver, path)] == [TAKEN, TAKEN]
    assert len(came) == 2 and len(files(tmp_path)) == 1
    port = receiver.port
    receiver.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.mark.parametrize(
    ("options", "calling", "called", "status"),
    [
        ({"callers": ["XRAY1", "ORTHANC"]}, "XRAY1", "ANY", TAKEN),
        ({"callers": ["ORTHANC"]}, "XRAY1", "SEGTUMOR", None),
        ({"checks_called": True}, "XRAY1", "SEGTUMOR", TAKEN),
        ({"checks_called": True}, "XRAY1", "ANY", None),
    ],
)
def test_who_may_send_is_told_by_the_titles(receiving, tmp_path, options, calling, called, status):
    receiver, came = receiving(**options)
    assert store(receiver, radiograph_file(tmp_path / "a.dcm"), calling=calling, called=called) == status
    assert len(came) == (status == TAKEN)


def test_without_room_the_sender_is_told_and_may_try_again(receiving, tmp_path, caplog):
    room = iter([False, True])
    receiver, came = receiving(has_room=lambda: next(room))
    path = radiograph_file(tmp_path / "a.dcm")
    assert store(receiver, path) == NO_ROOM and files(tmp_path) == []
    assert store(receiver, path) == TAKEN and len(came) == 1
    assert "DICOM from XRAY1: refused, there is no room" in caplog.text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DataError("no radiograph"), NOT_UNDERSTOOD),
        (OutputError("no space left"), NO_ROOM),
        (ValueError("a bug"), 0xC211),
    ],
)
def test_a_file_that_is_refused_by_who_takes_it_does_not_stay(receiving, tmp_path, error, status, caplog):
    def refuse(path, origin):
        assert path.exists()
        raise error

    receiver, _ = receiving(refuse)
    with caplog.at_level(logging.WARNING):
        assert store(receiver, radiograph_file(tmp_path / "a.dcm")) == status
    assert files(tmp_path) == [] and "SECRET" not in caplog.text


def test_a_full_disk_is_out_of_resources(receiving, tmp_path):
    receiver, came = receiving()
    (tmp_path / "in").rmdir()
    (tmp_path / "in").write_text("a file in the way")
    assert store(receiver, radiograph_file(tmp_path / "a.dcm")) == NO_ROOM and came == []


def test_a_sender_of_too_much_is_cut_off(receiving, tmp_path, caplog):
    receiver, came = receiving(most_bytes=20_000)
    small = radiograph_file(tmp_path / "a.dcm")
    large = radiograph_file(tmp_path / "b.dcm", np.zeros((400, 400), dtype=np.uint16), SOPInstanceUID="1.2.9")
    assert store(receiver, small) == TAKEN
    assert store(receiver, large) is None
    assert store(receiver, small) == TAKEN, "others go on, and each object counts alone"
    assert len(came) == 2 and "cut off, an object has more than 20000 bytes" in caplog.text


def test_who_announces_an_endless_message_is_cut_off(receiving):
    receiver, _ = receiving()
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=5) as sender:
        sender.sendall(bytes([1, 0]) + (2**31).to_bytes(4, "big") + bytes(1000))
        with contextlib.suppress(ConnectionResetError):
            assert sender.recv(10) == b""


@pytest.mark.parametrize(
    "elements",
    [{"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}, {"syntax": "1.2.840.10008.1.2.4.100"}],
    ids=["MR", "MPEG"],
)
def test_what_is_not_read_is_not_agreed_on(receiving, tmp_path, elements):
    receiver, came = receiving()
    path = radiograph_file(tmp_path / "a.dcm", **elements, **({"fragments": [b"xx"]} if "syntax" in elements else {}))
    assert store(receiver, path) is None and came == []


@pytest.mark.parametrize("uid", ["1.2.3", "", "1.2/../../../x", "..", "ä\0" * 99])
def test_the_name_of_a_file_says_nothing_and_leads_nowhere(uid):
    assert re.fullmatch(r"[0-9a-f]{32}\.dcm", file_name(uid)) and file_name(uid) != file_name(f"{uid}1")


def test_titles_ports_and_folders_that_cannot_be(tmp_path):
    for options in ({"ae_title": "x" * 17}, {"ae_title": ""}, {"callers": ["ä"]}, {"callers": ["a\\b"]}):
        with pytest.raises(ConfigError, match="not an AE title"):
            Receiver(0, tmp_path, print, **options)
    with pytest.raises(ConfigError, match="not a port"):
        Receiver(70_000, tmp_path, print)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        Receiver(0, tmp_path / "file", print).start()


def test_a_port_that_is_taken(tmp_path):
    with (
        Receiver(free_port(), tmp_path, print) as first,
        pytest.raises(ConfigError, match=r"cannot listen.*another port"),
    ):
        Receiver(first.port, tmp_path, print).start()


def test_it_stops_while_somebody_is_connected(receiving, tmp_path):
    receiver, _ = receiving()
    sender = pynetdicom.AE()
    sender.add_requested_context("1.2.840.10008.1.1")
    association = sender.associate("127.0.0.1", receiver.port)
    started = time.monotonic()
    receiver.stop()
    association.abort()
    assert time.monotonic() - started < 5
