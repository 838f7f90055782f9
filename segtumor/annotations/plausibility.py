"""What is odd about a sound annotation file: reported, and used.

Boxes, areas and outlines that disagree, lesions annotated twice or too small to be seen, classes out of balance, images
without a case. All lesions are compared at once, as arrays. Not here: what keeps a file from being used
(``segtumor.annotations.validation``).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from segtumor.annotations.attributes import label_of
from segtumor.annotations.problems import Problem, ProblemKind, place, show, warning
from segtumor.annotations.regions import count_crowds, is_crowd
from segtumor.annotations.segmentations import FITS_BADLY_IOU, Bools, paired_iou
from segtumor.arrays import Floats, SizeHW
from segtumor.cases import case_of, cases_alike, is_placeholder
from segtumor.taxonomy import ENTITIES, NORMAL

#: Areas differ if by more than this factor, and by more pixels than rasterising a small outline can add.
AREA_FACTOR, AREA_TOLERANCE_PX = 2, 10
BORDER_TOLERANCE_PX = 0.01
#: Two lesions of one class are taken for one if their boxes overlap and their areas agree this well: LabelMe files hold
#: a rectangle and a polygon for one lesion, and a round outline fills less than 0.79 of its box.
TWIN_IOU, TWIN_AREA_RATIO = 0.8, 0.4
#: Each lesion is compared with so many neighbours from the left: linear, however many one image has.
_NEIGHBOURS = 8
IMBALANCE, MOSTLY_NORMAL = 10, 0.9
#: Fewer images may well be of one patient; of more, one with most of them is likely no patient.
FEW_IMAGES, MOSTLY_ONE_CASE = 3, 0.5
SMALL_PX = 4

#: (position, annotation, size_hw) of annotations without an error.
Lesions = Sequence[tuple[int, Mapping[str, Any], SizeHW]]
#: (position, entry) pairs of one list.
Entries = Sequence[tuple[int, Mapping[str, Any]]]


#: (field, what is odd about it, (N,) bool of the lesions that it is true of, what to report of number i).
_Check = tuple[str, ProblemKind, Bools, Callable[[int], str]]


class Measured(NamedTuple):
    """N lesions, and areas (N,) and tight boxes (N, 4) of their outlines; NaN where there is only a box."""

    lesions: Lesions
    areas_px: Floats
    boxes_xyxy: Floats


def lesion_warnings(
    measured: Measured, *, short_edge_px: float | None = None, max_long_edge_px: float | None = None
) -> list[Problem]:
    """Warnings about single lesions, at a training size where one is given, else in the images' own pixels."""
    lesions, areas_px, outlines = measured
    if not lesions:
        return []
    given = np.array([annotation["bbox"] for _, annotation, _ in lesions], dtype=np.float64)
    given = np.concatenate([given[:, :2], given[:, :2] + given[:, 2:]], axis=1)
    sizes_hw = np.array([size_hw for *_, size_hw in lesions], dtype=np.float64)
    boxes = np.where(np.isnan(outlines), given, outlines)
    areas = np.where(np.isnan(areas_px), np.prod(given[:, 2:] - given[:, :2], axis=1), areas_px)
    scales = _scales(sizes_hw, short_edge_px, max_long_edge_px)
    sides = np.sqrt(areas) * (1 if scales is None else scales)
    tiny = ProblemKind.TINY if scales is None else ProblemKind.TINY_IN_TRAINING
    checks: list[_Check] = [
        _over_border("bbox", given, sizes_hw),
        _over_border("segmentation", outlines, sizes_hw),
        _loose_boxes(given, outlines, sizes_hw),
        _other_areas(lesions, areas, boxes, sizes_hw),
        _twins(lesions, boxes, areas),
        ("segmentation", tiny, sides < 1, lambda i: f"side {sides[i]:.2g} px"),
    ]
    found: list[Problem] = []
    for field, kind, which, got in checks:
        for i in np.flatnonzero(which).tolist():
            index, annotation, _ = lesions[i]
            found.append(warning(place("annotations", index, annotation), field, kind, got(i)))
    n_small = int(np.count_nonzero(sides < SMALL_PX))
    if n_small and scales is not None:
        got_small = f"{n_small} of {len(lesions)} lesions"
        found.append(warning("file", "segmentation", ProblemKind.SMALL_IN_TRAINING, got_small))
    return found


