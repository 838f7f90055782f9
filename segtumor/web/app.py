"""The application: the page, its API, and what it says when something is wrong."""

import errno
import logging
import tempfile
from typing import IO, Any

from flask import Flask, Request, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from segtumor import NOTICE, __version__
from segtumor.errors import (
    BadImageError,
    ConfigError,
    DataError,
    InstallationError,
    OutputError,
    PacsError,
    SegtumorError,
)
from segtumor.web import api, report
from segtumor.web.guard import guard
from segtumor.web.model import reason_of
from segtumor.web.objects import NoDicomError
from segtumor.web.site import Site
from segtumor.web.storage.store import StaleReviewError, UnknownImageError

logger = logging.getLogger(__name__)

#: What a form may hold beside files: a case's name, or a review.
_TEXT_BYTES = 8 * 2**20
_PARTS = 2000
_STATUS: tuple[tuple[type[SegtumorError], int], ...] = (
    (UnknownImageError, 404),
    (StaleReviewError, 409),
    (NoDicomError, 409),
    (PacsError, 502),
    (BadImageError, 422),
    (DataError, 422),
    (ConfigError, 422),
    (OutputError, 507),
    (InstallationError, 501),
)


def create_app(site: Site) -> Flask:
    """The WSGI application of a site."""
    app = Flask(__name__)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # of the default provider
    app.request_class = _request_class(site)
    app.config.update(
        MAX_CONTENT_LENGTH=site.settings.limits.file_bytes + _TEXT_BYTES,
        MAX_FORM_MEMORY_SIZE=_TEXT_BYTES,
        MAX_FORM_PARTS=_PARTS,
    )
    app.jinja_env.globals.update(notice=NOTICE, version=__version__)
    site.incoming.mkdir(exist_ok=True)
    guard(app, site.settings)
    _add_errors(app)
    _add_pages(app, site)
    api.register(app, site)
    report.register(app, site)
    return app


def _request_class(site: Site) -> type[Request]:
    """Uploads are received beside the data, where there is space for them."""

    class ReceivingRequest(Request):
        def _get_file_stream(
            self,
            total_content_length: int | None,
            content_type: str | None,
            filename: str | None = None,
            content_length: int | None = None,
        ) -> IO[bytes]:
            return tempfile.TemporaryFile(dir=site.incoming)

    return ReceivingRequest


def _add_pages(app: Flask, site: Site) -> None:
    @app.get("/")
    def page() -> ResponseReturnValue:
        return render_template("page.html")

    @app.get("/login")
    def login() -> ResponseReturnValue:
        return render_template("login.html", wrong="wrong" in request.args)


def _add_errors(app: Flask) -> None:
    @app.errorhandler(HTTPException)
    def told(error: HTTPException) -> ResponseReturnValue:
        sentences = {
            404: "There is nothing at this address.",
            405: "This cannot be done at this address.",
            413: "What was sent is too large.",
        }
        text = sentences.get(error.code or 500, error.description)
        return _answer(text or error.name, None, error.code or 500, dict(error.get_headers()))

    @app.errorhandler(SegtumorError)
    def refused(error: SegtumorError) -> ResponseReturnValue:
        code = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
        details = f"{error.where}: {error.what}" if code == 422 and error.where else None
        sentence = str(DataError(details or error.what, got=error.got, expected=error.expected))
        return _answer(sentence if code != 507 else reason_of(error), error.remedy, code)

    @app.errorhandler(OSError)
    def no_space(error: OSError) -> ResponseReturnValue:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _answer("The disk of the server is full; nothing was lost.", "Free some space and try again", 507)
        logger.exception("a request failed")
        return _answer("A bug in segtumor.", "Please report it with the log of the server", 500)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> ResponseReturnValue:
        logger.exception("a request failed", exc_info=error)
        return _answer("A bug in segtumor.", "Please report it with the log of the server", 500)


def _answer(text: str, remedy: str | None, code: int, headers: dict[str, Any] | None = None) -> ResponseReturnValue:
    response = jsonify(error=text, remedy=remedy)
    response.status_code = code
    for name in ("Retry-After", "Allow"):
        if headers and name in headers:
            response.headers[name] = headers[name]
    return response
