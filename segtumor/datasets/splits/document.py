"""Split files: written with hashes, read back, used again, and compared with the image files as they are now.

Schema 1 has parts alone; schema 2 adds the ``composition`` of parts from folds, and kinds that schema 1 lacks.
Not here: making a split (``split``), or the annotation files of its parts (``output``).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from segtumor.annotations.json_input import parse_json, read_bytes
from segtumor.datasets.splits.split import (
    GROUPED,
    IMAGE,
    KINDS,
    MAY_SHARE_CASES,
    NONE,
    Split,
    check_cases_whole,
)
from segtumor.errors import DataError
from segtumor.files import sha256_of_file
from segtumor.progress import Progress
from segtumor.texts import some_of

SCHEMA_VERSION = 2
_OLD_VERSION, _OLD_KINDS = 1, (GROUPED, IMAGE, NONE)
_PART_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_NAMED = 10


class ChangedImages(NamedTuple):
    """Images that are not what they were when a split was made, by file name."""

    changed: list[str]
    missing: list[str]


def split_document(
    split: Split,
    summaries: Mapping[str, Mapping[str, Any]],
    *,
    sources: Iterable[Mapping[str, str]] = (),
    image_sha256: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The content of a split file.

    Args:
        summaries: {part: counts and hash of what was written}.
        sources: {"file": name, "sha256": hash} of each file the split was made from.
        image_sha256: {image file name: SHA-256 of the file}; None leaves it out.

    Returns:
        dict, of schema 1 wherever that can say it.
    """
    new = split.composition is not None or split.kind not in _OLD_KINDS
    document = {
        "schema_version": SCHEMA_VERSION if new else _OLD_VERSION,
        "kind": split.kind,
        "seed": split.seed,
        "fractions": dict(split.fractions),
        **({"origin": dict(split.origin)} if split.origin else {}),
        "split_sha256": split.sha256,
        **({"sources": list(sources)} if sources else {}),
        "parts": {part: dict(summaries[part]) for part in split.parts},
    }
    if split.composition is not None:
        document["composition"] = {part: list(folds) for part, folds in split.composition.items()}
    document["assignment"] = {name: dict(entry) for name, entry in split.assignment.items()}
    if image_sha256 is not None:
        document["image_sha256"] = {name: image_sha256[name] for name in sorted(image_sha256)}
    return document


def read_split_document(path: Path | str) -> dict[str, Any]:
    """Read a split file without judging what it says; raises DataError if it is none of a known schema."""
    path = Path(path)
    document: dict[str, Any] = parse_json(read_bytes(path, remedy="Give a split.json written earlier"), path)
    _check_document(document, path)
    return document


def read_split(path: Path | str, *, allow_shared_cases: bool = False) -> Split:
    """Read a split file; raises DataError if it was altered, or has a case in two parts.

    ``allow_shared_cases`` takes splits of kind image, column or official, too, whose cases may be in several parts.
    """
    return split_of_document(read_split_document(path), path, allow_shared_cases=allow_shared_cases)


def split_of_document(document: Mapping[str, Any], path: Path | str, *, allow_shared_cases: bool = False) -> Split:
    """The Split in a document from ``read_split_document``; raises as ``read_split``."""
    composition = document.get("composition")
    if composition is not None:
        composition = {part: tuple(folds) for part, folds in composition.items()}
    split = Split(
        document["kind"],
        document.get("seed"),
        document["fractions"],
        document["assignment"],
        composition,
        document.get("origin"),
    )
    if document.get("split_sha256") not in (None, split.sha256):
        raise DataError(
            "split_sha256 does not fit the assignment; the file was altered",
            where=path,
            got=split.sha256,
            expected=document["split_sha256"],
            remedy="If the change is intended, delete the line split_sha256",
        )
    if not (allow_shared_cases and split.kind in MAY_SHARE_CASES):
        check_cases_whole(split.assignment, where=path)
    return split


def hash_of_split_beside(source: str | Path) -> str | None:
    """Hash of the split.json of a data set's folder or of an annotation file; None without one that can be read."""
    source = Path(source).resolve()
    path = (source if source.is_dir() else source.parent.parent) / "split.json"
    if not path.is_file():
        return None
    try:
        return read_split(path, allow_shared_cases=True).sha256
    except DataError:
        return None


