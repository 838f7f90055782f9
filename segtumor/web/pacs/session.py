"""A connection to a web server that has a limit for everything: size of an answer, time, where it may lead.

No proxy and no password of this machine's settings is used, and no redirection followed: what is for the archive goes
to the address that was typed, or nowhere.
"""

import base64
import logging
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from segtumor.errors import ConfigError, PacsError
from segtumor.files import read_ordinary

if TYPE_CHECKING:
    import requests

logger = logging.getLogger(__name__)
_CHUNK_BYTES = 2**16
_MOST_CREDENTIALS_BYTES = 64 * 2**10
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class TooLargeAnswerError(PacsError):
    """An answer of more bytes than are taken."""


def check_address(url: str) -> str:
    """The address of a DICOMweb service without a slash at its end.

    Raises:
        ConfigError: it is none, or has a user, a password, a query in it; what was typed is not quoted then.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        remedy = "Type it as https://HOST:PORT/dicom-web"
        raise ConfigError("not the address of a DICOMweb service", remedy=remedy)
    if parts.username is not None or parts.password is not None:
        remedy = "Write user and password to a file"
        raise ConfigError("the address has a user or a password in it", where=parts.hostname, remedy=remedy)
    if parts.query or parts.fragment:
        raise ConfigError("the address has a query in it", where=parts.hostname, remedy="Leave out what follows ? or #")
    return url.rstrip("/")


def make_session(url: str, *, credentials: Path | None, ca_file: Path | None, most_bytes: int) -> "requests.Session":
    """A session for a checked address.

    Args:
        credentials: file with one line, USER:PASSWORD or Bearer TOKEN, or None.
        ca_file: certificates, PEM, that the server's must lead to; None for those that are commonly trusted.
        most_bytes: of one answer.

    Raises:
        ConfigError: a file cannot be read or used.
        InstallationError: what speaks to web servers is missing.
    """
    import requests

    class LimitedSession(requests.Session):
        """A session whose answers are read to their end, or to the limit."""

        def send(self, request: Any, **options: Any) -> requests.Response:
            response = super().send(request, **{**options, "stream": True, "allow_redirects": False})
            if response.is_redirect:
                response.close()
                remedy = "Type the address that it is at now"
                raise PacsError("the service has moved to another address", where=url, remedy=remedy)
            response._content = _limited(response, url, most_bytes)
            response._content_consumed = True  # as requests itself marks it
            return response

    session = LimitedSession()
    session.trust_env = False
    if ca_file is not None:
        if not Path(ca_file).is_file():
            raise ConfigError("there is no such file of certificates", where=ca_file)
        session.verify = str(ca_file)
    if credentials is not None:
        _log_in(session, _line_of(Path(credentials)), credentials)
        if url.startswith("http://") and urlsplit(url).hostname not in _LOOPBACK:
            logger.warning("%s: the password goes over the network unencrypted; use https", url)
    return session


def _limited(response: "requests.Response", url: str, most_bytes: int) -> bytes:
    data = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        data += chunk
        if len(data) > most_bytes:
            response.close()
            raise TooLargeAnswerError("an answer is too large", where=url, expected=f"at most {most_bytes} bytes")
    return bytes(data)


def _line_of(path: Path) -> str:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            logger.warning("%s: others on this machine can read the password; type: chmod 600 %s", path, path)
        text = read_ordinary(path)[:_MOST_CREDENTIALS_BYTES].decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ConfigError(f"the file of credentials cannot be read: {reason}", where=path) from None
    return text.strip()


def _log_in(session: "requests.Session", line: str, path: Path) -> None:
    kind, _, token = line.partition(" ")
    is_one_line = line.isprintable()
    if is_one_line and kind == "Bearer" and token.isascii() and token:
        session.headers["Authorization"] = f"Bearer {token.strip()}"
    elif is_one_line and line.find(":") > 0:
        session.headers["Authorization"] = f"Basic {base64.b64encode(line.encode()).decode()}"
    else:
        raise ConfigError("no credentials", where=path, expected="one line, USER:PASSWORD or Bearer TOKEN")
