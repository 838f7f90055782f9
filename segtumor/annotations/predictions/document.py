"""Reading predictions back from a file, for evaluation.

Three forms are read: segtumor's ``predictions.json`` and a COCO file whose annotations have scores (objects; images are
matched by file name, categories by name, because ``infer.py`` numbers its images itself), and a plain COCO results list
of any other tool (image and category ids are those of the annotations). Everything is checked on the way in; the first
bad item is named by its index. Not here: writing (``writing``), which image is meant (``images``), one finding
(``items``), the truth (``segtumor.annotations.coco``), and any judgement of the findings.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from segtumor.annotations.json_input import is_annotations, parse_json, read_bytes
from segtumor.annotations.predictions.images import ImageMatcher, is_id, own_id, refuse_several
from segtumor.annotations.predictions.items import finding_of, is_int, reading_fields
from segtumor.annotations.predictions.writing import SCHEMA_VERSION
from segtumor.errors import DataError
from segtumor.structures.lesions import AnnotatedImage, Finding
from segtumor.structures.outcomes import STATUS_OK
from segtumor.structures.readings import Reading
from segtumor.texts import some_of

#: Versions that are read. The second has more keys than the first, and changed none.
_SCHEMA_VERSIONS = (1, SCHEMA_VERSION)
_EXPECTED = "the predictions.json of infer.py, a COCO results list, or a COCO file whose annotations have scores"
_MOST_FINDINGS = 10_000  # of one image: each is compared with each lesion, and drawn
_LISTED = 5  # names in one error message

_Json = Mapping[str, Any]


@dataclass(frozen=True)
class Predictions:
    """The readings of a file, by the image ids of the annotations.

    Attributes:
        readings: image id -> reading, findings with the highest score first (the file's order among equals); every
            annotated image has an entry.
        absent_ids: annotated images that the file does not list; None if the file lists no images at all.
        failed_ids: annotated images that the file lists with a status other than "ok".
        n_left_out: images of the file that are not annotated and were left out, as asked.
    """

    readings: Mapping[int, Reading]
    absent_ids: tuple[int, ...] | None
    failed_ids: tuple[int, ...]
    n_left_out: int = 0

    @property
    def findings(self) -> dict[int, tuple[Finding, ...]]:
        """Image id -> findings, highest score first."""
        return {image_id: reading.findings for image_id, reading in self.readings.items()}


def read_predictions(
    source: str | Path | _Json,
    annotated_images: Sequence[AnnotatedImage],
    *,
    class_names: Sequence[str],
    category_id_of_class: Iterable[int],
    only_annotated: bool = False,
) -> Predictions:
    """Read a predictions file against the images it is to be compared with.

    Images that the file does not list are reported (``absent_ids``), not refused; a file that shares no image is.

    Args:
        source: JSON file of any of the forms, or the content of one.
        category_id_of_class: category id in the annotations by ``class_id``; used for the plain form.
        only_annotated: whether images that are not annotated are left out and counted; otherwise they are an error.

    Raises:
        DataError: no such file or no JSON, an annotation file, no image in common, an image or category that the
            annotations do not know, an image that could be two or is of another size, a score outside [0, 1], a
            malformed box or mask, a mask of another size, malformed probabilities of an image.
    """
    content, n_left_out, matcher = _load(source), 0, ImageMatcher(annotated_images)
    path = source if isinstance(source, (str, Path)) else "predictions"
    images_by_id = {image.image_id: image for image in annotated_images}
    if only_annotated:
        content, n_left_out = _only_annotated(path, content, matcher)
    classes = {category_id: class_id for class_id, category_id in enumerate(category_id_of_class)}
    if isinstance(content, dict) and "categories" in content:
        classes = _classes_by_name(path, content, class_names)
    listed = _objects(path, content, "images") if isinstance(content, dict) and "images" in content else None
    items, list_name = (content, "") if isinstance(content, list) else (_annotations(path, content), "annotations")
    fields: dict[int, dict[str, Any]] = {}
    absent: tuple[int, ...] | None = None
    failed: tuple[int, ...] = ()
    if listed is None:
        image_ids = matcher.of_ids(path, _image_ids(items))
    else:
        image_ids = _match_images(path, listed, matcher)
        if images_by_id and not image_ids:
            _refuse_other_images(path, n_left_out)
        _refuse_other_sizes(path, listed, image_ids, images_by_id)
        present = set(image_ids.values())
        absent = tuple(image_id for image_id in images_by_id if image_id not in present)
        failed = tuple(image_ids[own_id(image)] for image in listed if image.get("status", STATUS_OK) != STATUS_OK)
        fields = _fields_of_images(path, listed, image_ids, class_names)
    findings = _findings(items, f"{path}: {list_name}", image_ids, images_by_id, classes, class_names)
    readings = {
        image_id: Reading(
            class_names=tuple(class_names),
            size_hw=image.size_hw,
            findings=findings[image_id],
            name=image.file_name,
            **fields.get(image_id, {}),
        )
        for image_id, image in images_by_id.items()
    }
    return Predictions(readings, absent, failed, n_left_out)


def _fields_of_images(
    path: str | Path, listed: Sequence[_Json], image_ids: Mapping[int | str, int], class_names: Sequence[str]
) -> dict[int, dict[str, Any]]:
    """{image id in the annotations: what its entry says of the whole image}."""
    fields = {}
    for index, image in enumerate(listed):
        try:
            fields[image_ids[own_id(image)]] = reading_fields(image, class_names)
        except DataError as error:
            raise _placed(error, f"{path}: images[{index}]") from error
    return fields


def _placed(error: DataError, where: str) -> DataError:
    """The same error with its place in the file."""
    return DataError(error.what, where=where, got=error.got, expected=error.expected, remedy=error.remedy)


def read_objects(path: str | Path) -> tuple[list[_Json], list[_Json], dict[int, str]]:
    """(images, annotations, {category id: name}) of a predictions file; raises DataError for a results list, too."""
    content = _load(path)
    if isinstance(content, list):
        raise DataError("a results list names neither images nor classes", where=path, expected="a predictions.json")
    pairs: list[tuple[Any, Any]] = [(c.get("id"), c.get("name")) for c in _objects(path, content, "categories")]
    if not all(is_int(category_id) and isinstance(name, str) for category_id, name in pairs):
        raise DataError("malformed categories", where=path, expected="an id and a name each")
    return _objects(path, content, "images"), _annotations(path, content), dict(sorted(pairs))


def _annotations(path: str | Path, content: _Json) -> list[_Json]:
    return _objects(path, content, "annotations")


def _image_ids(items: Iterable[Any]) -> list[Any]:
    return [item.get("image_id") for item in items if isinstance(item, dict)]


def _only_annotated(path: str | Path, content: Any, matcher: ImageMatcher) -> tuple[Any, int]:
    """The content without the images, and their findings, that are not annotated; and how many images those were."""
    if isinstance(content, list) or "images" not in content:
        items = content if isinstance(content, list) else _annotations(path, content)
        known = matcher.of_ids(path, _image_ids(items))
        ids = [item.get("image_id") if isinstance(item, dict) else None for item in items]
        pairs = list(zip(items, ids, strict=True))
        kept = [item for item, i in pairs if not isinstance(item, dict) or _is_among(i, known)]
        n_left_out = len({repr(i) for item, i in pairs if isinstance(item, dict) and not _is_among(i, known)})
        if n_left_out and not kept:
            _refuse_other_images(path, n_left_out)
        return (kept if isinstance(content, list) else {**content, "annotations": kept}), n_left_out
    listed = _objects(path, content, "images")
    images = [image for image in listed if matcher.by_entry(image)]
    kept_ids = {own_id(image) for image in images if is_id(own_id(image))}
    kept = [item for item in _annotations(path, content) if _is_among(item.get("image_id"), kept_ids)]
    return {**content, "images": images, "annotations": kept}, len(listed) - len(images)


def _is_among(image_id: Any, ids: Container[Any]) -> bool:
    return is_id(image_id) and image_id in ids


def _load(source: str | Path | _Json) -> Any:
    """The JSON of a predictions file: a list or an object."""
    if not isinstance(source, (str, Path)):
        return source
    path = source
    content = parse_json(read_bytes(path, remedy="Check the path"), path)
    if not isinstance(content, (list, dict)):
        raise DataError("not a predictions file", where=path, got=type(content).__name__, expected=_EXPECTED)
    if is_annotations(content):
        remedy = "Swapped with --annotations? Give what the model found"
        raise DataError("this is an annotation file, not predictions", where=path, expected=_EXPECTED, remedy=remedy)
    version = content.get("schema_version", SCHEMA_VERSION) if isinstance(content, dict) else SCHEMA_VERSION
    if isinstance(version, bool) or version not in _SCHEMA_VERSIONS:
        expected = " or ".join(map(str, _SCHEMA_VERSIONS))
        raise DataError("predictions of another schema version", where=path, got=version, expected=expected)
    return content


def _objects(path: str | Path, content: _Json, key: str) -> list[_Json]:
    values = content.get(key)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise DataError(f"'{key}' is not a list of objects", where=path, expected=_EXPECTED)
    return values


def _classes_by_name(path: str | Path, content: _Json, class_names: Sequence[str]) -> dict[int, int]:
    classes: dict[int, int] = {}
    for index, category in enumerate(_objects(path, content, "categories")):
        name: Any = category.get("name")
        category_id = category.get("id")
        where = f"{path}: categories[{index}]"
        if name not in class_names:
            raise DataError("category that the annotations lack", where=where, got=name, expected=list(class_names))
        if not is_int(category_id) or category_id in classes:
            raise DataError("category id that is no integer or occurs twice", where=where, got=category_id)
        classes[category_id] = list(class_names).index(name)
    return classes


def _match_images(path: str | Path, listed: Sequence[_Json], matcher: ImageMatcher) -> dict[int | str, int]:
    """{image id in the predictions: image id in the annotations}; by file name, by id where no name is given."""
    matched: dict[int | str, int] = {}
    unknown = []
    for index, image in enumerate(listed):
        given, where = own_id(image), f"{path}: images[{index}]"
        if not is_id(given) or given in matched:
            raise DataError("image id that is none or occurs twice", where=where, got=f"{given!r:.60}")
        candidates = matcher.by_entry(image)
        shown = str(image.get("file_name") or given)
        refuse_several(where, {shown: candidates})
        if not candidates:
            unknown.append(shown)
        matched[given] = candidates[0] if candidates else -1  # refused below
    _refuse_unknown(path, unknown)
    _refuse_shared(path, listed, matched)
    return matched


def _refuse_unknown(path: str | Path, unknown: Sequence[str]) -> None:
    if unknown:
        images = "1 image that is" if len(unknown) == 1 else f"{len(unknown)} images that are"
        raise DataError(
            f"predictions for {images} not annotated: {some_of(unknown, _LISTED)}",
            where=path,
            remedy="Add --only-annotated to leave them out, or give the annotations of all predicted images",
        )


def _refuse_other_images(path: str | Path, n_left_out: int) -> NoReturn:
    """Raise for predictions of which none is of an annotated image."""
    got = f"{n_left_out} other images" if n_left_out else "no images"
    remedy = "Give the annotations of the predicted images, or the predictions of the annotated ones"
    raise DataError("no image in common with the annotations", where=path, got=got, remedy=remedy)


def _refuse_shared(path: str | Path, listed: Sequence[_Json], matched: Mapping[int | str, int]) -> None:
    first: dict[int, Any] = {}
    for image in listed:
        target = matched[own_id(image)]
        if target in first:
            names = f"'{first[target]}' and '{image.get('file_name')}'"
            raise DataError(f"{names} both match annotated image {target}", where=path)
        first[target] = image.get("file_name")


def _refuse_other_sizes(
    path: str | Path,
    listed: Sequence[_Json],
    image_ids: Mapping[int | str, int],
    images_by_id: Mapping[int, AnnotatedImage],
) -> None:
    for index, image in enumerate(listed):
        size_hw, truth = (image.get("height"), image.get("width")), images_by_id[image_ids[own_id(image)]]
        if None not in size_hw and size_hw != tuple(truth.size_hw):  # null where the image could not be read
            raise DataError(
                f"'{truth.file_name}' was predicted at another size than it was annotated at",
                where=f"{path}: images[{index}]",
                got=f"height, width {list(size_hw)}",
                expected=list(truth.size_hw),
            )


def _findings(
    items: Sequence[Any],
    where: str,
    image_ids: Mapping[int | str, int],
    images_by_id: Mapping[int, AnnotatedImage],
    classes: Mapping[int, int],
    class_names: Sequence[str],
) -> dict[int, tuple[Finding, ...]]:
    """Result items as Findings; ``image_ids`` and ``classes`` translate the file's ids to the annotations'."""
    path = where.rpartition(": ")[0]
    by_image: dict[int, list[Finding]] = {image_id: [] for image_id in images_by_id}
    ids = [item.get("image_id") if isinstance(item, dict) else None for item in items]
    _refuse_unknown(path, sorted({f"image id {i}" for i in ids if not _is_among(i, image_ids)}))
    for image_id, count in Counter(ids).items():
        if count > _MOST_FINDINGS:
            expected = f"at most {_MOST_FINDINGS} of one image"
            raise DataError("too many findings", where=f"{path}: image id {image_id}", got=count, expected=expected)
    for index, item in enumerate(items):
        image = images_by_id[image_ids[item["image_id"]]]
        try:
            by_image[image.image_id].append(finding_of(item, image.size_hw, classes, class_names))
        except DataError as error:
            raise _placed(error, f"{where}[{index}]") from error
    return {i: tuple(sorted(found, key=lambda f: -f.score)) for i, found in by_image.items()}
