"""Reviews: what readers say of an image, saved at once, every revision kept."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from segtumor.errors import DataError
from segtumor.web import readings, reviews
from segtumor.web.api.asked import user
from segtumor.web.site import Site
from segtumor.web.storage.store import StaleReviewError


def add(blueprint: Blueprint, site: Site) -> None:
    """Add the addresses of this file."""
    store = site.store

    @blueprint.put("/images/<key>/review")
    def save(key: str) -> ResponseReturnValue:
        image = store.image(key)
        value = request.get_json(silent=True)
        based_on = value.get("revision") if isinstance(value, dict) else None
        if type(based_on) is not int or not 0 <= based_on < 2**31:
            raise DataError("not a review", where="revision", expected="that which was changed, 0 for none")
        kept = None
        if image.reading_sha256 is not None:
            kept = readings.from_bytes(store.blobs.get(image.reading_sha256))
        judgement = reviews.judgement_of(
            value,
            class_names=site.model.class_names if kept is None else kept.reading.class_names,
            size_hw=(image.height_px, image.width_px),
            reading=None if kept is None else kept.reading,
        )
        complete = kept is None or judgement.is_complete(kept.reading, kept.threshold)
        try:
            review = store.add_review(
                key, based_on=based_on, user=user(), document=reviews.to_text(judgement), complete=complete
            )
        except StaleReviewError as error:
            newest = None if error.newest is None else reviews.as_plain(error.newest)
            return jsonify(error=f"{error.what}.", remedy=error.remedy, review=newest), 409
        return jsonify(reviews.as_plain(review))

    @blueprint.get("/images/<key>/reviews")
    def history(key: str) -> ResponseReturnValue:
        return jsonify(reviews=[reviews.as_plain(review) for review in store.reviews(store.image(key))])
