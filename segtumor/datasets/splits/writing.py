"""Write a made split: images in place, a file for each part and, last, ``split.json`` with hashes.

Not here: making the split (``making``) and the contents of its files (``output``, ``document``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtumor.datasets.image_placement import place_images
from segtumor.datasets.splits import output as parts_output
from segtumor.datasets.splits.document import hash_images, split_document
from segtumor.datasets.splits.making import MadeSplit
from segtumor.errors import ConfigError
from segtumor.files import prepare_output_folder, sha256_of_file, write_json
from segtumor.progress import Progress


@dataclass(frozen=True)
class WrittenSplit:
    """What was written.

    Attributes:
        changed: names of images that have changed since the split was made whose parts are used again.
    """

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
    parts_output.check_not_overwritten(merged.paths, folder, made.split.parts)
    parts_output.check_no_earlier_split(output, made.split.parts, overwrite=overwrite)
    prepare_output_folder(output)
    hashes = None
    if placing is not None:
        _place(made, output / "images", placing, copying)
        names = [name for name in made.file_names if name in made.split.assignment]
        hashes = hash_images(output / "images", names, progress=hashing) if hashed else None
    parts_output.remove_earlier_parts(split_path, keep=merged.paths)
    documents = parts_output.part_documents(
        merged.images, merged.annotations, merged.categories, made.split, info=merged.info
    )
    label_of = dict(zip((image["id"] for image in merged.images), made.labels, strict=True))
    summaries = parts_output.write_parts(folder, documents, label_of=label_of, severity=made.severity)
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
