"""Pages to test with."""

import pytest
from pages import Page, SquareModel

from segtumor.web.app import create_app
from segtumor.web.site import Settings, Site
from segtumor.web.storage.store import Store
from segtumor.web.worker import Worker


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "page")
    yield store
    store.close()


@pytest.fixture
def make_site(store):
    """Settings -> a site whose worker reads."""
    started = []

    def make(**settings):
        model = SquareModel()
        worker = Worker(store, model, max_pixels=10**7)
        site = Site(store=store, model=model, worker=worker, settings=Settings(**settings))
        client = create_app(site).test_client()
        worker.start()
        started.append(worker)
        return site, client

    yield make
    for worker in started:
        worker.stop()


@pytest.fixture
def page(make_site):
    return Page(*make_site())
