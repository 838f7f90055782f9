"""Check an annotation file and its images in one pass, and make a repaired copy.

Not here: what is wrong with annotations (``segtumor.annotations.validation``) and with images (``image_checks``), and
what is repaired (``segtumor.annotations.repair``).
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtumor.annotations.json_input import parse_json_leniently, read_bytes
from segtumor.annotations.problems import ERROR, Problem, ProblemKind, error
from segtumor.annotations.regions import boxes_sentence, count_crowds, has_outline, regions_by_image
from segtumor.annotations.remarks import kinds_of
from segtumor.annotations.repair import Repaired, repair
from segtumor.annotations.validation import find_problems
from segtumor.datasets.image_checks import image_problems
from segtumor.errors import DataError
from segtumor.progress import Progress

_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class CheckedFile:
    """An annotation file and what is wrong with it.

    Attributes:
        coco: what it holds, as parsed.
        repeated: (key, place) of each key that is twice in one object.
        image_root: folder in which images were looked for; None: nowhere.
        n_opened: images that were opened; None if none was to be.
    """

    path: Path
    coco: Any
    sha256: str
    repeated: Sequence[tuple[str, str]]
    problems: Sequence[Problem]
    image_root: Path | None
    n_opened: int | None

    @property
    def n_errors(self) -> int:
        """Problems for which training, evaluation and inference refuse the file; the others are warnings."""
        return sum(problem.severity == ERROR for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        """Everything but the annotations, as plain values."""
        return {
            "schema_version": _SCHEMA_VERSION,
            "file": self.path.name,
            "sha256": self.sha256,
            "image_files_looked_for": self.image_root is not None,
            "images_checked": self.n_opened or 0,
            "counts": {"error": self.n_errors, "warning": len(self.problems) - self.n_errors},
            "problems": [problem.as_json() for problem in self.problems],
        }


def check_file(
    path: str | Path,
    *,
    image_root: str | Path | None = None,
    require_masks: bool = True,
    train_size: tuple[int, int] | None = None,
    open_images: bool = True,
    progress: Progress = iter,
) -> CheckedFile:
    """Find all problems of an annotation file and its images.

    Args:
        image_root: folder that file names are relative to; None: ``images`` beside the annotations' folder, if it is
            there.
        require_masks: whether a lesion without an outline is an error.
        train_size: (shorter edge, limit of the longer one) of training, px; warns of lesions too small for it.

    Raises:
        DataError: the file cannot be read or is no JSON, or ``image_root`` is no folder.
    """
    data = read_bytes(path)
    sha256 = hashlib.sha256(data).hexdigest()
    coco, repeated = parse_json_leniently(data, path)
    del data  # as large as the file, and no longer needed
    root = _image_root(path, image_root)
    short, long = train_size or (None, None)
    found = [error("file" + where, f"{key!r:.40}", ProblemKind.KEY_TWICE) for key, where in repeated]
    found += find_problems(
        coco, require_masks=require_masks, image_root=root, short_edge_px=short, max_long_edge_px=long
    )
    found = [p._replace(severity=ERROR) if p.kind is ProblemKind.ALL_CROWDS else p for p in found]
    n_opened = None
    if root is not None and open_images and isinstance(coco, dict):
        images = _openable(coco, found)
        found += image_problems(images, root, progress=progress)[0]
        n_opened = len(images)
    return CheckedFile(Path(path), coco, sha256, repeated, found, root, n_opened)


def repaired_copy(
    checked: CheckedFile,
    *,
    keep_boxes: bool = False,
    crowds_as_lesions: bool = False,
    boxes_as_masks: bool = False,
    open_images: bool = True,
    progress: Progress = iter,
) -> Repaired:
    """A copy in which what is certain is put right, and what is not is left out; images that do not open, too.

    ``keep_boxes`` keeps lesions without an outline; where no lesion has one, they stay anyhow. Raises DataError if it
    is no COCO object, a key is twice in one object, or nothing is left.
    """
    if checked.repeated:
        remedy = "Remove one of the two by hand; the copy would have the last"
        raise DataError(
            "a key is twice in one object, so that it is unknown which counts", where="--fix", remedy=remedy
        )
    coco, root = checked.coco, checked.image_root

    def repaired_without(unusable: Mapping[str, str] | None = None) -> Repaired:
        return repair(
            coco,
            image_root=root,
            require_masks=not (keep_boxes or _only_boxes(coco)),
            unusable=unusable,
            crowds_as_lesions=crowds_as_lesions,
            boxes_as_masks=boxes_as_masks,
        )

    repaired = repaired_without()
    unusable = _still_unusable(repaired.coco, root, progress) if root is not None and open_images else {}
    return repaired_without(unusable) if unusable else repaired


def untrainable(coco: Mapping[str, Any], *, keep_boxes: bool) -> tuple[str, str, bool]:
    """(sentence on crowds, on boxes alone, whether nothing can be trained on) of sound annotations; "" without any."""
    regions = regions_by_image(coco["images"], coco["annotations"])
    crowds, boxes = count_crowds(regions), boxes_sentence(regions)
    return crowds.sentence, boxes, crowds.all_regions or bool(boxes and not keep_boxes)


def changes_document(repaired: Repaired, *, original: str | Path, copy: str | Path) -> dict[str, Any]:
    """Everything that was changed or left out, as plain values."""
    return {
        "schema_version": _SCHEMA_VERSION,
        "file": Path(original).name,
        "repaired": Path(copy).name,
        "kinds_of_changes": kinds_of_changes(repaired),
        "kinds_left_out": kinds_of(repaired.left_out),
        "changes": [change._asdict() for change in repaired.changes],
        "left_out": [remark._asdict() for remark in repaired.left_out],
    }


def kinds_of_changes(repaired: Repaired) -> dict[str, int]:
    """{field and what was changed: how often}, most frequent first."""
    return dict(Counter(f"{change.field}: {change.what}" for change in repaired.changes).most_common())


def _image_root(path: str | Path, image_root: str | Path | None) -> Path | None:
    """The folder of the images; None, so that no file is looked for, where none is given or found."""
    if image_root is not None:
        if not Path(image_root).is_dir():
            raise DataError("is not a folder", where=f"--images {image_root}")
        return Path(image_root)
    beside = Path(path).resolve().parent.parent / "images"
    return beside if beside.is_dir() else None


def _openable(coco: Mapping[str, Any], found: Sequence[Problem]) -> list[Mapping[str, Any]]:
    """Entries of images whose name and size are sound and whose file is there."""
    listed = coco.get("images")
    images = listed if isinstance(listed, list) else []
    fields = ("file_name", "width", "height")
    wrong = {p.where.partition(" ")[0] for p in found if p.field in fields and p.severity == ERROR}
    return [image for i, image in enumerate(images) if isinstance(image, dict) and f"images[{i}]" not in wrong]


def _only_boxes(coco: Any) -> bool:
    """Whether there are lesions and none has an outline, so that nothing would stay."""
    annotations = coco.get("annotations") if isinstance(coco, dict) else None
    entries = [a for a in annotations if isinstance(a, dict)] if isinstance(annotations, list) else []
    return bool(entries) and not any(map(has_outline, entries))


def _still_unusable(coco: Mapping[str, Any], image_root: Path, progress: Progress) -> dict[str, str]:
    """{file name: why} of images of the repaired copy that cannot be opened or contradict what it says of them."""
    names = [image["file_name"] for image in coco["images"]]
    found, prints = image_problems(coco["images"], image_root, progress=progress, near=False)
    alike: dict[str, list[str]] = {}
    for name, one in prints.items():
        alike.setdefault(one.pixel_sha256, []).append(name)
    why: dict[str, str] = {}
    for problem in (p for p in found if p.severity == ERROR):
        name = names[int(problem.where.partition("[")[2].partition("]")[0])]
        # Of one picture with two labels it is unknown which is right.
        same = alike[prints[name].pixel_sha256] if problem.field == "image_label" and name in prints else [name]
        for each in same:
            why.setdefault(each, f"{problem.field} {problem.what}")
    return why
