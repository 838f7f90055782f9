"""A split as files: images in place, an annotation file for each part and, last, ``split.json`` with hashes.

A split file means complete parts: an older one is removed first and the new one written when all else is there. Not
here: making the split (``making``), and the split file's content (``document``).
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtumor.annotations.regions import is_crowd
from segtumor.cases import case_or_own
from segtumor.datasets.image_placement import place_images
from segtumor.datasets.splits.deal import SEVERITY
from segtumor.datasets.splits.document import hash_images, split_document
from segtumor.datasets.splits.making import MadeSplit
from segtumor.datasets.splits.split import Split
from segtumor.errors import ConfigError, OutputError
from segtumor.files import prepare_output_folder, read_ordinary, sha256_of_file, write_bytes, write_json
from segtumor.progress import Progress


@dataclass(frozen=True)
class WrittenSplit:
    """Counts by part, and the images that have changed since the split was made whose parts are used again."""

    summaries: Mapping[str, Mapping[str, Any]]
    changed: tuple[str, ...]


def write_split(
    made: MadeSplit,
    output: str | Path,
    *,
    tables: Iterable[str | Path] = (),
    placing: str | None = "link",
    hashed: bool = True,
    overwrite: bool = False,
    copying: Progress = iter,
    hashing: Progress = iter,
) -> WrittenSplit:
    """Write the parts and images into a folder.

    Args:
        tables: further files that the split was made from, for their hashes.
        placing: of the images, "link" or "copy"; None leaves them where they are, and unhashed.
        hashed: whether split.json holds the hashes of the images.

    Raises:
        ConfigError: files that would be replaced, or several folders of images that cannot be one link.
        OutputError: something cannot be written.
    """
    output, merged = Path(output), made.merged
    folder, split_path = output / "annotations", output / "split.json"
    check_not_overwritten(merged.paths, folder, made.split.parts)
    check_no_earlier_split(output, made.split.parts, overwrite=overwrite)
    prepare_output_folder(output)
    hashes = None
    if placing is not None:
        _place(made, output / "images", placing, copying)
        names = [name for name in made.file_names if name in made.split.assignment]
        hashes = hash_images(output / "images", names, progress=hashing) if hashed else None
    remove_earlier_parts(split_path, keep=merged.paths)
    documents = part_documents(merged.images, merged.annotations, merged.categories, made.split, info=merged.info)
    label_of = dict(zip((image["id"] for image in merged.images), made.labels, strict=True))
    summaries = write_parts(folder, documents, label_of=label_of, severity=made.severity)
    further = [{"file": path.name, "sha256": sha256_of_file(path)} for path in map(Path, tables)]
    document = split_document(made.split, summaries, sources=[*merged.sources, *further], image_sha256=hashes)
    write_json(split_path, document)
    changed = (name for name, own in (hashes or {}).items() if made.saved_hashes.get(name, own) != own)
    return WrittenSplit(summaries, tuple(changed))


def _place(made: MadeSplit, target: Path, placing: str, progress: Progress) -> None:
    roots = made.merged.roots
    if len(roots) > 1 and placing == "link":
        got = ", ".join(map(str, roots))
        raise ConfigError("several folders of images cannot be one link", got=got, remedy="Give --place copy")
    for root, names in roots.items():
        used_here = [name for name in names if name in made.split.assignment]
        place_images(root, target, used_here, mode=placing, progress=progress)


def part_documents(
    images: Sequence[Mapping[str, Any]],
    annotations: Sequence[Mapping[str, Any]],
    categories: Sequence[Mapping[str, Any]],
    split: Split,
    *,
    info: Mapping[str, Any],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (part, COCO object), one after the other.

    Ids stay as they are, so that an image has one id in every part and split; images that are in no part are left out.
    """
    info = {**info, "split_kind": split.kind, "split_sha256": split.sha256}
    parts_of_fold = split.parts_of_fold
    fold_of_name = {name: entry["part"] for name, entry in split.assignment.items()}
    fold_of_image = {image["id"]: fold_of_name.get(image["file_name"]) for image in images}
    for part in split.parts:
        folds = {fold for fold, parts in parts_of_fold.items() if part in parts}
        yield (
            part,
            {
                "info": {**info, "part": part},
                "images": [image for image in images if fold_of_image[image["id"]] in folds],
                "annotations": [a for a in annotations if fold_of_image[a["image_id"]] in folds],
                "categories": categories,
            },
        )


