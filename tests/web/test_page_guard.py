"""Who gets in: names of the server, other pages, tokens; and what browsers are told."""

import contextlib
import socket
import threading
import time

import pytest
from pages import Page, dicom, picture

from segtumor.errors import ConfigError
from segtumor.web import listening
from segtumor.web.guard import loopback
from segtumor.web.serving import read_token, running_site
from segtumor.web.site import Settings

TOKEN = "a secret that nobody guesses"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("localhost:8000", 200), ("127.0.0.1:9", 200), ("[::1]:8000", 200), ("LOCALHOST", 200),
        ("evil.example", 421), ("localhost.evil.example", 421), ("127.0.0.1.evil.example:8000", 421), ("", 421),
    ],
)  # fmt: skip
def test_other_names_are_no_names_of_this_server(page, host, status):
    assert page.get("/about", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"X-Segtumor": "0"}, 403),
        ({"X-Segtumor": "1"}, 404),
        ({"X-Segtumor": "1", "Origin": "http://localhost"}, 404),
        ({"X-Segtumor": "1", "Origin": "http://evil.example"}, 403),
        ({"X-Segtumor": "1", "Origin": "null"}, 403),
        ({"X-Segtumor": "1", "Origin": "http://localhost:81"}, 403),
    ],
)
def test_changes_come_from_this_page_alone(page, headers, status):
    assert page.client.delete("/api/v1/images/i-0", headers=headers).status_code == status
    if status == 403:
        assert page.client.post("/api/v1/images", headers=headers).status_code == 403
        assert page.client.put("/api/v1/images/i-0/review", headers=headers).status_code == 403


def test_no_other_page_may_ask_and_browsers_load_nothing_from_elsewhere(page):
    answer = page.get("/about", headers={"Origin": "http://evil.example"})
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Cache-Control"] == "no-store"


def test_a_token_opens_the_api(make_site):
    page = Page(*make_site(token=TOKEN))
    assert page.get("/about").status_code == 401
    for given, status in ((f"Bearer {TOKEN}", 200), ("Bearer wrong", 401), (TOKEN, 401), (f"bearer  {TOKEN}", 200)):
        assert page.get("/about", headers={"Authorization": given}).status_code == status


def test_logging_in_opens_the_page(make_site):
    _, client = make_site(token=TOKEN)
    assert client.get("/").headers["Location"] == "/login"
    assert client.get("/login").status_code == 200
    wrong = client.post("/login", data={"token": "wrong"})
    assert wrong.headers["Location"] == "/login?wrong=1" and client.get("/api/v1/about").status_code == 401
    right = client.post("/login", data={"token": TOKEN})
    assert right.status_code == 303 and client.get("/api/v1/about").status_code == 200
    cookie = right.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie
    foreign = client.post("/login", data={"token": TOKEN}, headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403


def test_after_ten_wrong_tokens_even_the_right_one_waits(make_site):
    _, client = make_site(token=TOKEN)
    for number in range(10):
        client.get("/api/v1/about", headers={"Authorization": f"Bearer {number}"})
    assert client.get("/api/v1/about", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 401


def test_names_of_patients_stay_out_unless_they_are_asked_for(make_site, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))  # the secret of case ids
    hidden = Page(*make_site())
    (image,) = hidden.read(("muster.dcm", dicom(PatientName="MUSTER^ERIKA", PatientID="4711")))
    assert image["is_dicom"] and image["patient"] is None and image["case_name"].startswith("case-")
    shown = Page(*make_site(show_patient=True))
    patient = shown.get(f"/images/{image['id']}").json["patient"]
    assert (patient["name"], patient["id"]) == ("MUSTER ERIKA", "4711")


def test_without_a_token_only_this_machine_is_served(store):
    with pytest.raises(ConfigError, match="token"), running_site(store, None, Settings(host="0.0.0.0")):
        pass


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1", True), ("127.5.5.5", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("192.0.2.1", False), ("::", False), ("127.0.0.1.example", False), ("example", False),
    ],
)  # fmt: skip
def test_which_addresses_are_this_machines_own(host, is_own):
    assert loopback([host]) is is_own


@pytest.mark.parametrize("content", ["", "short\n", "   \nsecond line that is long enough"])
def test_a_token_is_a_secret(tmp_path, content):
    (tmp_path / "token").write_text(content)
    with pytest.raises(ConfigError, match="16 characters"):
        read_token(tmp_path / "token")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_token(tmp_path / "missing")


def started(site, client):
    """A server that listens, its thread and its port."""
    server, port = listening.listening(client.application, site.settings)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    return server, thread, port


def test_a_server_that_closes_ends_the_connections_that_browsers_keep(make_site):
    server, thread, port = started(*make_site(port=0))
    with socket.create_connection(("127.0.0.1", port), timeout=10) as kept:
        kept.sendall(b"GET /static/page.css HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert kept.recv(12) == b"HTTP/1.1 200"
        server.close()
        thread.join(5)
        with contextlib.suppress(ConnectionResetError):
            while kept.recv(2**16):
                pass
    assert not thread.is_alive()


def test_a_request_that_comes_in_drops_is_refused_in_words(make_site, monkeypatch):
    monkeypatch.setattr(listening, "ARRIVAL_S", 0.2)
    site, client = make_site(port=0)
    server, thread, port = started(site, client)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST /api/v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx")
        time.sleep(0.3)
        connection.sendall(b"x")
        answer = connection.makefile("rb").read()
    server.close()
    thread.join()
    assert answer.startswith(b"HTTP/1.1 408 ") and b"has not arrived within" in answer


def test_logs_and_addresses_name_nobody(page, caplog):
    caplog.set_level("DEBUG")
    (image,) = page.read(("muster_erika.png", picture(0)), case="muster erika")
    assert "muster" not in image["id"] + image["case"] + image["pixels"]
    assert "muster" not in caplog.text.lower()
