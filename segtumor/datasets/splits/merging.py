"""One or several COCO files as one set of images to be split, with every further field kept.

Not here: the cases and labels of the images (``cases``, ``strata``).
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segtumor.annotations.json_input import parse_json, read_bytes
from segtumor.annotations.regions import region_remarks, regions_by_image
from segtumor.annotations.validation import find_problems
from segtumor.errors import DataError
from segtumor.texts import listing

_SHOWN = 20
_LOG = logging.getLogger(__name__)


@dataclass
class MergedCoco:
    """The files' content.

    Attributes:
        images, annotations: COCO entries of all files, sorted by file name and by id; ids are distinct.
        info: of the only file; empty for several.
        roots: {image root: file names below it}.
        sources: {"file": name, "sha256": hash} of each file.
        renumbered: files whose ids were already taken.
    """

    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    categories: list[dict[str, Any]] = field(default_factory=list)
    info: Mapping[str, Any] = field(default_factory=dict)
    roots: dict[Path, list[str]] = field(default_factory=dict)
    sources: list[dict[str, str]] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    renumbered: list[Path] = field(default_factory=list)


def merge_coco(
    paths: Iterable[Path | str], *, image_root: Path | str | None = None, check_files: bool = True
) -> MergedCoco:
    """Read, check and merge COCO files; their order does not matter, but for ids that had to be renumbered.

    None as ``image_root`` takes ``images`` beside each file's folder. Raises DataError if a file has problems,
    categories differ, or two files hold an image of one name.
    """
    merged, file_of_name = MergedCoco(paths=[Path(path) for path in paths]), dict[str, Path]()
    for path in merged.paths:
        root = path.absolute().parent.parent / "images" if image_root is None else Path(image_root)
        coco = _read(path, root if check_files else None, merged.sources)
        _add_categories(merged, coco, path)
        _check_names(coco, path, file_of_name)
        _make_ids_distinct(merged, coco, path)
        merged.images += coco["images"]
        merged.annotations += coco["annotations"]
        merged.roots.setdefault(root.resolve(), []).extend(image["file_name"] for image in coco["images"])
        merged.info = coco["info"] if len(merged.paths) == 1 and isinstance(coco.get("info"), dict) else {}
    merged.images.sort(key=lambda image: image["file_name"])
    merged.annotations.sort(key=lambda annotation: annotation["id"])
    return merged


def _read(path: Path, image_root: Path | str | None, sources: list[dict[str, str]]) -> dict[str, Any]:
    """The checked content of one file; appends its name and hash to ``sources``."""
    data = read_bytes(path, remedy="Make it with `segtumor data convert`")
    coco: dict[str, Any] = parse_json(data, path)
    found = find_problems(coco, require_masks=False, image_root=image_root, with_warnings=False)
    if found:
        what = listing(found, "problems", _SHOWN)
        raise DataError(what, where=path, remedy="Look with `segtumor data check`; nothing was written")
    for sentence in region_remarks(regions_by_image(coco["images"], coco["annotations"])):
        _LOG.warning("%s: %s", path.name, sentence)
    sources.append({"file": path.name, "sha256": hashlib.sha256(data).hexdigest()})
    return coco


def _add_categories(merged: MergedCoco, coco: dict[str, Any], path: Path) -> None:
    categories = sorted(coco["categories"], key=lambda category: category["id"])
    merged.categories = merged.categories or categories
    own, first = ([(c["id"], c["name"]) for c in every] for every in (categories, merged.categories))
    if own != first:
        raise DataError("categories differ between the files", where=path, got=own, expected=first)


def _check_names(coco: dict[str, Any], path: Path, file_of_name: dict[str, Path]) -> None:
    for image in coco["images"]:
        other = file_of_name.setdefault(image["file_name"], path)
        if other is not path:
            raise DataError(
                f"two files hold an image of this name: {image['file_name']}",
                where=path,
                got=f"also in {other}",
                remedy="Give each image once; different images need different names, for example in folders",
            )


def _make_ids_distinct(merged: MergedCoco, coco: dict[str, Any], path: Path) -> None:
    collides = False
    for key, reference in (("images", "image_id"), ("annotations", None)):
        taken = {entry["id"] for entry in getattr(merged, key)}
        if taken.isdisjoint(entry["id"] for entry in coco[key]):
            continue
        collides, start = True, max(taken) + 1
        new_ids = {entry["id"]: start + number for number, entry in enumerate(coco[key])}
        coco[key] = [{**entry, "id": new_ids[entry["id"]]} for entry in coco[key]]
        if reference:
            coco["annotations"] = [{**a, reference: new_ids[a[reference]]} for a in coco["annotations"]]
    if collides:
        merged.renumbered.append(path)
