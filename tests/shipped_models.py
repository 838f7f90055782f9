"""A registered model made from a dummy export, for tests of the registry."""

import json

from dummy_models import write_export

from segtumor.files import sha256_of_file
from segtumor.shipped.entry import OWN_HASH, SCHEMA_VERSION, hash_of_fields

SHA = "0" * 64
ENTRY = {
    "schema_version": SCHEMA_VERSION,
    "version": "3",
    "summary": "finds what is bright",
    "licence": "research use",
    "trained_on": "nothing",
    "started_from": "nothing",
    "dataset_sha256": SHA,
    "split_sha256": SHA,
    "evaluated_on": "599 radiographs",
    "measured": [
        {"name": "mask AP50", "value": 45.25, "low": 40.0, "high": 50.5, "unit": "%", "n": "371 lesions"},
        {"name": "time", "value": 0.05, "low": 0.05, "high": 0.05, "unit": "s", "n": "599 images"},
    ],
    "operating_points": [
        {"name": "sensitivity 0.90", "of": "image", "score_threshold": 0.25, "sensitivity": 0.9, "specificity": 0.75}
    ],
    "temperature": 1.5,
}


def write_model(root, name, **changes):
    """A folder of a model in ``root``, with weights that are none; ``changes`` of its entry."""
    folder = root / name
    folder.mkdir(parents=True)
    write_export(folder / "export", "brightness")
    (folder / "config.yaml").write_text("VERSION: 2\n")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): sha256_of_file(path) for path in paths}
    entry = {k: v for k, v in {**ENTRY, "name": name, "files": files, **changes}.items() if v is not None}
    (folder / "model.json").write_text(json.dumps({OWN_HASH: hash_of_fields(entry), **entry}))
    return folder