def _beyond(boxes: Floats, sizes_hw: Floats) -> Floats:
    over = np.concatenate([-boxes[:, :2], boxes[:, 2:] - sizes_hw[:, ::-1]], axis=1)
    most: Floats = np.nan_to_num(over, nan=-1).max(axis=1)
    return most


def _over_border(field: str, boxes: Floats, sizes_hw: Floats) -> _Check:
    over = _beyond(boxes, sizes_hw)
    return field, ProblemKind.OVER_BORDER, over > BORDER_TOLERANCE_PX, lambda i: f"by {over[i]:.4g} px"


def _loose_boxes(given: Floats, outlines: Floats, sizes_hw: Floats) -> _Check:
    limits = np.concatenate([sizes_hw[:, ::-1]] * 2, axis=1)
    iou = paired_iou(np.clip(given, 0, limits), np.clip(outlines, 0, limits))
    return "bbox", ProblemKind.LOOSE_BOX, iou < FITS_BADLY_IOU, lambda i: f"IoU {iou[i]:.2f} with its tight box"


def _other_areas(lesions: Lesions, areas: Floats, boxes: Floats, sizes_hw: Floats) -> _Check:
    """Only of lesions inside the image: over the border, the area may be of the part inside, or of all."""
    given = np.array([annotation.get("area", np.nan) for _, annotation, _ in lesions], dtype=np.float64)
    apart = (given > areas * AREA_FACTOR) | (given * AREA_FACTOR < areas)
    wrong = apart & (np.abs(given - areas) > AREA_TOLERANCE_PX) & (_beyond(boxes, sizes_hw) <= 0)
    return "area", ProblemKind.OTHER_AREA, wrong, lambda i: f"{given[i]:.6g} px², the mask has {areas[i]:.6g}"


def _twins(lesions: Lesions, boxes: Floats, areas: Floats) -> _Check:
    image = np.array([annotation["image_id"] for _, annotation, _ in lesions])
    category = np.array([annotation["category_id"] for _, annotation, _ in lesions])
    order = np.lexsort((boxes[:, 1], boxes[:, 0], category, image))
    twin_of = np.full(len(lesions), -1)
    for step in range(1, min(_NEIGHBOURS, len(lesions) - 1) + 1):
        first, second = order[:-step], order[step:]
        ratio = np.minimum(areas[first], areas[second]) >= TWIN_AREA_RATIO * np.maximum(areas[first], areas[second])
        same = (image[first] == image[second]) & (category[first] == category[second]) & ratio
        first, second = first[same], second[same]
        close = paired_iou(boxes[first], boxes[second]) >= TWIN_IOU
        low, high = np.minimum(first[close], second[close]), np.maximum(first[close], second[close])
        twin_of[high] = low
    return "bbox", ProblemKind.TWIN, twin_of >= 0, lambda i: f"that of id {show(lesions[twin_of[i]][1]['id'])}"


def _scales(sizes_hw: Floats, short_edge_px: float | None, max_long_edge_px: float | None) -> Floats | None:
    """(N,) factors to the training size, as Detectron2's ResizeShortestEdge has it; None if neither is given."""
    if short_edge_px is None and max_long_edge_px is None:
        return None
    scales = np.full(len(sizes_hw), np.inf) if short_edge_px is None else short_edge_px / sizes_hw.min(axis=1)
    if max_long_edge_px is not None:
        scales = np.minimum(scales, max_long_edge_px / sizes_hw.max(axis=1))
    return scales


def dataset_warnings(images: Entries, annotations: Entries, categories: Entries) -> list[Problem]:
    """Warnings about the file as a whole."""
    found: list[Problem] = []
    names = [category["name"] for _, category in categories if isinstance(category.get("name"), str)]
    _warn_of_labels(images, names, found)
    _warn_of_cases(images, found)
    n_of_category = Counter(a["category_id"] for _, a in annotations if type(a.get("category_id")) is int)
    labelled = {label_of(image, names) for _, image in images if isinstance(image.get("image_label"), str)}
    for index, category in categories:
        category_id = category.get("id")
        name = category.get("name")
        is_labelled = isinstance(name, str) and name in labelled
        if type(category_id) is int and category_id not in n_of_category and not is_labelled:
            where = place("categories", index, category)
            found.append(warning(where, "id", ProblemKind.UNUSED, show(name)))
    _warn_of_crowds(images, annotations, found)
    _warn_of_imbalance(categories, n_of_category, found)
    _warn_of_normal_images(images, annotations, found)
    return found


