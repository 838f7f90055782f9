"""Waitress with a limit on how long a request may take to arrive, and a port that can be asked for."""

import threading
import time
from typing import Any, Protocol

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import create_server
from waitress.trigger import trigger as Trigger
from waitress.utilities import BadRequest

from segtumor.errors import ConfigError
from segtumor.web.site import Settings

_THREADS = 8
#: A connection that sends nothing for so long is closed; a request that has not arrived whole after so long is refused.
_IDLE_S, ARRIVAL_S = 60, 900
_CLOSING_S = 10
#: Beside the file itself a form has names, and lines between its parts.
_FORM_BYTES = 16 * 2**20


class Server(Protocol):
    """What listens."""

    def run(self) -> None:
        """Answer until it is interrupted."""

    def close(self) -> None:
        """Stop listening, and end the connections."""


class _Timeout(BadRequest):
    code = 408
    reason = "Request Timeout"


class _TimedParser(HTTPRequestParser):
    """Refuses what comes in drops: each would keep its connection awake."""

    def __init__(self, adjustments: Any) -> None:
        super().__init__(adjustments)
        self._until = time.monotonic() + ARRIVAL_S

    def received(self, data: bytes) -> int:
        if self.completed or time.monotonic() < self._until:
            return super().received(data)
        self.error = _Timeout(f"It has not arrived within {ARRIVAL_S} s.")
        self.completed = True
        return len(data)


class _TimedChannel(HTTPChannel):
    parser_class = _TimedParser


class _Listening:
    """A server of waitress that ends its connections when it closes: browsers keep theirs open, and it waits for them.

    Whichever thread answers closes, as two would trip over each other.
    """

    def __init__(self, server: Server, sockets: dict[int, Any]) -> None:
        self._server, self._sockets = server, sockets
        self._at_rest = threading.Event()
        self._at_rest.set()

    def run(self) -> None:
        self._at_rest.clear()
        try:
            self._server.run()
        finally:
            self._end()
            self._at_rest.set()

    def close(self) -> None:
        trigger = next((one for one in self._sockets.values() if isinstance(one, Trigger)), None)
        if trigger is None or self._at_rest.is_set():
            self._end()
        else:
            trigger.pull_trigger(self._end)  # type: ignore[arg-type]  # it is called without anything
            self._at_rest.wait(_CLOSING_S)

    def _end(self) -> None:
        for one in list(self._sockets.values()):
            one.handle_close() if isinstance(one, HTTPChannel) else one.close()


def listening(app: Flask, settings: Settings) -> tuple[Server, int]:
    """A server that listens, and the port that it has.

    Raises:
        ConfigError: it cannot listen there.
    """
    sockets: dict[int, Any] = {}
    try:
        server = create_server(
            app,
            map=sockets,
            host=settings.host,
            port=settings.port,
            threads=_THREADS,
            ident=None,
            channel_timeout=_IDLE_S,
            max_request_body_size=settings.limits.file_bytes + _FORM_BYTES,
            clear_untrusted_proxy_headers=True,
        )
    except (OSError, ValueError) as error:  # ValueError: a name that does not resolve
        what = f"cannot listen: {getattr(error, 'strerror', None) or error}"
        where = f"{settings.host}:{settings.port}"
        raise ConfigError(what, where="--host, --port", got=where, remedy="Choose another one") from error
    ports = [one.effective_port for one in sockets.values() if hasattr(one, "effective_port")]
    for one in sockets.values():
        one.channel_class = _TimedChannel
    return _Listening(server, sockets), int(ports[0])
