"""Results as DICOM objects: to be saved, or sent back to the archive."""

import io
import tempfile
from pathlib import Path

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from segtumor.errors import ConfigError, DataError
from segtumor.reporting.dicom.objects import KINDS, write_objects
from segtumor.web.api.asked import word
from segtumor.web.objects import MODEL, SOURCES, objects_of
from segtumor.web.site import Site


def add(blueprint: Blueprint, site: Site) -> None:
    """Add the addresses of this file."""

    @blueprint.get("/images/<key>/dicom/<kind>")
    def dicom(key: str, kind: str) -> ResponseReturnValue:
        image = site.store.image(key)
        made = objects_of(site, image, [kind], source=word("of", SOURCES, MODEL) or MODEL)
        if kind not in made:
            raise DataError("there is nothing to segment: no finding with a mask is shown")
        written = io.BytesIO()
        made[kind].save_as(written, enforce_file_format=True)
        name = f"{image.key}_{kind}.dcm"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(written.getvalue(), mimetype="application/dicom", headers=headers)

    @blueprint.post("/images/<key>/dicom/send")
    def send_objects(key: str) -> ResponseReturnValue:
        image, body = site.store.image(key), request.get_json(silent=True)
        kinds = body.get("kinds") if isinstance(body, dict) else None
        if not isinstance(kinds, list) or not kinds or not all(isinstance(k, str) and k in KINDS for k in kinds):
            raise DataError("not a list of kinds", where="kinds", expected=f"one or more of {', '.join(KINDS)}")
        source = body["of"] if isinstance(body, dict) and "of" in body else MODEL
        if source not in SOURCES:
            raise DataError("not a source", where="of", expected=f"one of {', '.join(SOURCES)}")
        if site.archive is None:
            raise ConfigError("no archive is known", remedy="Start the page with --dicomweb URL")
        made = objects_of(site, image, kinds, source=source)
        with tempfile.TemporaryDirectory(dir=site.incoming) as folder:
            names = dict(zip(made, write_objects(made, folder, image.key), strict=True))
            answers = site.archive.send(Path(folder, name) for name in names.values())
        told = zip(names, answers, strict=True)
        return jsonify(sent=[{"kind": kind, "reason": answer.reason} for kind, answer in told])
