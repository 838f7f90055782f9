"""Reading predictions back from a file, for evaluation.

Two forms are read: segtumor's ``predictions.json`` (an object; images are matched by file name, categories by name,
because ``infer.py`` numbers its images itself) and a plain COCO results list of any other tool (image and category
ids are those of the annotations). Everything is checked on the way in; the first bad item is named by its index.
Not here: the truth (``segtumor.data.records``), and any judgement of the findings.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from segtumor.data.json_input import is_annotations, parse_json, read_bytes
from segtumor.data.prediction_items import finding_of, is_int
from segtumor.errors import DataError
from segtumor.structures.lesions import Finding

STATUS_OK = "ok"
_SCHEMA_VERSION = 1
_EXPECTED = "the predictions.json of infer.py or a COCO results list"
_LISTED = 5  # names in one error message


@dataclass(frozen=True)
class Predictions:
    """The findings of a file, by the image ids of the annotations.

    Attributes:
        findings: image id -> findings, highest score first (the file's order among equals); every annotated image
            has an entry.
        absent_ids: annotated images that the file does not list; None if the file lists no images at all.
        failed_ids: annotated images that the file lists with a status other than "ok".
        n_left_out: images of the file that are not annotated and were left out, as asked.
    """

    findings: Mapping[int, tuple[Finding, ...]]
    absent_ids: tuple[int, ...] | None
    failed_ids: tuple[int, ...]
    n_left_out: int = 0


def read_predictions(path, annotated_images, *, class_names, category_id_of_class, only_annotated=False):
    """Read a predictions file against the images it is to be compared with.

    Images that the file does not list are told (``absent_ids``), not refused; a file that shares no image is.

    Args:
        path: JSON file, either form.
        annotated_images: AnnotatedImages.
        class_names: names by ``class_id``.
        category_id_of_class: category id in the annotations by ``class_id``; used for the plain form.
        only_annotated: whether images that are not annotated are left out and counted; otherwise they are an error.

    Raises:
        DataError: no such file or no JSON, an annotation file, no image in common, an image or category that the
            annotations do not know, an image that could be two or is of another size, a score outside [0, 1], a
            malformed box or mask, a mask of another size.
    """
    content, n_left_out = _load(path), 0
    images_by_id = {image.image_id: image for image in annotated_images}
    if only_annotated:
        content, n_left_out = _only_annotated(path, content, annotated_images)
    if isinstance(content, list):
        classes = {category_id: class_id for class_id, category_id in enumerate(category_id_of_class)}
        plain = _Reader(path, "", {i: i for i in images_by_id}, images_by_id, classes, class_names)
        return Predictions(plain.findings(content), None, (), n_left_out)
    classes = _classes_by_name(path, content, class_names)
    listed = _objects(path, content, "images") if "images" in content else None
    if listed is None:
        image_ids, absent, failed = {i: i for i in images_by_id}, None, ()
    else:
        image_ids = _match_images(path, listed, annotated_images)
        if images_by_id and not image_ids:
            _refuse_other_images(path, n_left_out)
        _refuse_other_sizes(path, listed, image_ids, images_by_id)
        absent = tuple(i for i in images_by_id if i not in set(image_ids.values()))
        failed = tuple(image_ids[image["image_id"]] for image in listed if image.get("status", STATUS_OK) != STATUS_OK)
    reader = _Reader(path, "annotations", image_ids, images_by_id, classes, class_names)
    return Predictions(reader.findings(_objects(path, content, "annotations")), absent, failed, n_left_out)


def _only_annotated(path, content, annotated_images):
    """The content without the images, and their findings, that are not annotated; and how many images those were."""
    known_ids = {image.image_id for image in annotated_images}
    if isinstance(content, list) or "images" not in content:
        items = content if isinstance(content, list) else _objects(path, content, "annotations")
        kept = [item for item in items if not isinstance(item, dict) or item.get("image_id") in known_ids]
        n_left_out = len({item.get("image_id") for item in items if isinstance(item, dict)} - known_ids)
        if n_left_out and not kept:
            _refuse_other_images(path, n_left_out)
        return (kept if isinstance(content, list) else {**content, "annotations": kept}), n_left_out
    listed = _objects(path, content, "images")
    by_name = _images_by_name(annotated_images)
    images = [image for image in listed if _candidates(image, by_name, known_ids)]
    kept_ids = {image.get("image_id") for image in images}
    kept = [item for item in _objects(path, content, "annotations") if item.get("image_id") in kept_ids]
    return {**content, "images": images, "annotations": kept}, len(listed) - len(images)


def _load(path):
    content = parse_json(read_bytes(path, remedy="Check the path"), path)
    if not isinstance(content, (list, dict)):
        raise DataError("not a predictions file", where=path, got=type(content).__name__, expected=_EXPECTED)
    if is_annotations(content):
        remedy = "Swapped with --annotations? Give what the model found"
        raise DataError("this is an annotation file, not predictions", where=path, expected=_EXPECTED, remedy=remedy)
    if isinstance(content, dict) and content.get("schema_version", _SCHEMA_VERSION) != _SCHEMA_VERSION:
        version = content["schema_version"]
        raise DataError("predictions of another schema version", where=path, got=version, expected=_SCHEMA_VERSION)
    return content


def _objects(path, content, key):
    values = content.get(key)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise DataError(f"'{key}' is not a list of objects", where=path, expected=_EXPECTED)
    return values


def _classes_by_name(path, content, class_names):
    classes = {}
    for index, category in enumerate(_objects(path, content, "categories")):
        name, category_id = category.get("name"), category.get("id")
        where = f"{path}: categories[{index}]"
        if name not in class_names:
            raise DataError("category that the annotations lack", where=where, got=name, expected=list(class_names))
        if not is_int(category_id) or category_id in classes:
            raise DataError("category id that is no integer or stands twice", where=where, got=category_id)
        classes[category_id] = list(class_names).index(name)
    return classes


def _match_images(path, listed, annotated_images):
    """{image id in the predictions: image id in the annotations}; by file name, by id where no name is given."""
    by_name, known_ids = _images_by_name(annotated_images), {image.image_id for image in annotated_images}
    matched, unknown = {}, []
    for index, image in enumerate(listed):
        own_id, name, where = image.get("image_id"), image.get("file_name"), f"{path}: images[{index}]"
        if not is_int(own_id) or own_id in matched:
            raise DataError("image_id that is no integer or stands twice", where=where, got=own_id)
        candidates = _candidates(image, by_name, known_ids)
        if len(candidates) > 1:
            remedy = "Keep the folders in the file names of both files"
            raise DataError(f"'{name}' could be {len(candidates)} annotated images", where=where, remedy=remedy)
        if not candidates:
            unknown.append(str(name or own_id))
        matched[own_id] = candidates[0] if candidates else None
    _refuse_unknown(path, unknown)
    _refuse_shared(path, listed, matched)
    return matched


def _images_by_name(annotated_images):
    by_name = defaultdict(list)
    for image in annotated_images:
        by_name[_parts(image.file_name)[-1]].append(image)
    return by_name


def _candidates(image, by_name, known_ids):
    """Ids of the annotated images that an entry of the predictions may be."""
    own_id, name = image.get("image_id"), image.get("file_name")
    if isinstance(name, str) and name:
        return _same_file(name, by_name)
    return [own_id] if own_id in known_ids else []


def _same_file(name, by_name):
    """Ids of the annotated images that ``name`` may mean: the same path, else the most folders shared at the end."""
    parts = _parts(name)
    images = by_name.get(parts[-1] if parts else "", [])
    exact = [image.image_id for image in images if _parts(image.file_name) == parts]
    if exact:
        return exact
    common = [_n_common_end(parts, _parts(image.file_name)) for image in images]
    return [image.image_id for image, n in zip(images, common, strict=True) if n == max(common)]


def _parts(name):
    return PurePosixPath(name.replace("\\", "/")).parts


def _n_common_end(first, second):
    pairs = zip(reversed(first), reversed(second), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _refuse_unknown(path, unknown):
    if unknown:
        more = f" and {len(unknown) - _LISTED} more" if len(unknown) > _LISTED else ""
        raise DataError(
            f"predictions for {len(unknown)} images that are not annotated: {', '.join(unknown[:_LISTED])}{more}",
            where=path,
            remedy="Add --only-annotated to leave them out, or give the annotations of all predicted images",
        )


def _refuse_other_images(path, n_left_out):
    """Raise for predictions of which none is of an annotated image."""
    got = f"{n_left_out} other images" if n_left_out else "no images"
    remedy = "Give the annotations of the predicted images, or the predictions of the annotated ones"
    raise DataError("no image in common with the annotations", where=path, got=got, remedy=remedy)


def _refuse_shared(path, listed, matched):
    first = {}
    for image in listed:
        target = matched[image["image_id"]]
        if target in first:
            names = f"'{first[target]}' and '{image.get('file_name')}'"
            raise DataError(f"{names} both match annotated image {target}", where=path)
        first[target] = image.get("file_name")


def _refuse_other_sizes(path, listed, image_ids, images_by_id):
    for index, image in enumerate(listed):
        size_hw, truth = (image.get("height"), image.get("width")), images_by_id[image_ids[image["image_id"]]]
        if None not in size_hw and size_hw != tuple(truth.size_hw):  # null where the image could not be read
            raise DataError(
                f"'{truth.file_name}' was predicted at another size than it was annotated at",
                where=f"{path}: images[{index}]",
                got=f"height, width {list(size_hw)}",
                expected=list(truth.size_hw),
            )


@dataclass(frozen=True)
class _Reader:
    """Turns result items into Findings; ``image_ids`` and ``classes`` translate the file's ids to the annotations'."""

    path: str
    list_name: str
    image_ids: Mapping[int, int]
    images_by_id: Mapping
    classes: Mapping[int, int]
    class_names: tuple[str, ...]

    def findings(self, items):
        by_image = {image_id: [] for image_id in self.images_by_id}
        ids = [item.get("image_id") if isinstance(item, dict) else None for item in items]
        unknown = [i for i in ids if not is_int(i) or i not in self.image_ids]
        _refuse_unknown(self.path, sorted({f"image id {i}" for i in unknown}))
        for index, item in enumerate(items):
            image = self.images_by_id[self.image_ids[item["image_id"]]]
            try:
                by_image[image.image_id].append(finding_of(item, image.size_hw, self.classes, self.class_names))
            except DataError as error:
                details = {"got": error.got, "expected": error.expected, "remedy": error.remedy}
                raise DataError(error.what, where=f"{self.path}: {self.list_name}[{index}]", **details) from error
        return {i: tuple(sorted(found, key=lambda f: -f.score)) for i, found in by_image.items()}
