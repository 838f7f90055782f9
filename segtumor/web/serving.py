"""Serving the page: waitress around the application, one process for a data folder."""

import contextlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from segtumor.errors import ConfigError, DataError
from segtumor.files import read_ordinary
from segtumor.system.locks import lock_folder
from segtumor.web.app import create_app
from segtumor.web.guard import loopback
from segtumor.web.intake import take_in
from segtumor.web.listening import Server, listening
from segtumor.web.model import ServedModel
from segtumor.web.pacs.dicomweb import DicomWeb
from segtumor.web.pacs.receiver import Receiver
from segtumor.web.site import Settings, Site
from segtumor.web.storage.store import Store
from segtumor.web.worker import Worker

_SHORTEST_TOKEN = 16


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
def running_site(
    store: Store, model: ServedModel, settings: Settings, archive: DicomWeb | None = None
) -> Iterator[tuple[Site, Server, int]]:
    """A site whose worker reads, a server that listens, and its port; ``server.run()`` answers until it is interrupted.

    Raises:
        ConfigError: open to other machines without a token, a port that is taken, or a data folder that another process
            serves.
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
            archive=archive,
        )
        shutil.rmtree(site.incoming, ignore_errors=True)
        server, port = listening(create_app(site), settings)
        site.worker.start()
        try:
            yield site, server, port
        finally:
            server.close()
            site.worker.stop()


def receiver_of(site: Site, port: int, *, host: str, ae_title: str, callers: Sequence[str]) -> Receiver:
    """A receiver of what devices and archives send by C-STORE, whose radiographs wait for a reading like all others.

    Raises:
        ConfigError: open to other machines without a list of who may send; else as ``Receiver``.
        InstallationError: pynetdicom is missing.
    """
    if not callers and not loopback([host]):
        remedy = "Name who may send: --dicom-callers AE_TITLE ..."
        raise ConfigError("any machine could send to this port", where="--dicom-host", remedy=remedy)

    def take(path: Path, origin: str) -> None:
        found = take_in(site.store, path, origin, limits=site.settings.limits, origin=origin)
        path.unlink(missing_ok=True)
        if not found.images:
            raise DataError(found.refused[0][1])
        site.worker.wake()

    def has_room() -> bool:
        return site.store.count_waiting() < site.settings.most_waiting

    folder = site.incoming / "dicom"
    return Receiver(port, folder, take, host=host, ae_title=ae_title, callers=callers, has_room=has_room)