def write_parts(
    annotations_folder: Path | str,
    documents: Iterable[tuple[str, Mapping[str, Any]]],
    *,
    label_of: Mapping[int, str] | None = None,
    severity: Sequence[str] = SEVERITY,
) -> dict[str, dict[str, Any]]:
    """Write ``<part>.json`` of (part, COCO object) pairs; {part: counts of ``summarize``, and annotations_sha256}.

    ``label_of``: {image id: label}; None takes ``image_label`` of each image.
    """
    summaries = {}
    for part, document in documents:
        path = Path(annotations_folder) / f"{part}.json"
        _write_document(path, document)
        counts = summarize(document, label_of=label_of, severity=severity)
        summaries[part] = {**counts, "annotations_sha256": sha256_of_file(path)}
    return summaries


def _write_document(path: Path, document: Mapping[str, Any]) -> None:
    """As ``write_json``, without its copy of every value where there is nothing to make strict."""
    try:
        text = json.dumps(document, allow_nan=False)
    except (ValueError, TypeError):  # NaN in some further field, or NumPy numbers
        write_json(path, document, indent=None)
    else:
        write_bytes(path, text.encode("utf-8") + b"\n")


def summarize(
    document: Mapping[str, Any], *, label_of: Mapping[int, str] | None = None, severity: Sequence[str] = SEVERITY
) -> dict[str, Any]:
    """Counts of one COCO object: images, cases, images by label, lesions, lesions by class; crowd regions if any."""
    images = document["images"]
    labels = Counter(image["image_label"] if label_of is None else label_of[image["id"]] for image in images)
    lesions = [annotation for annotation in document["annotations"] if not is_crowd(annotation)]
    classes = Counter(annotation["category_id"] for annotation in lesions)
    n_crowds = len(document["annotations"]) - len(lesions)
    return {
        "images": len(images),
        "cases": len(set(map(case_or_own, images))),
        "images_by_label": {label: labels[label] for label in severity},
        "lesions": len(lesions),
        "lesions_by_class": {category["name"]: classes[category["id"]] for category in document["categories"]},
        **({"crowd_regions": n_crowds} if n_crowds else {}),
    }


def remove_earlier_parts(split_path: Path, *, keep: Iterable[Path | str] = ()) -> None:
    """Remove a split file and its parts but ``keep``: a part left over would share cases with the new ones."""
    kept = {Path(path).resolve() for path in keep}
    for part in _parts_of(split_path):
        path = split_path.parent / "annotations" / f"{part}.json"
        if path.resolve() not in kept:
            _remove(path)
    _remove(split_path)


def check_no_earlier_split(output: Path, parts: Iterable[str], *, overwrite: bool) -> None:
    """Raise ConfigError for an earlier split, unless it may be replaced, or a part's file that is of no split."""
    split_path = Path(output) / "split.json"
    if os.path.lexists(split_path) and not overwrite:
        remedy = "Choose another --output, or replace it with --overwrite"
        raise ConfigError("the folder holds an earlier split", where=split_path, remedy=remedy)
    own = set(_parts_of(split_path))
    for part in parts:
        path = Path(output) / "annotations" / f"{part}.json"
        if os.path.lexists(path) and part not in own:
            remedy = "Choose another --output, or remove it yourself"
            raise ConfigError("there is a file that belongs to no split", where=path, remedy=remedy)


def check_not_overwritten(sources: Iterable[Path | str], annotations_folder: Path | str, parts: Iterable[str]) -> None:
    """Raises ConfigError if a part would be written over an annotation file that it is made from."""
    targets = {(Path(annotations_folder) / f"{part}.json").resolve() for part in parts}
    for path in sources:
        if Path(path).resolve() in targets:
            raise ConfigError(
                "a part would replace the file it is made from", where=path, remedy="Choose another --output"
            )


def _parts_of(split_path: Path) -> list[str]:
    """The parts that a split file names; none if there is none, or it is none of ours."""
    try:
        parts = list(json.loads(read_ordinary(split_path))["parts"])
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [Path(part).name for part in parts if isinstance(part, str)]


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot remove the earlier one: {error.strerror}", where=path) from error
