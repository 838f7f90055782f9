"""``segtumor serve`` as a process: from a radiograph to a reviewed data set, through a crash."""

import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from pages import picture

from segtumor.commands.serve import main


def test_help_needs_no_server_library():
    code = """
import sys
from segtumor.commands import serve
serve.build_parser()
print([name for name in ("flask", "sqlalchemy") if name in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["--port", "70000"], "--port"),
        (["--threads", "0"], "--threads"),
        (["--output", "x"], "only export"),
        (["export"], "--output"),
        (["purge"], "--older-than"),
        (["purge", "--older-than", "soon"], "12h, 30d or 8w"),
        (["--host", "0.0.0.0"], "token"),
        (["--token", "missing"], "missing"),
        (["--model", "nothing"], "btxrd-lite"),
        (["export", "--output", "x", "--data", "missing"], "no such folder"),
    ],
)
def test_wrong_usage_is_told(tmp_path, monkeypatch, capsys, typed, told):
    monkeypatch.chdir(tmp_path)
    if typed[0] == "purge":
        (tmp_path / "output" / "page").mkdir(parents=True)
    assert main(typed) == 2
    assert told in capsys.readouterr().err


@contextlib.contextmanager
def served(data, *typed):
    """A running page: its process and address."""
    command = [sys.executable, "-m", "segtumor", "serve", "--data", str(data), "--port", "0", "--threads", "1", *typed]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        line = process.stdout.readline()
        try:
            yield process, line.split(" at ")[1].split(" ")[0].rstrip("/")
        finally:
            process.kill()


def asked(url, method="GET", body=None, kind="application/json"):
    headers = {"X-Segtumor": "1", "X-User": "R", "Content-Type": kind}
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def form(name, content):
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--x--\r\n"


@pytest.mark.command
def test_a_review_outlives_a_kill_and_becomes_a_data_set(tmp_path, capsys):
    data, kind = tmp_path / "page", "multipart/form-data; boundary=x"
    with served(data) as (process, address):
        sent = asked(
            f"{address}/api/v1/images",
            "POST",
            form("a.png", picture(size_hw=(64, 64))),
            kind,
        )
        path = f"{address}/api/v1/images/{sent['images'][0]['id']}"
        for _ in range(600):
            image = asked(path)
            if image["status"] == "done":
                break
            time.sleep(0.05)
        assert image["status"] == "done" and image["reading"]["model"].startswith("btxrd-lite ")
        findings = [
            {"origin": f["index"], "verdict": "rejected", "class": f["class"], "outlines": []}
            for f in image["reading"]["findings"]
        ]
        review = json.dumps({"revision": 0, "findings": findings}).encode()
        assert asked(f"{path}/review", "PUT", review)["revision"] == 1
        process.kill()
    with served(data) as (process, address):
        assert asked(f"{address}/api/v1/images/{image['id']}")["review"]["revision"] == 1
        assert main(["--data", str(data), "--port", "0"]) == 2  # it is served already
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert "already" in capsys.readouterr().err
    assert main(["export", "--data", str(data), "--output", str(tmp_path / "corrected")]) == 0
    assert "Wrote 1 reviewed images with 0 lesions" in capsys.readouterr().out
    assert main(["purge", "--data", str(data), "--older-than", "1h"]) == 0
    assert main(["purge", "--data", str(data), "--older-than", "0h"]) == 0
    assert "Removed 1 images" in capsys.readouterr().out


@pytest.mark.command
def test_samples_are_there_to_look_at(tmp_path):
    with served(tmp_path, "--samples") as (_, address):
        cases = asked(f"{address}/api/v1/cases")
    assert cases["total"] == 6 and all(case["name"].startswith("sample") for case in cases["cases"])
    with served(tmp_path, "--samples") as (_, address):
        assert asked(f"{address}/api/v1/cases")["total"] == 6
