"""A real archive for tests: Orthanc on loopback, with a configuration and a store of its own, at free ports."""

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

USER, PASSWORD = "reader", "a secret"
#: Where Debian's orthanc-dicomweb puts its plugin.
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_START_S = 30


@dataclass(frozen=True)
class Orthanc:
    """A running server."""

    http_port: int
    dicom_port: int

    @property
    def dicom_web(self):
        return f"http://127.0.0.1:{self.http_port}/dicom-web"

    def ask(self, path, data=None, method=None):
        """The JSON that its own interface answers; ``data`` bytes, or what becomes JSON."""
        body = data if data is None or isinstance(data, bytes) else json.dumps(data).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", body, method=method)
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as response:
            text = response.read()
        return json.loads(text) if text else None

    def instances(self):
        """{SOPInstanceUID: modality of its series} of all that it holds."""
        found = {}
        for instance in self.ask("/instances?expand"):
            series = self.ask(f"/series/{instance['ParentSeries']}")
            found[instance["MainDicomTags"]["SOPInstanceUID"]] = series["MainDicomTags"].get("Modality")
        return found

    def empty(self):
        for study in self.ask("/studies"):
            self.ask(f"/studies/{study}", method="DELETE")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running_orthanc(folder):
    """Start a server in an empty folder and stop it afterwards; skips where it is not installed."""
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if program is None or not PLUGIN.is_file():
        pytest.skip("Orthanc is not installed (Debian: apt-get install orthanc orthanc-dicomweb)")
    server = Orthanc(free_port(), free_port())
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "Plugins": [str(PLUGIN)],
        "HttpPort": server.http_port,
        "DicomPort": server.dicom_port,
        "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "DicomAlwaysAllowStore": True,
        "DicomCheckModalityHost": False,
        "ConcurrentJobs": 1,
        "HttpThreadsCount": 4,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with open(folder / "log.txt", "w") as log:
        process = subprocess.Popen([program, folder / "orthanc.json"], stdout=log, stderr=log)
    try:
        _wait_for(server, process, folder / "log.txt")
        yield server
    finally:
        process.kill()  # its store goes with it; to end in order takes it three seconds
        process.wait()


def _wait_for(server, process, log):
    ends = time.monotonic() + _START_S
    while time.monotonic() < ends and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            server.ask("/system")
            return
        time.sleep(0.05)
    raise RuntimeError(f"Orthanc does not start:\n{log.read_text()[-2000:]}")
