"""One Chromium for all tests of the page, and a page that must not do what it must never do."""

import shutil
from urllib.parse import urlsplit

import pytest

CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)

#: Seconds until something that should happen counts as not happening: machines that test may be busy.
PATIENCE_S = 30


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, started once."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian, Ubuntu: apt install chromium)")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install playwright)")
    with driver.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_page(browser):
    """Function of an address -> the page, ready; no page may break, violate its policy or ask another host.

    Nothing here knows which server it is: the tests of the real one use this too.
    """
    contexts, broken, asked = [], [], []

    def heard(message):
        wanted = "Failed to load resource" in message.text  # answers that a test made go wrong
        if message.type == "error" and not wanted:
            broken.append(message.text)

    def opened(address, *, user="A. Reader", **options):
        context = browser.new_context(viewport={"width": 1280, "height": 720}, **options)
        contexts.append(context)
        if user:
            context.add_init_script(
                f"localStorage.getItem('segtumor.user') ?? localStorage.setItem('segtumor.user', '{user}')"
            )
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE_S)
        page.on("console", heard)
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("request", lambda request: asked.append((urlsplit(address).netloc, request.url)))
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert broken == []
    assert [url for host, url in asked if urlsplit(url).scheme != "blob" and urlsplit(url).netloc != host] == []


@pytest.fixture
def serve():
    """Function of a made-up world -> its address; stopped at the end."""
    import fake_server

    servers = []

    def start(world):
        server, address = fake_server.serve(world)
        servers.append(server)
        return address

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def until():
    """Function of a page and a condition -> waits for it, while the page goes on."""

    def wait(page, condition):
        for _ in range(40 * PATIENCE_S):
            if condition():
                return
            page.wait_for_timeout(25)
        raise AssertionError(f"this did not come about within {PATIENCE_S} s")

    return wait
