"""LabelMe files to lesions; an image without its file is looked for in the JSON itself."""

import io
import posixpath
import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from segtumor.annotations.attributes import is_unicode
from segtumor.annotations.image_names import stem_of
from segtumor.annotations.json_input import parse_json
from segtumor.annotations.remarks import LeftOutError, Remark, remark_if_any
from segtumor.arrays import SizeHW
from segtumor.errors import BadImageError, DataError
from segtumor.formats.collection import NOT_IN_FOLDER, SHAPE_NOT_USABLE, Collection, Region, SourceImage, scale_noted
from segtumor.formats.labelme.regions import regions
from segtumor.formats.labelme.shapes import LabelmeFile, OtherFileError, decoded, read_labelme
from segtumor.formats.sources.encodings import utf8_of
from segtumor.formats.sources.files import HEAD_BYTES, files_below, folder_of, head_of
from segtumor.formats.sources.image_folder import Found, ImageFolder
from segtumor.formats.sources.parts import part_of_path
from segtumor.imaging.failures import decoder_errors
from segtumor.imaging.radiograph import MAX_PIXELS, check_size
from segtumor.imaging.raster import raster_size_hw
from segtumor.imaging.reader import raster_kind
from segtumor.progress import Progress

_LOOKED_AT = 10
_SHAPES = re.compile(rb'"shapes"\s*:\s*\[')
_UNSAFE = re.compile(r"[\\:\x00-\x1f]")
_OWN = {"id", "file_name", "width", "height"}


def recognises(source: Path) -> bool:
    """Whether it is a JSON file with LabelMe's shapes, or a folder with such files among its first."""
    return any(map(_is_labelme, islice(files_below(source, (".json",)), _LOOKED_AT)))


def read(source: Path, images: ImageFolder, *, progress: Progress = iter) -> Collection:
    """Read a LabelMe file or a folder of them, with its subfolders; raises DataError where there is none."""
    collection = Collection(images.root)
    paths = list(files_below(source, (".json",))) if source.is_dir() else [source]
    if not paths:
        raise DataError("no JSON file in this folder", where=source, remedy="Check --source")
    for path in progress(paths):
        name = path.relative_to(folder_of(source)).as_posix()
        try:
            _read_file(path, name, images, collection)
        except OtherFileError as error:
            collection.notes.append(Remark(name, "JSON file of another kind, not read", str(error)))
        except DataError as error:
            collection.left_out.append(Remark(name, "file cannot be read", str(error)))
        except LeftOutError as reason:
            collection.left_out.append(reason.remark(name))
    collection.drop_doubtful()
    return collection


def _is_labelme(path: Path) -> bool:
    """Whether the first bytes have a list of shapes; a small file must also be JSON with that list at its top."""
    head = head_of(path)
    if not _SHAPES.search(head.replace(b"\0", b"")):  # UTF-16
        return False
    try:
        document = parse_json(utf8_of(head, path), path) if len(head) < HEAD_BYTES else {"shapes": []}
    except DataError:
        return False
    return isinstance(document, dict) and isinstance(document.get("shapes"), list)


def _read_file(path: Path, name: str, images: ImageFolder, collection: Collection) -> None:
    drawn = read_labelme(path)
    file_name, content, size_hw, unusual = _image(drawn, name, images)
    collection.notes += remark_if_any(file_name, unusual, drawn.image_path)
    try:
        found = _lesions(drawn, file_name, size_hw, collection.notes)
    except LeftOutError as reason:
        collection.left_out.append(reason.remark(file_name))
        return
    collection.images.append(SourceImage(file_name, size_hw, found, _attributes(drawn, name), content))


def _lesions(drawn: LabelmeFile, file_name: str, size_hw: SizeHW, notes: list[Remark]) -> tuple[Region, ...]:
    if not drawn.shapes and drawn.unusable:
        raise LeftOutError("no usable shape", "; ".join(drawn.unusable))
    if not all(shape.label and is_unicode(shape.label) for shape in drawn.shapes):
        raise LeftOutError("shape without a label that can be written")
    notes.extend(Remark(file_name, SHAPE_NOT_USABLE, sentence) for sentence in drawn.unusable)
    drawn_hw = drawn.size_hw or size_hw
    scale_xy = scale_noted(drawn_hw, size_hw, file_name, notes)
    found, joined = regions(drawn.shapes, drawn_hw=drawn_hw, size_hw=size_hw, scale_xy=scale_xy)
    if joined:
        notes.append(Remark(file_name, "rectangle and polygon of one lesion, joined", f"{joined} of {len(found)}"))
    return found


def _attributes(drawn: LabelmeFile, name: str) -> dict[str, Any]:
    given: Mapping[str, Any] = drawn.fields.get("attributes", {})
    attributes = {key: value for key, value in given.items() if key not in _OWN}
    if "flags" in drawn.fields:
        attributes["flags"] = drawn.fields["flags"]
    part = part_of_path(name)
    return {**attributes, "part": part} if part else attributes


def _image(drawn: LabelmeFile, name: str, images: ImageFolder) -> tuple[str, bytes | None, tuple[int, int], str]:
    """(file name, embedded bytes or None, (height, width), what is unusual)."""
    try:
        found, unusual = _find(drawn, name, images)
    except LeftOutError:
        if not drawn.image_data:
            raise
    else:
        return found.file_name, None, images.size_hw(found.file_name), unusual
    try:
        content = decoded(drawn.image_data)
        suffix, size_hw = _embedded_size(content)
    except BadImageError as error:
        raise LeftOutError("embedded image cannot be read", str(error)) from error
    return f"{_UNSAFE.sub('_', name.rpartition('.')[0])}.{suffix}", content, size_hw, "image taken from the JSON file"


def _find(drawn: LabelmeFile, name: str, images: ImageFolder) -> tuple[Found, str]:
    """The image as seen from the JSON file's folder, or of the same name, since people rename both; what is unusual."""
    wanted = drawn.image_path.replace("\\", "/")
    try:
        found = images.find(posixpath.normpath(posixpath.join(posixpath.dirname(name), wanted)) if wanted else "")
        return found, found.unusual
    except LeftOutError:
        if drawn.image_data:
            raise
        folder, _, file = wanted.rpartition("/")
        beside = posixpath.join(posixpath.dirname(name), folder, stem_of(name))
        if stem_of(file) == stem_of(name):
            raise
        try:
            found = images.find(posixpath.normpath(beside))
        except LeftOutError:
            raise LeftOutError(NOT_IN_FOLDER, drawn.image_path) from None
        return found, "found by the name of the JSON file"


def _embedded_size(content: bytes) -> tuple[str, tuple[int, int]]:
    """(suffix, (height, width)) of an embedded picture, from its header; raises BadImageError."""
    kind = raster_kind(content)
    if kind is None:
        raise BadImageError("is not an image", where="imageData", expected="PNG, JPEG, TIFF or BMP")
    with decoder_errors("imageData", kind=kind):
        size_hw = raster_size_hw(io.BytesIO(content), kind)
    check_size(size_hw, MAX_PIXELS, "imageData")
    return kind.lower(), size_hw
