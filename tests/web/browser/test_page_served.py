"""The page with its own server: upload, correct, restart, and what the corrections become."""

import contextlib
import io
import json
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from dicom_radiographs import FULL, radiograph_file
from pages import SQUARES, SquareModel, picture
from screens import drag, on_screen

from segtumor.web.pacs.dicomweb import Sent, Study
from segtumor.web.serving import running_site
from segtumor.web.site import Settings
from segtumor.web.storage.store import Store

pytestmark = pytest.mark.browser

#: Of ``pages.picture``: width and height, and the first square's corners.
WH, SQUARE = (80, 60), ((20, 10), (45, 30))


@contextlib.contextmanager
def served(folder, archive=None):
    """The address of a page whose store is in a folder, until the end of the block."""
    store = Store(folder)
    try:
        with running_site(store, SquareModel(), Settings(port=0), archive) as (_, server, port):
            thread = threading.Thread(target=server.run, daemon=True)
            thread.start()
            yield f"http://127.0.0.1:{port}/"
            server.close()
            thread.join(10)
            assert not thread.is_alive()
    finally:
        store.close()


def test_upload_correct_restart_and_export(tmp_path, open_page, until):
    with served(tmp_path / "page") as address:
        page = open_page(address)
        files = [("knee.png", picture(0, 1)), ("normal.png", picture()), ("notes.txt", b"no picture")]
        page.locator("#files").set_input_files([{"name": n, "mimeType": "", "buffer": b} for n, b in files])
        page.wait_for_selector("[data-testid=finding]")
        assert page.get_by_test_id("refused").inner_text().startswith("notes.txt ")
        assert page.get_by_test_id("summary").inner_text() == "1 finding at or above 0.50"
        page.get_by_test_id("threshold").fill("0.2")
        assert page.get_by_test_id("finding").count() == 2
        page.keyboard.type("ne")
        drag(page, on_screen(page, WH, SQUARE[0]), on_screen(page, WH, (15, 5)))
        page.wait_for_selector("[data-testid=save][data-state=saved]")
        page.keyboard.press("Enter")
        page.keyboard.type("nx")
        until(page, lambda: page.locator(".finding.rejected").count() == 1)
        page.wait_for_selector("[data-testid=save][data-state=saved]")
        page.keyboard.type("g")
        page.wait_for_selector("canvas.heat")
    with served(tmp_path / "page") as address:
        page = open_page(address)
        page.wait_for_selector(".viewport:not(.blank)")
        page.get_by_role("button", name="knee").click()
        page.wait_for_selector(".finding.edited")
        assert "read by A. Reader" in page.locator("#reviewed").inner_text()
        with page.expect_download() as download:
            page.locator("#export-menu summary").click()
            page.get_by_test_id("export-coco").click()
        archive = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
        (name,) = [name for name in archive.namelist() if name.endswith("annotations/all.json")]
        (lesion,) = json.loads(archive.read(name))["annotations"]
        assert lesion["bbox"] == pytest.approx([15, 5, 30, 25], abs=0.6)  # from (15, 5) to (45, 30)


class OneStudy:
    """An archive with one study of one radiograph; ``received`` is what was sent to it."""

    def __init__(self, path):
        self.content, self.received = path.read_bytes(), []

    def studies(self, **asked):
        self.asked = asked
        return [Study("1.2.3", "20260131", ("DX",), "<b>Knee</b>", 1)]

    def fetch(self, study_uid, folder, on_file):
        path = Path(folder) / "fetched.dcm"
        path.write_bytes(self.content)
        on_file(path, "an archive")
        return 1

    def send(self, paths):
        paths = list(paths)
        self.received += [path.name.rpartition("_")[2] for path in paths]
        return [Sent(path) for path in paths]


def test_a_study_comes_from_the_archive_and_results_go_back(tmp_path, open_page, until, monkeypatch):
    pytest.importorskip("highdicom")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    stored = np.full((60, 80), 1000, dtype=np.uint16)
    stored[SQUARES[0]] = 4095
    archive = OneStudy(radiograph_file(tmp_path / "a.dcm", stored, WindowCenter=2048, WindowWidth=4096, **FULL))
    with served(tmp_path / "page", archive) as address:
        page = open_page(address)
        page.get_by_test_id("open-archive").click()
        page.wait_for_selector(".study")
        assert page.locator(".study span").inner_text().startswith("2026-01-31 · DX, 1 image")
        assert archive.asked["since"] is not None and "Knee" not in page.locator(".study").inner_text()
        page.get_by_test_id("take").click()
        until(page, lambda: page.get_by_test_id("take").inner_text() == "Taken")
        page.keyboard.press("Escape")
        page.wait_for_selector("[data-testid=finding]")
        page.locator("#export-menu summary").click()
        page.get_by_test_id("send-archive").click()
        until(page, lambda: "took 3 objects" in page.get_by_test_id("hint").inner_text())
    assert sorted(archive.received) == ["sc.dcm", "seg.dcm", "sr.dcm"]
