"""The page with its own server: upload, correct, restart, and what the corrections become."""

import contextlib
import io
import json
import threading
import zipfile

import pytest
from pages import SquareModel, picture
from screens import drag, on_screen

from segtumor.web.serving import running_site
from segtumor.web.site import Settings
from segtumor.web.storage.store import Store

pytestmark = pytest.mark.browser

#: Of ``pages.picture``: width and height, and the first square's corners.
WH, SQUARE = (80, 60), ((20, 10), (45, 30))


@contextlib.contextmanager
def served(folder):
    """The address of a page whose store is in a folder, until the end of the block."""
    store = Store(folder)
    try:
        with running_site(store, SquareModel(), Settings(port=0)) as (_, server, port):
            thread = threading.Thread(target=_run, args=(server,), daemon=True)
            thread.start()
            yield f"http://127.0.0.1:{port}/"
            server.close()
            thread.join(10)
    finally:
        store.close()


def _run(server):
    with contextlib.suppress(OSError):  # its socket is closed under it at the end
        server.run()


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
