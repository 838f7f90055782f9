"""Where the numbers of a study come from: files and their hashes, split, training run, versions, command line.

Not here: what was assumed when measuring, which the Study knows itself.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor.errors import DataError
from segtumor.files import sha256_of_file
from segtumor.runs import CONFIG, RUN_RECORD, best_weights
from segtumor.system.versions import versions

_VERSIONS = ("segtumor", "python", "numpy", "scipy", "pycocotools")

#: Said of an annotation file that is not what the ``split.json`` beside it describes.
NOT_OF_SPLIT = "does not match any part of this split"


def file_provenance(
    *,
    annotations: str | Path | None = None,
    predictions: str | Path | None = None,
    weights: str | Path | None = None,
) -> dict[str, Any]:
    """Hashes of the compared files (None where there is no file) and the versions that measured."""
    return {
        "annotations_sha256": sha256_of_file(annotations) if annotations is not None else None,
        "predictions_sha256": sha256_of_file(predictions) if predictions is not None else None,
        "weights": str(weights) if weights is not None else None,
        "weights_sha256": sha256_of_file(weights) if weights is not None else None,
        "versions": versions(_VERSIONS),
    }


def study_provenance(
    *,
    annotations: str | Path,
    predictions: str | Path,
    run_folder: str | Path | None = None,
    weights: str | Path | None = None,
    calibrated_on: Sequence[str | Path] | None = None,
    command: Sequence[str] | None = None,
) -> dict[str, dict[str, Any]]:
    """{heading: {name: value}} for ``study_page``; what is not known is None.

    Args:
        run_folder: training run that predicted, whose ``run.json`` and ``config.yaml`` are shown.
        weights: path of the weights, by default the best of the run.
        calibrated_on: (annotations, predictions), paths of the files that the temperature was fitted on.
        command: words of the command line; default: this process'.

    Raises:
        DataError: ``run.json`` or ``split.json`` cannot be read.
    """
    run = Path(run_folder) if run_folder is not None else None
    weights = weights or (best_weights(run) if run is not None else None)
    known = file_provenance(annotations=annotations, predictions=predictions, weights=weights)
    split = split_of(annotations)
    words = [Path(sys.argv[0]).name, *sys.argv[1:]] if command is None else list(command)
    tables: dict[str, dict[str, Any]] = {
        "Files": {
            "annotations": str(annotations),
            "annotations_sha256": known["annotations_sha256"],
            "predictions": str(predictions),
            "predictions_sha256": known["predictions_sha256"],
            "weights": known["weights"],
            "weights_sha256": known["weights_sha256"],
        },
        "Split": {
            "split_kind": split.get("kind") or _of_unit(split),
            "split_seed": split.get("seed"),
            # Split files without a hash of what they say, as that of phantoms, are known by the file's own.
            "split_sha256": split.get("split_sha256") or (_hash(_split_path(annotations)) if split else None),
            "annotations": _part_of(split, known["annotations_sha256"]),
        },
        "Versions": known["versions"],
        "Command": {"command": words},
    }
    if calibrated_on is not None:
        tables["Temperature"] = {
            f"fitted on {name}": value
            for what, path in zip(("annotations", "predictions"), calibrated_on, strict=True)
            for name, value in ((what, str(path)), (f"{what}, sha256", sha256_of_file(path)))
        }
    if run is not None:
        record = _read_json(run / RUN_RECORD)
        tables["Training"] = {name: record.get(name) for name in ("seed", "command", "versions", "datasets")}
        tables["Configuration"] = {"config": str(run / CONFIG), "config_sha256": _hash(run / CONFIG)}
    return tables


def split_of(annotations: str | Path) -> dict[str, Any]:
    """The ``split.json`` of the data set that an annotation file belongs to; empty if there is none."""
    return _read_json(_split_path(annotations))


def _split_path(annotations: str | Path) -> Path:
    return Path(annotations).resolve().parent.parent / "split.json"


def _of_unit(split: Mapping[str, Any]) -> str | None:
    """Kind of a split that says only what it kept together."""
    return f"by {split['unit']}" if isinstance(split.get("unit"), str) else None


def _part_of(split: Mapping[str, Any], sha256: str) -> str | None:
    """Whether the split records a file of this hash, in words; None where it records no hashes."""
    parts = split.get("parts")
    parts = parts if isinstance(parts, dict) else {}
    recorded = {
        n: p["annotations_sha256"] for n, p in parts.items() if isinstance(p, dict) and "annotations_sha256" in p
    }
    hashes = split.get("annotations_sha256")
    recorded |= hashes if isinstance(hashes, dict) else {}
    if not recorded:
        return None
    return next((f"matches the part {name}" for name, value in recorded.items() if value == sha256), NOT_OF_SPLIT)


def _hash(path: Path) -> str | None:
    return sha256_of_file(path) if path.is_file() else None


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError("cannot be read", where=path, expected="a JSON file") from error
    return content if isinstance(content, dict) else {}