def reuse_split(
    split: Split,
    file_names: Sequence[str],
    case_ids: Mapping[str, str] | None = None,
    *,
    where: Path | str | None = None,
) -> None:
    """Raise DataError unless a saved split has all images, and no case in two parts; it may hold more.

    ``case_ids``, {file name: case}, are cases known otherwise than from the split.
    """
    missing = [name for name in file_names if name not in split.assignment]
    if missing:
        what = f"{len(missing)} images are not in the split: {some_of(missing, _NAMED)}"
        raise DataError(what, where=where, remedy="Make a new split by case (grouped)")
    if case_ids is not None and split.kind not in MAY_SHARE_CASES:
        parts = {n: {"case_id": case_ids[n], "part": split.assignment[n]["part"]} for n in file_names}
        check_cases_whole(parts, where=where)


def hash_images(image_root: Path | str, names: Iterable[str], *, progress: Progress = iter) -> dict[str, str]:
    """{file name: SHA-256 of the image file}, in the order of ``names``; raises DataError for an unreadable one."""
    hashes = {}
    for name in progress(names):
        try:
            hashes[name] = sha256_of_file(Path(image_root) / name)
        except OSError as error:
            remedy = "Complete the images, or leave their hashes out (--no-image-hashes)"
            raise DataError(f"image file: {error.strerror}", where=name, remedy=remedy) from error
    return hashes


def verify_split(document: Mapping[str, Any], image_root: Path | str, *, progress: Progress = iter) -> ChangedImages:
    """Names of image files with other bytes than a split file says, and of those that are not there.

    Raises DataError if it holds no hashes of images.
    """
    saved = document.get("image_sha256")
    if not saved:
        raise DataError("the split file holds no hashes of images", remedy="Make the split without --no-image-hashes")
    result = ChangedImages([], [])
    for name in progress(saved):
        path = Path(image_root) / name
        if not path.is_file():
            result.missing.append(name)
        elif sha256_of_file(path) != saved[name]:
            result.changed.append(name)
    return result


def _check_document(document: Any, path: Path | str) -> None:
    expected = f"a split file with schema_version {_OLD_VERSION} or {SCHEMA_VERSION}, kind, fractions and assignment"
    if not isinstance(document, dict) or document.get("schema_version") not in (_OLD_VERSION, SCHEMA_VERSION):
        raise DataError("not a split file of this version", where=path, expected=expected)
    fractions, assignment = document.get("fractions"), document.get("assignment")
    kinds = _OLD_KINDS if document["schema_version"] == _OLD_VERSION else KINDS
    if document.get("kind") not in kinds or not isinstance(fractions, dict) or not isinstance(assignment, dict):
        raise DataError("incomplete split file", where=path, expected=expected)
    _check_composition(document.get("composition"), fractions, path)
    _check_part_names([*fractions, *(document.get("composition") or ())], path)
    for name, entry in assignment.items():
        sound = isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("case_id", "part"))
        sound = sound and entry["part"] in fractions
        if not sound:
            raise DataError(
                f"assignment of {name} is not a case_id and one of the parts {', '.join(fractions)}",
                where=path,
                got=f"{entry!r:.80}",
            )
    if not isinstance(document.get("origin", {}), (dict, type(None))):
        raise DataError("origin is not a JSON object", where=path, got=f"{document['origin']!r:.80}")
    _check_hashes(document.get("image_sha256"), assignment, path)


def _check_part_names(names: Iterable[str], path: Path | str) -> None:
    """Parts become file names."""
    wrong = [name for name in names if not (isinstance(name, str) and _PART_NAME.fullmatch(name))]
    if wrong:
        raise DataError(
            "name of a part", where=path, got=f"{wrong[0]!r:.80}", expected="letters, digits, hyphens and underscores"
        )


def _check_composition(composition: Any, fractions: Mapping[str, float], path: Path | str) -> None:
    if composition is None:
        return
    sound = (
        isinstance(composition, dict)
        and composition
        and all(
            isinstance(folds, list) and all(isinstance(fold, str) and fold in fractions for fold in folds)
            for folds in composition.values()
        )
    )
    if not sound:
        raise DataError("composition is not {part: list of folds}", where=path, expected=", ".join(fractions))


def _check_hashes(hashes: Any, assignment: Mapping[str, Any], path: Path | str) -> None:
    if hashes is None:
        return
    sound = isinstance(hashes, dict) and all(isinstance(value, str) for value in hashes.values())
    if not sound or not hashes.keys() <= assignment.keys():
        raise DataError("image_sha256 is not a hash for images of the assignment", where=path)
