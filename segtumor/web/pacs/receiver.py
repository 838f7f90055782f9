"""Receiving radiographs by C-STORE (PS3.4 annex B), as devices and archives send them.

Taken are the kinds of image and the transfer syntaxes that segtumor reads; others are not agreed on. One object is in
memory for each sender. Not here: what becomes of the files.
"""

import errno
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from segtumor.errors import ConfigError, OutputError, SegtumorError, needed
from segtumor.escaping import printable
from segtumor.files import prepare_output_folder, write_bytes
from segtumor.imaging.dicom.frames.syntaxes import SYNTAXES
from segtumor.reporting.dicom.source import PLANAR_CLASSES
from segtumor.web.pacs.arrivals import MOST_BYTES, OnFile, file_name, hand_over

if TYPE_CHECKING:
    from pynetdicom.events import Event
    from pynetdicom.transport import ThreadedAssociationServer

logger = logging.getLogger(__name__)

#: Answers to a C-STORE (PS3.4 B.2.3): taken, out of resources, cannot be understood.
TAKEN, NO_ROOM, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000
_LONGEST_AE = 16
_MOST_SENDERS = 4
_ACSE_S, _SILENCE_S = 10, 60
#: Longest message unit (PDU); agreed on are 16 kB, and a list of all that a sender offers is shorter.
_LONGEST_PDU = 2**20


class Receiver:
    """A storage service. Use as a context manager, or ``start`` and ``stop``.

    Args:
        port: to listen at; 0 for any that is free.
        folder: where files go, created if needed.
        on_file: called with each file, in a thread for each sender.
        host: address to listen at; this machine alone unless another is named.
        ae_title: what it is called, at most 16 characters.
        callers: AE titles of the senders that are let in; empty for any.
        checks_called: whether senders must call it by its title.
        most_bytes: of one object; whoever sends more is cut off.
        has_room: asked before each object is taken; where it says no, the sender is told "out of resources".

    Raises:
        ConfigError: a title or port that cannot be.
        InstallationError: pynetdicom is missing.
    """

    def __init__(
        self,
        port: int,
        folder: str | Path,
        on_file: OnFile,
        *,
        host: str = "127.0.0.1",
        ae_title: str = "SEGTUMOR",
        callers: Sequence[str] = (),
        checks_called: bool = False,
        most_bytes: int = MOST_BYTES,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        remedy = "Type: pip install 'segtumor[dicom]'"
        with needed("pynetdicom", "receiving DICOM needs pynetdicom", remedy=remedy):
            from pynetdicom import AE

        for title in (ae_title, *callers):
            if not 0 < len(title.strip()) <= _LONGEST_AE or not title.isascii() or "\\" in title:
                raise ConfigError("not an AE title", got=printable(title), expected="1 to 16 characters of ASCII")
        if not 0 <= port <= 0xFFFF:
            raise ConfigError("not a port", got=port, expected="0 to 65535")
        self._address, self._folder, self._on_file = (host, port), Path(folder), on_file
        self._most_bytes, self._has_room = most_bytes, has_room
        self._server: ThreadedAssociationServer | None = None
        self._received: dict[int, int] = {}
        self._entity = AE(ae_title.strip())
        self._entity.require_calling_aet = [title.strip() for title in callers]
        self._entity.require_called_aet = checks_called
        self._entity.maximum_associations = _MOST_SENDERS
        self._entity.acse_timeout = _ACSE_S
        self._entity.network_timeout = self._entity.dimse_timeout = _SILENCE_S
        for sop_class in PLANAR_CLASSES:
            self._entity.add_supported_context(sop_class, list(SYNTAXES))
        self._entity.add_supported_context("1.2.840.10008.1.1")  # C-ECHO

    @property
    def port(self) -> int:
        """The port that it listens at; of a stopped one the port that was asked for."""
        return self._address[1] if self._server is None else int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to listen, in threads of its own.

        Raises:
            ConfigError: the port is taken, or may not be used.
            OutputError: the folder cannot be written.
        """
        from pynetdicom import evt

        prepare_output_folder(self._folder)
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, _guard),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_PDU_RECV, self._count),
            (evt.EVT_CONN_CLOSE, self._forget),
        ]
        try:
            self._server = self._entity.start_server(self._address, block=False, evt_handlers=handlers)
        except OSError as error:
            where, what = f"{self._address[0]}:{self._address[1]}", f"cannot listen: {error.strerror or error}"
            raise ConfigError(what, where=where, remedy="Choose another port") from error

    def stop(self) -> None:
        """Stop listening and cut off whoever is sending; what was taken stays."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _count(self, event: "Event") -> None:
        """Cut off a sender whose object is larger than what is taken, before it fills the memory."""
        from pynetdicom.pdu import P_DATA_TF

        if not isinstance(event.pdu, P_DATA_TF):
            return
        sender = id(event.assoc)
        self._received[sender] = self._received.get(sender, 0) + len(event.pdu)
        if self._received[sender] > self._most_bytes:
            logger.warning("%s: cut off, an object has more than %d bytes", _origin(event), self._most_bytes)
            event.assoc.abort(block=False)

    def _forget(self, event: "Event") -> None:
        self._received.pop(id(event.assoc), None)

    def _store(self, event: "Event") -> int:
        """Take one object; the answer to its sender."""
        from segtumor.imaging.dicom.silence import silent_pydicom

        self._received.pop(id(event.assoc), None)
        if not self._has_room():
            logger.warning("%s: refused, there is no room", _origin(event))
            return NO_ROOM
        path = self._folder / file_name(str(getattr(event.request, "AffectedSOPInstanceUID", "")))
        try:
            with silent_pydicom():
                write_bytes(path, event.encoded_dataset())
            hand_over(path, _origin(event), self._on_file)
        except OutputError as error:
            logger.warning("%s: refused, %s", _origin(event), error)
            return NO_ROOM
        except SegtumorError as error:
            logger.warning("%s: refused, %s", _origin(event), error)
            return NOT_UNDERSTOOD
        return TAKEN


def _guard(event: "Event") -> None:
    """Close a connection that announces an endless message, which would be kept in memory until it is whole."""
    connection = event.assoc.dul.socket
    if connection is None:
        return
    receive = connection.recv

    def limited(nr_bytes: int) -> bytearray:
        if nr_bytes > _LONGEST_PDU:
            raise OSError(errno.EMSGSIZE, "a message longer than is agreed on")
        return receive(nr_bytes)

    connection.recv = limited  # type: ignore[method-assign]


def _origin(event: "Event") -> str:
    """Where an object came from: what the sender calls itself, which proves nothing."""
    title = printable(event.assoc.requestor.ae_title.strip())[:_LONGEST_AE]
    return f"DICOM from {title or 'nobody'}"
