"""Images: sending, looking, removing."""

import contextlib
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from flask import Blueprint, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from segtumor.errors import ConfigError, SegtumorError
from segtumor.imaging.dicom.patient import patient_of
from segtumor.web import readings, reviews
from segtumor.web.intake import Intake, take_in
from segtumor.web.site import Site
from segtumor.web.storage.schema import Image
from segtumor.web.worker import read_stored

_PIECE_BYTES = 2**20


def add(blueprint: Blueprint, site: Site) -> None:
    """Add the addresses of this file."""
    store, settings = site.store, site.settings

    @blueprint.post("/images")
    def send() -> ResponseReturnValue:
        files = [file for file in request.files.getlist("file") if file.filename]
        if not files:
            raise ConfigError("no file was sent", expected="one or more parts named file, of multipart/form-data")
        full = refusal_of_a_full_queue(site)
        if full is not None:
            return full
        found, case_name = Intake(), request.form.get("case", "").strip() or None
        for file in files:
            with _on_disk(site, file) as path:
                found.add(take_in(store, path, str(file.filename), limits=settings.limits, case_name=case_name))
        return answer_of(site, found)

    @blueprint.get("/images/<key>")
    def image(key: str) -> ResponseReturnValue:
        return jsonify(plain_image(site, store.image(key)))

    @blueprint.delete("/images/<key>")
    def remove(key: str) -> ResponseReturnValue:
        store.image(key)
        store.remove([key])
        return "", 204

    @blueprint.get("/images/<key>/pixels")
    def pixels(key: str) -> ResponseReturnValue:
        radiograph = read_stored(store, store.image(key), settings.limits.pixels)
        gray = np.multiply(radiograph.pixels, 65535)
        data = np.rint(gray, out=gray).astype("<u2").tobytes()
        return Response(data, mimetype="application/octet-stream")

    @blueprint.get("/images/<key>/maps/<name>.png")
    def heat(key: str, name: str) -> ResponseReturnValue:
        sha256 = store.maps(store.image(key)).get(name)
        if sha256 is None:
            abort(404)
        return Response(store.blobs.get(sha256), mimetype="image/png")

    @blueprint.post("/images/<key>/maps/<name>.png")
    def want_heat(key: str, name: str) -> ResponseReturnValue:
        store.image(key)
        if name not in site.model.heat_methods:
            expected = ", ".join(site.model.heat_methods) or "none: heat maps need torch"
            raise ConfigError("no such heat map", expected=expected)
        if not site.worker.want_heat(key, name):
            return (
                jsonify(error="Too many heat maps wait already.", remedy="Try again in a while"),
                429,
                {"Retry-After": "5"},
            )
        return jsonify(wanted=name), 202


def refusal_of_a_full_queue(site: Site) -> ResponseReturnValue | None:
    """The answer where too many images wait already, else None."""
    if site.store.count_waiting() < site.settings.most_waiting:
        return None
    response = jsonify(error="Too many images wait already.", remedy="Try again in a while")
    response.headers["Retry-After"] = str(max(1, math.ceil(min(site.store.seconds_left() or 5, 60))))
    return response, 429


def answer_of(site: Site, found: Intake) -> ResponseReturnValue:
    """What became of what was sent, or fetched; the worker is told."""
    site.worker.wake()
    refused = [{"name": name, "reason": reason} for name, reason in found.refused]
    answer: dict[str, Any] = {"images": [plain_image(site, image) for image in found.images], "refused": refused}
    if not found.images:
        sentence = f"{refused[0]['name']}: {refused[0]['reason']}" if refused else "There is no image in it."
        return jsonify(error=sentence, remedy=None, **answer), 422
    return jsonify(answer), 202


@contextlib.contextmanager
def _on_disk(site: Site, file: FileStorage) -> Iterator[Path]:
    """What was received as a file with a name of ours, for readers that take a path."""
    descriptor, name = tempfile.mkstemp(dir=site.incoming)
    try:
        with os.fdopen(descriptor, "wb") as copy:
            file.save(copy, buffer_size=_PIECE_BYTES)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def plain_image(site: Site, image: Image) -> dict[str, Any]:
    """An image as the API has it."""
    path = f"/api/v1/images/{image.key}"
    window = None if image.window_low is None or image.window_high is None else [image.window_low, image.window_high]
    plain: dict[str, Any] = {
        "id": image.key,
        "case": image.case.key,
        "case_name": image.case.name,
        "name": image.name,
        "status": image.status,
        "reason": image.reason,
        "arrived": image.arrived.isoformat(timespec="seconds") + "Z",
        "width": image.width_px,
        "height": image.height_px,
        "pixels": f"{path}/pixels",
        "window": window and [round(65535 * value) for value in window],
        "spacing_mm": None,
        "spacing_source": None,
        "is_dicom": image.is_dicom,
        "patient": None,
        "reading": None,
        "review": None,
    }
    if image.is_dicom and site.settings.show_patient:
        with contextlib.suppress(SegtumorError):  # the picture is worth showing all the same
            plain["patient"] = patient_of(site.store.blobs.path(image.file_sha256))
    if image.reading_sha256 is not None:
        kept = readings.from_bytes(site.store.blobs.get(image.reading_sha256))
        plain["spacing_mm"], plain["spacing_source"] = kept.reading.spacing_mm, kept.reading.spacing_source
        plain["reading"] = readings.as_plain(kept) | {
            "maps": sorted(site.store.maps(image)),
            "map_failures": site.worker.heat_failures(image.key),
        }
    made = site.store.reviews(image)
    plain["review"] = reviews.as_plain(made[-1]) if made else None
    return plain
