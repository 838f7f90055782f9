"""What becomes of a reading: its overlay, and its findings as COCO."""

import io

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from PIL import Image as Pictures

from segtumor.annotations.predictions.writing import predictions_document
from segtumor.imaging import normalize_window
from segtumor.reporting.pictures.overlay import draw_reading
from segtumor.structures.outcomes import InferenceOutcome
from segtumor.web import readings
from segtumor.web.api.asked import fraction
from segtumor.web.site import Site
from segtumor.web.worker import read_stored


def add(blueprint: Blueprint, site: Site) -> None:
    """Add the addresses of this file."""

    @blueprint.get("/images/<key>/overlay.png")
    def overlay(key: str) -> ResponseReturnValue:
        image = site.store.image(key)
        kept = readings.kept_reading(site.store, image)
        threshold = fraction("threshold", kept.threshold)
        radiograph = read_stored(site.store, image, site.settings.limits.pixels)
        picture = draw_reading(
            normalize_window(radiograph.pixels),
            kept.reading,
            score_threshold=threshold,
            note=kept.reading.note,
            file_name=image.name,
        )
        written = io.BytesIO()
        Pictures.fromarray(picture).save(written, format="png", compress_level=3)
        return Response(written.getvalue(), mimetype="image/png")

    @blueprint.get("/images/<key>/coco.json")
    def coco(key: str) -> ResponseReturnValue:
        image = site.store.image(key)
        kept = readings.kept_reading(site.store, image)
        outcome = InferenceOutcome(image.name, kept.reading)
        return jsonify(predictions_document([outcome], kept.reading.class_names))
