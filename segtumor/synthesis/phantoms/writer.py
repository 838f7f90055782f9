"""Writes phantoms as a data set: ``images/*.png``, ``annotations/{train,val,test}.json``, ``split.json``.

The split is of whole cases, labels in proportion, drawn from the seed. The annotations come last, each file atomically,
and ``split.json`` after them: a data set without it was interrupted.
"""

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from segtumor import NOTICE
from segtumor.errors import ConfigError, OutputError
from segtumor.files import sha256_of_file, write_bytes, write_json, write_text
from segtumor.synthesis.phantoms.acquisition import DIGITAL
from segtumor.synthesis.phantoms.coco import SYNTHETIC_NOTICE, CocoPart
from segtumor.synthesis.phantoms.generator import PhantomCase, label_of_case, make_phantoms
from segtumor.system.locks import is_empty, lock_folder
from segtumor.taxonomy import BENIGN, MALIGNANT, NORMAL

#: Written first; by it a folder of phantoms is known even if it was interrupted.
NOTICE_FILE = "SYNTHETIC.txt"
_NOTICE_TEXT = (
    f"{SYNTHETIC_NOTICE}.\n\n"
    "Every picture here was drawn by a program from a random seed. They show no patient, and a score on them says\n"
    "nothing about real radiographs. Complete only if split.json is here.\n"
    f"{NOTICE}\n"
)
MIN_SIZE_PX, MAX_SIZE_PX = 96, 2048


def write_phantom_dataset(
    output: Path | str,
    *,
    cases: int = 300,
    seed: int = 0,
    size_px: int = 256,
    device: str = DIGITAL,
    fractions: Sequence[float] = (0.7, 0.15, 0.15),
    progress: Callable[[int], object] | None = None,
    overwrite: bool = False,
) -> dict[str, dict[str, int]]:
    """Make phantoms and write them as a COCO data set, split by case.

    Args:
        output: folder; an earlier set of phantoms in it is replaced only with ``overwrite``, an unfinished one always.
        cases: number of cases, two images each.
        seed: not negative; equal seeds give equal bytes with equal library versions.
        device: one of ``acquisition.DEVICES``.
        fractions: shares of train, val and test, adding up to 1.
        overwrite: replace an earlier set, and also write into a folder that holds something else (whose files stay
            unless they have our names).

    Returns:
        dict, part -> {"cases", "images", "normal" images, "benign" lesions, "malignant" lesions}.

    Raises:
        ConfigError: a number out of range, too few cases for the parts asked for, or an earlier set in the folder.
        OutputError: the folder holds something else, or cannot be written.
    """
    _check(cases, seed, size_px)
    labels = [label_of_case(seed, index) for index in range(cases)]
    part_of_case = split_labels(labels, fractions, seed)
    with lock_folder(output) as root:
        _prepare(root, overwrite)
        try:
            parts = {name: CocoPart(name, seed=seed, size_px=size_px) for name in PARTS if name in part_of_case}
            split: dict[str, str] = {}
            for case, part in zip(make_phantoms(cases, seed, size_px, device=device), part_of_case, strict=True):
                split[case.case_id] = part
                _write_case(root, case, parts[part])
                if progress is not None:
                    progress(len(split))
            shares = dict(zip(PARTS, map(float, fractions), strict=True))
            settings = {"seed": seed, "size_px": size_px, "fractions": shares}
            return _finish(root, parts, settings if device == DIGITAL else {**settings, "device": device}, split)
        except OutputError:  # half a set is of no use, and fills the disk that is full
            _remove(root)
            (root / NOTICE_FILE).unlink(missing_ok=True)
            _remove_if_empty(root / "images", root / "annotations")
            raise


def _check(cases: int, seed: int, size_px: int) -> None:
    if cases < 1:
        raise ConfigError("no cases asked for", where="cases", got=cases, expected="1 or more")
    if seed < 0:
        raise ConfigError("a seed cannot be negative", where="seed", got=seed, expected="0 or more")
    if not MIN_SIZE_PX <= size_px <= MAX_SIZE_PX:
        expected = f"{MIN_SIZE_PX} to {MAX_SIZE_PX} px"
        raise ConfigError("image size out of range", where="size", got=size_px, expected=expected)


