"""Folders of mask images to lesions; ``segtumor.formats.masks`` has the rules."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from segtumor.annotations.flat_polygons import scale_between, scale_mask
from segtumor.annotations.remarks import LeftOutError, Remark, remark_if_any
from segtumor.errors import DataError
from segtumor.files import is_inside
from segtumor.formats.collection import Collection, Region, SourceImage
from segtumor.formats.masks.classes import (
    FolderValues,
    MaskClasses,
    holds_classes,
    leave_out_classes,
    masks_by_class,
    read_classes,
)
from segtumor.formats.masks.names import FOLDERS, Owner, further_channels, has_mask_word, owners_of, safe_names
from segtumor.formats.masks.pixels import (
    ONLY_IGNORED,
    SUFFIXES,
    MaskImage,
    UnnamedValuesError,
    binary_mask,
    component_rles,
    read_mask,
)
from segtumor.formats.sources.files import files_below
from segtumor.formats.sources.image_folder import ImageFolder
from segtumor.formats.sources.parts import part_named, part_of_path
from segtumor.progress import Progress
from segtumor.structures.masks import rle_area, rle_from_mask

_LESION = "lesion"
_LOOKED_AT = 3
_TINY_PX = 4


def recognises(source: Path) -> bool:
    """Whether there are mask files by their folders or names, and the first of them have the values of masks."""
    if not source.is_dir():
        return False
    paths = _in_mask_folders(source) or [p for p in files_below(source, SUFFIXES) if has_mask_word(p.stem)]
    looks = []
    for path in paths[:_LOOKED_AT]:
        with contextlib.suppress(LeftOutError):  # a damaged one among them is named when all are read
            looks.append(_looks_like_mask(path))
    return bool(looks) and all(looks)


def read(source: Path, images: ImageFolder, *, progress: Progress = iter) -> Collection:
    """Read the masks of a folder; raises DataError if there is none, or the file of the classes cannot be read."""
    paths = _mask_files(source, images)
    if not paths:
        expected = "masks/<image>.png, or <image>_mask.png beside the images"
        raise DataError("has no mask", where=source, expected=expected, remedy="Check --source and --images")
    classes = read_classes(_class_folders(source))
    own = {os.path.realpath(path) for path in paths}
    masks = {name for name in images.names if os.path.realpath(images.path(name)) in own}
    collection = Collection(root=images.root, labels=classes.labels, not_images=masks)
    values = FolderValues()
    for file_name, files in progress(sorted(_assign(paths, source, images, classes, collection.left_out).items())):
        try:
            collection.images.append(_read_image(file_name, files, images, classes, collection.notes, values))
        except LeftOutError as reason:
            values.n_unnamed += isinstance(reason, UnnamedValuesError)
            collection.left_out.append(reason.remark(file_name))
    leave_out_classes(collection, values)
    for name, first in further_channels(images.names, collection.known):
        collection.not_images.add(name)
        collection.notes.append(Remark(name, "further channel of an image of nnU-Net, not used", first))
    return collection


def _is_mask_folder(path: Path) -> bool:
    return path.is_dir() and path.name.lower() in FOLDERS


def _class_folders(source: Path) -> list[Path]:
    """Where the names of the classes may be: with the masks, or beside their folder."""
    outer = [source.parent] if _is_mask_folder(source) else []
    inner = [folder for folder in sorted(source.iterdir()) if _is_mask_folder(folder) or part_named(folder.name)]
    return [source, *outer, *(folder for folder in inner if folder.is_dir())]


def _in_mask_folders(source: Path) -> list[Path]:
    if source.name.lower() in FOLDERS:
        return list(files_below(source, SUFFIXES))
    paths = files_below(source, SUFFIXES)
    return [p for p in paths if FOLDERS & {part.lower() for part in p.relative_to(source).parts[:-1]}]


def _mask_files(source: Path, images: ImageFolder) -> list[Path]:
    named = _in_mask_folders(source)
    outside = [p for p in named or files_below(source, SUFFIXES) if not is_inside(p, images.root)]
    return outside or [path for path in named or files_below(source, SUFFIXES) if has_mask_word(path.stem)] or named


def _looks_like_mask(path: Path) -> bool:
    image = read_mask(path)
    if image.is_lossy:
        binary_mask(image)
        return not image.is_colored
    return len(np.unique(image.values)) <= 32 or (not image.is_colored and binary_mask(image) is not None)


def _assign(
    paths: Sequence[Path], source: Path, images: ImageFolder, classes: MaskClasses, left_out: list[Remark]
) -> dict[str, list[tuple[Owner, Path]]]:
    """{file name of an image: its masks}; masks that belong to none, or to several, go to ``left_out``."""
    own = {os.path.realpath(path) for path in paths}

    def is_mask(file_name: str) -> bool:
        return os.path.realpath(images.path(file_name)) in own

    known = safe_names(classes.labels)
    claims: list[tuple[Path, list[Owner]]] = []
    for path in paths:
        name = path.relative_to(source).as_posix()
        owners = owners_of(name, images, is_mask)
        usual = [owner for owner in owners if _is_plausible(owner.label, known)]
        if not owners:
            left_out.append(Remark(name, "mask without an image"))
        claims.append((path, usual or owners[:1]))
    whole = {owners[0].image for _, owners in claims if owners and not owners[0].is_lesion}
    files: dict[str, list[tuple[Owner, Path]]] = {}
    ambiguous: dict[str, str] = {}
    for path, owners in claims:
        if owners:
            files.setdefault(owners[0].image, []).append((owners[0], path))
        rivals = {owner.image for owner in owners[1:]} - {owners[0].image} - whole if owners else set()
        ambiguous |= dict.fromkeys((owners[0].image, *rivals), path.name) if rivals else {}
    for image, name in ambiguous.items():
        files.pop(image, None)
        detail = f"{name}; put the masks of each image into a folder of its name"
        left_out.append(Remark(image, "mask could belong to several images", detail))
    return files


def _is_plausible(label: str, known: Mapping[str, str]) -> bool:
    """Whether a part of a name can be a class: empty, a known one, or, where none are known, one with a letter."""
    return not label or (_class_of(label, known) is not None if known else any(c.isalpha() for c in label))


def _class_of(label: str, known: Mapping[str, str]) -> str | None:
    folded = {text.casefold(): name for text, name in known.items()}
    return folded.get(label.casefold(), {name.casefold(): name for name in known.values()}.get(label.casefold()))


def _read_image(
    file_name: str,
    files: Sequence[tuple[Owner, Path]],
    images: ImageFolder,
    classes: MaskClasses,
    notes: list[Remark],
    values: FolderValues,
) -> SourceImage:
    size_hw = images.size_hw(file_name)
    kinds = {owner.is_lesion for owner, _ in files}
    if len(kinds) > 1 or (not kinds.pop() and len(files) > 1):
        names = ", ".join(path.name for _, path in files[:4])
        raise LeftOutError("several masks of the whole image, or also of single lesions", names)
    regions: list[Region] = []
    for owner, path in files:
        notes += remark_if_any(file_name, owner.unusual, path.name)
        image = read_mask(path)
        if image.values.shape != size_hw:
            scale_between(image.size_hw, size_hw)
            image = image._replace(values=scale_mask(image.values, size_hw))
            notes.append(Remark(file_name, "mask scaled to the size of the image", path.name))
        if owner.is_lesion:
            regions.append(_lesion(owner, image, classes, path, file_name, notes))
        else:
            regions += _regions(image, classes, file_name, notes, values)
    part = part_of_path(file_name)
    if part and {part_named(path.parent.name) for _, path in files} - {part, None}:
        raise LeftOutError("mask of another part than the image", files[0][1].name)  # labelsTr, imagesTs
    part = part or part_of_path("/".join(files[0][1].parts[-4:]))
    return SourceImage(file_name, size_hw, tuple(regions), {"part": part} if part else {})


def _lesion(
    owner: Owner, image: MaskImage, classes: MaskClasses, path: Path, file_name: str, notes: list[Remark]
) -> Region:
    """The one lesion of a file."""
    known = safe_names(classes.labels)
    label: str | None = owner.label or (classes.labels[0] if len(classes.labels) == 1 else _LESION)
    if owner.label and known:
        label = _class_of(owner.label, known)
    if label is None:
        raise LeftOutError("class in a file name is not in the list of classes", path.name)
    if image.is_colored:
        image = MaskImage((image.values != 0).astype(np.int64))
    mask, unusual = binary_mask(image)
    notes += remark_if_any(file_name, unusual, path.name)
    if not mask.any():
        raise LeftOutError("mask of a lesion marks no pixel", path.name)
    return Region(label, rle_from_mask(mask))


def _regions(
    image: MaskImage, classes: MaskClasses, file_name: str, notes: list[Remark], values: FolderValues
) -> list[Region]:
    """The lesions of a whole image's mask."""
    if image.is_colored or holds_classes(image, classes):
        if image.is_lossy:
            raise LeftOutError("mask of classes as JPEG, which changes the values", "save it as PNG")
        masks, ignored = masks_by_class(image, classes)
        values.ignored.update(ignored)
        texts = ", ".join(map(str, ignored))
        if ignored:
            notes.append(Remark(file_name, "mask value without a class, taken as to be ignored", texts))
        if ignored and not masks:
            raise UnnamedValuesError(ONLY_IGNORED, f"value {texts}")
    else:
        mask, unusual = binary_mask(image)
        notes += remark_if_any(file_name, unusual)
        levels = np.unique(image.values)
        if not image.is_lossy and len(levels) <= 2 and levels[-1]:
            values.plain[file_name] = int(levels[-1])
        masks = {classes.labels[0] if classes.labels else _LESION: mask}
    rles = [(label, rle) for label, mask in masks.items() for rle in component_rles(mask)]
    tiny = sum(rle_area(rle) < _TINY_PX for _, rle in rles)
    if tiny:
        notes.append(Remark(file_name, f"lesions of less than {_TINY_PX} px", f"{tiny} of {len(rles)}"))
    return [Region(label, rle) for label, rle in rles]