def _warn_of_crowds(images: Entries, annotations: Entries, found: list[Problem]) -> None:
    """Of images that hold crowds, and of a file without anything else: there is nothing to learn or to find."""
    regions: dict[int, tuple[int, Mapping[str, Any], list[Mapping[str, Any]]]] = {
        image["id"]: (index, image, []) for index, image in images if type(image.get("id")) is int
    }
    for _, annotation in annotations:
        if type(annotation.get("image_id")) is int and annotation["image_id"] in regions:
            regions[annotation["image_id"]][2].append(annotation)
    for index, image, own in regions.values():
        n = sum(map(is_crowd, own))
        if n:
            kind = ProblemKind.CROWDS_ONLY if n == len(own) else ProblemKind.CROWDS
            found.append(warning(place("images", index, image), "iscrowd", kind, f"{n} of {len(own)} regions"))
    crowds = count_crowds((place("images", index, image), own) for index, image, own in regions.values())
    if crowds.all_regions:
        got = f"{crowds.n_regions} regions in {len(crowds.images)} images"
        found.append(warning("file", "iscrowd", ProblemKind.ALL_CROWDS, got))


def _warn_of_labels(images: Entries, class_names: Sequence[str], found: list[Problem]) -> None:
    if not _missing(images, "image_label", found):
        return
    for index, image in images:
        label = label_of(image, class_names)
        if label is not None and label not in (NORMAL, *ENTITIES, *class_names):
            found.append(warning(place("images", index, image), "image_label", ProblemKind.OTHER_LABEL, show(label)))


def _warn_of_cases(images: Entries, found: list[Problem]) -> None:
    """Of images without a case, and of cases that are no patient, or of which two may be one."""
    if not _missing(images, "case_id", found, case_of):
        return
    counts = Counter(filter(None, (case_of(image) for _, image in images)))
    most = max(counts.values(), default=0)
    if most == len(images) >= FEW_IMAGES:
        found.append(warning("file", "case_id", ProblemKind.ONE_CASE, f"{most} images of one case"))
    elif most > MOSTLY_ONE_CASE * len(images) and len(images) >= FEW_IMAGES:
        got = f"{most} of {len(images)} images are of one case"
        found.append(warning("file", "case_id", ProblemKind.MOSTLY_ONE_CASE, got))
    for case in filter(is_placeholder, counts):
        if not case.isdecimal():  # patients may well be counted from 0
            got = f"{show(case)} in {counts[case]} images"
            found.append(warning("file", "case_id", ProblemKind.PLACEHOLDER, got))
    for alike in cases_alike(counts):
        found.append(warning("file", "case_id", ProblemKind.CASES_ALIKE, ", ".join(map(show, alike))))


def _missing(
    images: Entries, key: str, found: list[Problem], value_of: Callable[[Mapping[str, Any]], Any] | None = None
) -> bool:
    """Warn of the images without ``key``, in one line if none has it; whether any has it."""
    value_of = value_of or (lambda image: image.get(key))
    without = [(index, image) for index, image in images if value_of(image) is None]
    if images and len(without) == len(images):
        found.append(warning("file", key, ProblemKind.MISSING_EVERYWHERE, f"{len(without)} images"))
        return False
    found.extend(warning(place("images", index, image), key, ProblemKind.MISSING) for index, image in without)
    return True


def _warn_of_imbalance(categories: Entries, n_of_category: Mapping[int, int], found: list[Problem]) -> None:
    names = {c["id"]: c.get("name") for _, c in categories if type(c.get("id")) is int}
    counts = {show(names[i]): n for i, n in n_of_category.items() if i in names}
    if counts and max(counts.values()) > IMBALANCE * min(counts.values()):
        rare, common = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
        got = f"{counts[rare]} lesions of {rare}, {counts[common]} of {common}"
        found.append(warning("file", "categories", ProblemKind.IMBALANCED, got, limit=IMBALANCE))


def _warn_of_normal_images(images: Entries, annotations: Entries, found: list[Problem]) -> None:
    annotated = {a["image_id"] for _, a in annotations if type(a.get("image_id")) is int}
    n_normal = sum(type(image.get("id")) is int and image["id"] not in annotated for _, image in images)
    if annotated and n_normal > MOSTLY_NORMAL * len(images):
        got = f"{n_normal} of {len(images)} without a lesion"
        found.append(warning("file", "images", ProblemKind.MOSTLY_NORMAL, got))
