"""Who may ask what: names of this server, tokens, changes that no other page may send, and what browsers may load."""

import hmac
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Sequence
from ipaddress import ip_address

from flask import Flask, abort, redirect, request, session
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from segtumor.web.site import Settings

#: A header that a form of another page cannot send, and a script only after asking, which is never allowed.
CHANGE_HEADER = "X-Segtumor"
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: Wrong tokens in a minute, from anywhere; more are not looked at.
_MOST_TRIES, _TRIES_S = 10, 60.0
_OPEN = ("/login", "/static/")


def guard(app: Flask, settings: Settings) -> None:
    """Put the guards before and behind everything that the application answers."""
    app.secret_key = secrets.token_bytes(32)  # a restart asks for the token again
    app.config.update(SESSION_COOKIE_SAMESITE="Strict", SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_NAME="segtumor")
    names = {name.lower() for name in (*_LOOPBACK, settings.host, *settings.hosts)}
    tries = _Tries()

    @app.before_request
    def check() -> ResponseReturnValue | None:
        if not _is_named(request.host, names):
            abort(421, "This server is not called by that name; --allow-host adds one.")
        if request.method not in ("GET", "HEAD", "OPTIONS") and not _is_own_change():
            abort(403, f"Changes need the header {CHANGE_HEADER}: 1, and come from this page alone.")
        if settings.token is None or request.path.startswith(_OPEN) or _is_known(settings.token, tries):
            return None
        if request.path == "/":
            return redirect("/login")
        return abort(401, "A token is needed: log in, or send it as Authorization: Bearer.")

    @app.after_request
    def harden(response: Response) -> Response:
        headers = {
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-cache" if request.path.startswith("/static/") else "no-store",
        }
        for name, value in headers.items():
            response.headers[name] = value
        return response

    @app.post("/login")
    def log_in() -> ResponseReturnValue:
        given = request.form.get("token", "")
        if settings.token is not None and not tries.are_too_many() and _is_same(given, settings.token):
            session["known"] = True
            return redirect("/", code=303)
        tries.count()
        return redirect("/login?wrong=1", code=303)


class _Tries:
    """Wrong tokens of the last minute."""

    def __init__(self) -> None:
        self._moments: deque[float] = deque(maxlen=_MOST_TRIES)
        self._lock = threading.Lock()

    def count(self) -> None:
        with self._lock:
            self._moments.append(time.monotonic())

    def are_too_many(self) -> bool:
        with self._lock:
            return len(self._moments) == _MOST_TRIES and time.monotonic() - self._moments[0] < _TRIES_S


def _is_named(host: str, names: set[str]) -> bool:
    """Whether a Host header is one of the names, with any port: another name is another page's trick (rebinding)."""
    return re.sub(r":\d+$", "", host.lower()) in names


def _is_own_change() -> bool:
    """Whether a change comes from the page or a program: by the header or, of a form, by its origin."""
    origin = request.headers.get("Origin")
    own_origin = origin is None or origin.partition("://")[2].lower() == request.host.lower()
    if request.path == "/login":  # a form, which sends no header of its own
        return own_origin
    return own_origin and request.headers.get(CHANGE_HEADER) == "1"


def _is_known(token: str, tries: _Tries) -> bool:
    if session.get("known"):
        return True
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return False
    if not tries.are_too_many() and _is_same(given.strip(), token):
        return True
    tries.count()
    return False


def _is_same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def loopback(hosts: Sequence[str]) -> bool:
    """Whether all of these addresses are this machine's own."""
    return all(host == "localhost" or (_is_address(host) and ip_address(host).is_loopback) for host in hosts)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:  # a name: it may lead anywhere
        return False
    return True
