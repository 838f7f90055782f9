"""What all parts of the page share: its store, its model, its worker and its settings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segtumor.web.intake import Limits
from segtumor.web.model import ServedModel
from segtumor.web.pacs.dicomweb import DicomWeb
from segtumor.web.storage.store import Store
from segtumor.web.worker import Worker


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How it is served.

    Attributes:
        host, port: where it listens.
        hosts: further names by which browsers may call it.
        token: what people type to come in; None on loopback.
        show_patient: whether names from DICOM headers are shown.
        most_waiting: images that may wait for a reading; more are refused for a while.
        limits: of files and radiographs.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    hosts: Sequence[str] = ()
    token: str | None = None
    show_patient: bool = False
    most_waiting: int = 500
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running page; ``archive`` is where studies come from and results go, or None."""

    store: Store
    model: ServedModel
    worker: Worker
    settings: Settings
    archive: DicomWeb | None = None

    @property
    def incoming(self) -> Path:
        """Folder of what is being received; emptied at a start."""
        return self.store.folder / "incoming"
