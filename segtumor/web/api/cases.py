"""The worklist."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from segtumor.web.api.asked import whole_number, word
from segtumor.web.site import Site
from segtumor.web.storage.schema import STATUSES
from segtumor.web.storage.worklist import ARRIVAL, ORDERS, WorklistCase, worklist

_MOST_CASES, _LONGEST_SEARCH = 500, 200


def add(blueprint: Blueprint, site: Site) -> None:
    """Add the addresses of this file."""

    @blueprint.get("/cases")
    def cases() -> ResponseReturnValue:
        found = worklist(
            site.store,
            sort=word("sort", ORDERS, ARRIVAL) or ARRIVAL,
            status=word("status", STATUSES, None),
            search=request.args.get("search", "")[:_LONGEST_SEARCH].replace("\0", ""),
            limit=whole_number("limit", 100, 1, _MOST_CASES),
            offset=whole_number("offset", 0, 0, 10**9 - 1),
        )
        return jsonify(
            cases=[_plain(case) for case in found.cases],
            total=found.total,
            counts=dict(found.counts),
            seconds_left=site.store.seconds_left(),
        )


def _plain(case: WorklistCase) -> dict[str, object]:
    return {
        "id": case.key,
        "name": case.name,
        "status": case.status,
        "reason": case.reason,
        "arrived": case.arrived.isoformat(timespec="seconds") + "Z",
        "n_images": len(case.images),
        "tumour": case.tumour,
        "malignant": case.malignant,
        "called": case.called,
        "reviewed": case.reviewed,
        "images": list(case.images),
    }
