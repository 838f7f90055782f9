"""The page's server without a model: phantoms with their true outlines as findings, the API as the page knows it.

For the tests of the page alone: every answer is made up and the same every time, and each can be made to go wrong.
"""

import io
import json
import re
import threading
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import jinja2
import numpy as np
from fake_world import ABOUT, RefusalError
from PIL import Image

import segtumor.web

ASSETS = Path(segtumor.web.__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    @property
    def world(self):
        return self.server.world

    def answer(self, status, body, kind="application/json", headers=None):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def respond(self):
        path = urlsplit(self.path)
        self.world.requests.append((self.command, self.path))
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.command != "GET" and self.headers.get("X-Segtumor") != "1":
                raise RefusalError(403)
            for pattern, method, handle in ROUTES:
                match = re.fullmatch(pattern, path.path)
                if match and method == self.command:
                    self.answer(
                        *handle(self, body, {k: v[0] for k, v in parse_qs(path.query).items()}, *match.groups())
                    )
                    return
            raise RefusalError(404, {"error": f"There is nothing at {path.path}."})
        except RefusalError as refusal:
            self.answer(refusal.status, refusal.body, headers=refusal.headers)

    do_GET = do_POST = do_PUT = do_DELETE = respond  # noqa: N815

    def page(self, *_):
        template = jinja2.Environment(autoescape=True).from_string((ASSETS / "templates/page.html").read_text("utf-8"))
        return (
            200,
            template.render(notice=ABOUT["notice"], version=ABOUT["version"]).encode(),
            "text/html; charset=utf-8",
        )

    def asset(self, _body, _query, name):
        path = (ASSETS / "static" / unquote(name)).resolve()
        if not path.is_file() or ASSETS / "static" not in path.parents:
            raise RefusalError(404)
        return 200, path.read_bytes(), KINDS[path.suffix]

    def upload(self, body, _query):
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
        return 202, self.world.receive([(part.get_filename(), part.get_payload(decode=True)) for part in parts])

    def pixels(self, _body, _query, image_id):
        self.world.picture(image_id)
        return 200, self.world.pixels[image_id], "application/octet-stream"

    def heat(self, _body, _query, image_id, _method):
        image = self.world.picture(image_id)
        if not image["reading"]["maps"]:
            raise RefusalError(404, {"error": "There is no such map.", "remedy": None})
        y, x = np.mgrid[: image["height"], : image["width"]]
        far = np.hypot(x - image["width"] / 2, y - image["height"] / 2) / (0.3 * image["width"])
        stream = io.BytesIO()
        Image.fromarray(np.uint8(255 * np.exp(-(far**2)))).save(stream, "PNG")
        return 200, stream.getvalue(), "image/png"

    def compute(self, _body, _query, image_id, method):
        self.world.picture(image_id)["reading"]["maps"].append(method)
        return 202, {}

    def save(self, body, _query, image_id):
        return 200, self.world.save(image_id, json.loads(body), unquote(self.headers["X-User"]))

    def remove(self, _body, _query, image_id):
        self.world.picture(image_id)
        del self.world.images[image_id]
        return 200, {}


_IMAGE = r"/api/v1/images/([\w-]+)"
ROUTES = [
    ("/", "GET", Handler.page),
    (r"/static/([\w./-]+)", "GET", Handler.asset),
    ("/api/v1/about", "GET", lambda handler, *_: (200, handler.world.about)),
    ("/api/v1/cases", "GET", lambda handler, _, query: (200, handler.world.cases(query))),
    ("/api/v1/images", "POST", Handler.upload),
    (_IMAGE, "GET", lambda handler, _body, _query, image_id: (200, handler.world.picture(image_id))),
    (_IMAGE, "DELETE", Handler.remove),
    (_IMAGE + "/pixels", "GET", Handler.pixels),
    (_IMAGE + r"/maps/(\w+)\.png", "GET", Handler.heat),
    (_IMAGE + r"/maps/(\w+)\.png", "POST", Handler.compute),
    (_IMAGE + "/review", "PUT", Handler.save),
]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # a browser opens several connections at once; one that is not taken waits for seconds


def serve(world):
    """(server, address), in a thread, on a free port of loopback."""
    server = _Server(("127.0.0.1", 0), Handler)
    server.world = world
    threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.05}).start()
    return server, f"http://127.0.0.1:{server.server_port}/"