def _prepare(root: Path, overwrite: bool) -> None:
    if not is_empty(root) and not (root / NOTICE_FILE).is_file() and not overwrite:
        raise OutputError(
            "the folder is not empty and holds no phantoms",
            where=root,
            remedy="Name another folder, or add --overwrite to write into this one",
        )
    if (root / "split.json").is_file() and not overwrite:
        remedy = "Name another folder, or replace them with --overwrite"
        raise ConfigError("the folder holds earlier phantoms", where=root, remedy=remedy)
    _remove(root)
    write_text(root / NOTICE_FILE, _NOTICE_TEXT)


def _remove(root: Path) -> None:
    """Remove a set of phantoms."""
    # What says "complete" goes first, so that an interruption from here on leaves nothing that looks so.
    stale = [root / "split.json", *(root / "annotations" / f"{part}.json" for part in PARTS)]
    stale += sorted((root / "images").glob("phantom[0-9]*_*.png"))
    try:
        for path in stale:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot remove an earlier file: {error.strerror}", where=error.filename) from error


def _remove_if_empty(*folders: Path) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _write_case(root: Path, case: PhantomCase, part: CocoPart) -> None:
    for view in case.views:
        file_name = f"{case.case_id}_{view.view}.png"
        write_bytes(root / "images" / file_name, _png(view.pixels))
        part.add_view(case, view, file_name)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """(H, W) uint8 -> bytes of a PNG that says in its metadata what it is."""
    text = PngInfo()
    text.add_text("Description", SYNTHETIC_NOTICE)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", pnginfo=text)
    return buffer.getvalue()


def _finish(
    root: Path, parts: Mapping[str, CocoPart], settings: Mapping[str, Any], split: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    counts, digests = {}, {}
    for name, part in parts.items():
        path = root / "annotations" / f"{name}.json"
        write_json(path, part.document(), indent=None)
        counts[name], digests[name] = _count(part), sha256_of_file(path)
    found = {"counts": counts, "annotations_sha256": digests, "cases": split}
    write_json(root / "split.json", {"description": SYNTHETIC_NOTICE, "unit": "case", **settings, **found})
    return counts


def _count(part: CocoPart) -> dict[str, int]:
    lesions = [BENIGN if entry["category_id"] == 1 else MALIGNANT for entry in part.annotations]
    return {
        "cases": len({entry["case_id"] for entry in part.images}),
        "images": len(part.images),
        NORMAL: sum(entry["image_label"] == NORMAL for entry in part.images),
        BENIGN: lesions.count(BENIGN),
        MALIGNANT: lesions.count(MALIGNANT),
    }


PARTS = ("train", "val", "test")


def split_labels(labels: Sequence[str], fractions: Sequence[float], seed: int) -> list[str]:
    """The part of each case, by shares of train, val and test, of which one may be 0.

    Cases are shuffled within their label, the labels laid end to end, and each case goes to the part that is then
    furthest behind its share; so every label, and the whole, is divided as asked to within one case or so. Raises
    ConfigError for bad shares, or too few cases to give each part one.
    """
    shares = np.asarray(fractions, dtype=np.float64)
    if shares.shape != (3,) or not np.all(shares >= 0) or abs(shares.sum() - 1) > 1e-6:
        raise ConfigError(
            "fractions of train, val and test", where="fractions", got=list(fractions), expected="three, adding up to 1"
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, 0, 0)))
    counts = np.zeros(3)
    parts = [""] * len(labels)
    for case in _order(labels, rng):
        part = int(np.argmax(shares * (counts.sum() + 1) - counts))
        counts[part] += 1
        parts[case] = PARTS[part]
    empty = [name for name, share, count in zip(PARTS, shares, counts, strict=True) if share > 0 and count == 0]
    if empty:
        raise ConfigError(
            f"too few cases: none is left for {' and '.join(empty)}", where="cases", got=len(labels),
            remedy="Ask for more cases, or give that part the fraction 0",
        )  # fmt: skip
    return parts


def _order(labels: Sequence[str], rng: np.random.Generator) -> list[int]:
    names = sorted(set(labels))
    members = [[i for i, label in enumerate(labels) if label == name] for name in names]
    return [int(case) for group in members for case in rng.permutation(group)]
