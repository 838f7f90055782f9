"""The report of one case: a page to be printed."""

from typing import Any

from flask import Flask, render_template
from flask.typing import ResponseReturnValue

from segtumor.web.api.images import plain_image
from segtumor.web.site import Site


def register(app: Flask, site: Site) -> None:
    """Add its address to an application."""

    @app.get("/cases/<key>/report")
    def report(key: str) -> ResponseReturnValue:
        case = site.store.case(key)
        images = [plain_image(site, site.store.image(image.key)) for image in case.images]
        return render_template("report.html", case=case, images=[_shown(image) for image in images], model=site.model)


def _shown(image: dict[str, Any]) -> dict[str, Any]:
    """An image with the findings that reach its threshold or were judged, each with what the reader said of it."""
    reading = image["reading"]
    if reading is None:
        return {**image, "findings": []}
    judged = {f["origin"]: f for f in (image["review"] or {"findings": []})["findings"] if f["origin"] is not None}
    findings = [
        {**finding, "verdict": judged.get(finding["index"])}
        for finding in reading["findings"]
        if finding["score"] >= reading["threshold"] or finding["index"] in judged
    ]
    return {**image, "findings": findings}
