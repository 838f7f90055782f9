"""The corrected set as a zip archive."""

import contextlib
import tempfile
import zipfile
from pathlib import Path
from typing import IO

from flask import Blueprint, send_file
from flask.typing import ResponseReturnValue

from segtumor.web.api.asked import word
from segtumor.web.exporting import TARGETS, export
from segtumor.web.site import Site


def add(blueprint: Blueprint, site: Site) -> None:
    """Add the address of this file."""

    @blueprint.get("/export")
    def corrected() -> ResponseReturnValue:
        target = word("format", TARGETS, TARGETS[0]) or TARGETS[0]
        with contextlib.ExitStack() as on_failure:
            packed = on_failure.enter_context(tempfile.TemporaryFile(dir=site.incoming))
            with tempfile.TemporaryDirectory(dir=site.incoming) as place:
                folder = Path(place) / "corrected"
                export(site.store, folder, target=target)
                _pack(folder, packed)
            on_failure.pop_all()  # the response closes it
        packed.seek(0)
        return send_file(packed, "application/zip", as_attachment=True, download_name=f"corrected_{target}.zip")


def _pack(folder: Path, target: IO[bytes]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
