"""The archive (PACS): its studies, and taking radiographs of one in."""

import datetime
import tempfile
from pathlib import Path
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from segtumor.errors import ConfigError, DataError
from segtumor.web.api.asked import whole_number
from segtumor.web.api.images import answer_of, refusal_of_a_full_queue
from segtumor.web.intake import Intake, take_in
from segtumor.web.pacs.dicomweb import DicomWeb, Study
from segtumor.web.site import Site

_LONGEST_UID = 64
#: What a radiograph from the archive is called: its own numbers are the patient's.
_NAME = "from the archive"


def add(blueprint: Blueprint, site: Site) -> None:
    """Add the addresses of this file."""

    @blueprint.get("/archive/studies")
    def studies() -> ResponseReturnValue:
        found = _archive(site).studies(
            since=_day("since"), until=_day("until"), limit=whole_number("limit", 100, 1, 1000)
        )
        return jsonify(studies=[_plain(study, show=site.settings.show_patient) for study in found])

    @blueprint.post("/archive/fetch")
    def fetch() -> ResponseReturnValue:
        body = request.get_json(silent=True)
        uid = body.get("study") if isinstance(body, dict) else None
        if not isinstance(uid, str) or not 0 < len(uid) <= _LONGEST_UID or set(uid) - set("0123456789."):
            raise DataError("not the UID of a study", where="study", expected="digits and dots")
        full = refusal_of_a_full_queue(site)
        if full is not None:
            return full
        found = Intake()

        def take(path: Path, origin: str) -> None:
            found.add(take_in(site.store, path, _NAME, limits=site.settings.limits, origin=origin))
            path.unlink()

        with tempfile.TemporaryDirectory(dir=site.incoming) as folder:
            _archive(site).fetch(uid, folder, take)
        return answer_of(site, found)


def _archive(site: Site) -> DicomWeb:
    if site.archive is None:
        raise ConfigError("no archive is known", remedy="Start the page with --dicomweb URL")
    return site.archive


def _day(name: str) -> datetime.date | None:
    text = request.args.get(name)
    try:
        return None if text is None else datetime.date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError("not a day", where=name, expected="a day such as 2026-01-31") from error


def _plain(study: Study, *, show: bool) -> dict[str, Any]:
    """A study; who it is of, and what somebody typed, only where the page shows patients."""
    plain: dict[str, Any] = {
        "study": study.uid,
        "date": study.date,
        "modalities": list(study.modalities),
        "n_images": study.n_images,
        "description": study.description if show else None,
        "patient": {"name": study.patient_name, "id": study.patient_id} if show else None,
    }
    return plain
