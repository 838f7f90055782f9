"""The API under /api/v1, which the page itself uses; described in ``openapi.yaml``."""

from flask import Blueprint, Flask

from segtumor.web.api import about, archive, cases, dicom, exports, images, results, reviews
from segtumor.web.site import Site

PREFIX = "/api/v1"


def register(app: Flask, site: Site) -> None:
    """Add its addresses to an application."""
    blueprint = Blueprint("api", __name__, url_prefix=PREFIX)
    for part in (about, cases, images, results, reviews, exports, dicom, archive):
        part.add(blueprint, site)
    app.register_blueprint(blueprint)
