"""Which annotation files a model was trained on, and what they hold: for counting what a test part shares with them.

Not here: the counting (``leak``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtumor.annotations.attributes import texts_of
from segtumor.annotations.coco import load_coco
from segtumor.cases import case_of
from segtumor.literature.entry import UNKNOWN
from segtumor.reporting.provenance import split_of

_BESIDE = ("train.json", "val.json")


@dataclass(frozen=True, kw_only=True)
class Training:
    """What the model was trained on: its training and validation parts.

    Attributes:
        name: of the files, in words.
        cases: case ids, as text.
        centers: sorted values of the images' attribute ``center``; UNKNOWN for those without.
        split_kinds: what the files say of their split, UNKNOWN for those that say nothing.
    """

    name: str
    cases: frozenset[str]
    n_without_case: int
    centers: tuple[str, ...]
    split_kinds: tuple[str, ...]


def training_files(annotations: str | Path, given: Sequence[str | Path] | None = None) -> list[Path]:
    """Paths of the training annotations.

    Args:
        given: paths the user gave; otherwise train.json and val.json beside the test part, if they exist.
    """
    if given:
        return [Path(path) for path in given]
    own = Path(annotations).resolve()
    found = [own.parent / name for name in _BESIDE]
    return [path for path in found if path.is_file() and path != own]


def read_training(paths: Sequence[Path]) -> Training | None:
    """The Training of annotation files, or None without any. Raises DataError for a file that cannot be read."""
    if not paths:
        return None
    parts = [load_coco(path, check_files=False, require_masks=False) for path in paths]
    images = [image for part in parts for image in part.images]
    cases = [case for case in map(case_of, images) if case is not None]
    return Training(
        name=", ".join(path.name for path in paths),
        cases=frozenset(cases),
        n_without_case=len(images) - len(cases),
        centers=centers_of(images),
        split_kinds=tuple(dict.fromkeys(split_kind(part.info, path) for part, path in zip(parts, paths, strict=True)))
        or (UNKNOWN,),
    )


def centers_of(images: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Sorted values of ``center`` of mappings, UNKNOWN for those that lack it."""
    return tuple(sorted({"+".join(texts_of(image.get("center"))) or UNKNOWN for image in images}))


def split_kind(info: Mapping[str, Any], path: str | Path) -> str:
    """Kind of the split that an annotation file is a part of; UNKNOWN if neither it nor ``split.json`` says."""
    return str(info.get("split_kind") or split_of(path).get("kind") or UNKNOWN)
