"""Serving the page: waitress around the application, one process for a data folder."""

import contextlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, cast

from waitress.server import create_server

from segtumor.errors import ConfigError
from segtumor.files import read_ordinary
from segtumor.system.locks import lock_folder
from segtumor.web.app import create_app
from segtumor.web.guard import loopback
from segtumor.web.model import ServedModel
from segtumor.web.site import Settings, Site
from segtumor.web.storage.store import Store
from segtumor.web.worker import Worker

_THREADS = 8
#: A connection that sends nothing for so long is closed, seconds.
_IDLE_S = 60
#: Beside the file itself a form has names, and lines between its parts.
_FORM_BYTES = 16 * 2**20
_SHORTEST_TOKEN = 16


class Server(Protocol):
    """What waitress listens with."""

    effective_port: int

    def run(self) -> None:
        """Answer until it is interrupted."""

    def close(self) -> None:
        """Stop listening."""


def read_token(path: str | Path) -> str:
    """The token in the first line of a file.

    Raises:
        ConfigError: it cannot be read, or is too short to be a secret.
    """
    try:
        lines = read_ordinary(path).decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise ConfigError(f"the token cannot be read: {error.strerror}", where=path) from error
    token = lines[0].strip() if lines else ""
    if len(token) < _SHORTEST_TOKEN:
        remedy = "Make one: python -c 'import secrets; print(secrets.token_urlsafe())' > FILE"
        expected = f"at least {_SHORTEST_TOKEN} characters in its first line"
        raise ConfigError("no token", where=path, got=f"{len(token)} characters", expected=expected, remedy=remedy)
    return token


@contextlib.contextmanager
def running_site(store: Store, model: ServedModel, settings: Settings) -> Iterator[tuple[Site, Server]]:
    """A site whose worker reads, and a server that listens; ``server.run()`` answers until it is interrupted.

    Raises:
        ConfigError: open to other machines without a token, or a port that is taken.
            Or another process serves the same data folder.
        OutputError: the folder cannot be written.
    """
    if settings.token is None and not loopback([settings.host]):
        remedy = "Name a file with a secret: --token FILE"
        raise ConfigError("other machines could use this page without a token", where="--host", remedy=remedy)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns whenever two ask at once
    with lock_folder(store.folder, remedy="It serves this page already, or choose another --data"):
        site = Site(
            store=store,
            model=model,
            worker=Worker(store, model, max_pixels=settings.limits.pixels),
            settings=settings,
        )
        shutil.rmtree(site.incoming, ignore_errors=True)
        server = _listening(site)
        site.worker.start()
        try:
            yield site, server
        finally:
            server.close()
            site.worker.stop()


def _listening(site: Site) -> Server:
    settings = site.settings
    try:
        server = create_server(
            create_app(site),
            host=settings.host,
            port=settings.port,
            threads=_THREADS,
            ident=None,
            channel_timeout=_IDLE_S,
            max_request_body_size=settings.limits.file_bytes + _FORM_BYTES,
            clear_untrusted_proxy_headers=True,
        )
        return cast(Server, server)
    except OSError as error:
        remedy = "Choose another one: --port N" if settings.port else None
        got = f"{settings.host}:{settings.port}"
        raise ConfigError(
            f"cannot listen: {error.strerror or error}", where="--port", got=got, remedy=remedy
        ) from error
