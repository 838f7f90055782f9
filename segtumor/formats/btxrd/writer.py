"""A converted data set to files: images, one annotation file per part, the report and, last, the split file.

Where there is a split file, the conversion is complete: an older one is removed first and the new one written when all
else is there. Not here: reading the source (``convert``), dividing it and writing parts (``segtumor.datasets.splits``).
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor import __version__
from segtumor.annotations.remarks import kinds_of
from segtumor.datasets.image_placement import place_images
from segtumor.datasets.splits.document import hash_images, split_document
from segtumor.datasets.splits.output import part_documents, remove_earlier_parts, write_parts
from segtumor.datasets.splits.split import Split
from segtumor.files import prepare_output_folder, sha256_of_file, write_json
from segtumor.formats.btxrd.convert import Conversion
from segtumor.formats.conversion.earlier_output import REPORT, names_of_files, new_files, remove_earlier
from segtumor.progress import Progress
from segtumor.taxonomy import Taxonomy

INFO = {
    "description": "BTXRD, radiographs of primary bone tumors, converted to COCO by segtumor",
    "version": "1",
    "reference": "Yao et al., Scientific Data 2025, doi 10.1038/s41597-024-04311-y",
    "licence": "as stated by the authors: article CC BY-NC-ND 4.0, data deposit CC BY 4.0",
    "segtumor_version": __version__,
}


def write_dataset(
    output: str | Path,
    source: str | Path,
    conversion: Conversion,
    split: Split,
    *,
    taxonomy: Taxonomy,
    images: str = "link",
    tables: Sequence[str | Path] = (),
    progress: Progress = iter,
    hashing: Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Write everything below ``output``; an earlier conversion there is removed, after a failure nothing is left.

    Args:
        split: assigns every image of the conversion.
        images: link (``output/images`` becomes a link to the source's folder) or copy.
        tables: files whose hashes the split file shall name: tables of images, cases and lists.
        hashing: wraps the images hashed, likewise; None leaves their hashes out.

    Returns:
        {part: summary}: counts of images, cases, labels and lesions by class, and annotations_sha256.

    Raises:
        ConfigError: a file of the user's would be replaced, or a source removed.
        OutputError: something cannot be written, or ``output/images`` holds something else.
    """
    output = prepare_output_folder(output)
    image_root, target, split_path = Path(source) / "images", output / "images", output / "split.json"
    names = [image["file_name"] for image in conversion.images]
    remove_earlier(output, keep=[*tables, *(image_root / name for name in names)])
    remove_earlier_parts(split_path)
    documents = part_documents(conversion.images, conversion.annotations, taxonomy.coco_categories(), split, info=INFO)
    had_images = os.path.lexists(target)
    with new_files(output) as written:
        place_images(image_root, target, names, mode=images, progress=progress)
        if target.is_symlink() and not had_images:
            written.append(target)
        summaries = write_parts(output / "annotations", documents)
        hashes = None if hashing is None else hash_images(image_root, names, progress=hashing)
        sources = [{"file": Path(path).name, "sha256": sha256_of_file(path)} for path in tables]
        files = names_of_files(output, [*written, split_path])
        write_json(output / REPORT, _report(source, conversion, split, summaries, files))
        write_json(split_path, split_document(split, summaries, sources=sources, image_sha256=hashes))
    return summaries


def _report(
    source: str | Path,
    conversion: Conversion,
    split: Split,
    summaries: Mapping[str, Mapping[str, Any]],
    files: Sequence[str],
) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "source": str(source),
        "listed_in_table": conversion.listed,
        "converted": {"images": len(conversion.images), "lesions": len(conversion.annotations)},
        "images_without_case": conversion.images_without_case,
        "split": {"kind": split.kind, "seed": split.seed, "split_sha256": split.sha256},
        "parts": summaries,
        "left_out_by_kind": kinds_of(conversion.left_out),
        "notes_by_kind": kinds_of(conversion.notes),
        "left_out": [remark._asdict() for remark in conversion.left_out],
        "notes": [remark._asdict() for remark in conversion.notes],
        "files": files,
    }
