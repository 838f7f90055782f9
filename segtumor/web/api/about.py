"""What the server is: its model, its limits, and the description of its API."""

import functools
from importlib import resources
from typing import Any

import yaml
from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from segtumor import NOTICE, __version__
from segtumor.taxonomy import color_rgb
from segtumor.web.model import as_plain
from segtumor.web.objects import available_kinds
from segtumor.web.site import Site


def add(blueprint: Blueprint, site: Site) -> None:
    """Add the addresses of this file."""
    names, settings = site.model.class_names, site.settings
    colours = ["#{:02x}{:02x}{:02x}".format(*color_rgb(i, names)) for i in range(len(names))]

    @blueprint.get("/about")
    def about() -> ResponseReturnValue:
        return jsonify(
            version=__version__,
            notice=NOTICE,
            show_patient=settings.show_patient,
            model=as_plain(site.model, colours),
            limits={
                "body_bytes": settings.limits.file_bytes,
                "pixels": settings.limits.pixels,
                "queue": settings.most_waiting,
            },
            dicom_outputs=available_kinds(),
            dicomweb=site.archive is not None,
        )

    @blueprint.get("/openapi.json")
    def openapi() -> ResponseReturnValue:
        return jsonify(description())


@functools.cache
def description() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    text = resources.files("segtumor.web").joinpath("openapi.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    document["info"]["version"] = __version__
    return document
