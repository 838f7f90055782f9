"""The BTXRD folder to COCO images and annotations, with an account of what could not be used.

An image is left out, and named, where its truth is not known: training on a tumour without its outline as if it were
normal would teach the wrong thing. What is merely unusual is used, and named too. Not here: parts and files
(``prepare``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segtumor.annotations.image_names import parts_of, stem_of
from segtumor.annotations.remarks import LeftOutError, Remark
from segtumor.arrays import SizeHW
from segtumor.cases import own_case
from segtumor.errors import DataError
from segtumor.files import is_inside
from segtumor.formats.btxrd.dataset_table import TableRow, find_table, read_table
from segtumor.formats.btxrd.drawn_lesions import DrawnLesion, fit_lesion, pair_shapes, read_labelme
from segtumor.formats.collection import NOT_IN_FOLDER, SHAPE_NOT_USABLE, scale_noted
from segtumor.formats.labelme.shapes import LabelmeFile
from segtumor.imaging import list_images, read_size_hw
from segtumor.progress import Progress
from segtumor.structures.polygons import polygon_area, tight_box
from segtumor.taxonomy import ENTITIES, INTERMEDIATE, NORMAL, SUBTYPE_ENTITY, Taxonomy


@dataclass
class Conversion:
    """COCO images, ids from 1 in the order of the table, and annotations; ``listed``: rows of the table.

    ``images_without_case`` are those that the table of cases does not hold; each is a case of its own.
    """

    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)
    images_without_case: int = 0
    listed: int = 0


def convert(
    source: str | Path, *, taxonomy: Taxonomy, cases: Mapping[str, str] | None = None, progress: Progress = iter
) -> Conversion:
    """Convert a BTXRD folder: images, Annotations and dataset.csv or .xlsx; ``cases`` is {stem of an image: case id}.

    An image without a case is one of its own. Raises DataError if the folder or its table cannot be used at all.
    """
    source, cases = Path(source), cases or {}
    rows = read_table(find_table(source))
    result = Conversion(listed=len(rows))
    files = _files_by_stem(source / "images", result)
    _remark_unlisted(source, files, rows, result)
    for row in progress(_distinct(rows, result)):
        try:
            _convert_row(row, source, files, taxonomy, cases, result)
        except LeftOutError as reason:
            result.left_out.append(reason.remark(row.image_id))
    return result


def _files_by_stem(folder: Path, result: Conversion) -> dict[str, list[Path]]:
    """{name without suffix: images}, without links out of the folder: what they lead to may be anybody's."""
    files: dict[str, list[Path]] = {}
    for path in list_images(folder):
        if not is_inside(path, folder):
            result.left_out.append(Remark(path.name, "link that leads out of the folder of the images"))
        else:
            files.setdefault(stem_of(path.name), []).append(path)
    return files


def _remark_unlisted(
    source: Path, files: Mapping[str, Sequence[Path]], rows: Iterable[TableRow], result: Conversion
) -> None:
    listed = {row.stem for row in rows}
    for stem, paths in files.items():
        if stem not in listed:
            result.left_out += [Remark(path.name, "image not listed in the table") for path in paths]
    for path in sorted((source / "Annotations").glob("[!.]*.json")):
        if path.stem not in listed:
            result.left_out.append(Remark(path.name, "outlines of an image not listed in the table"))


def _distinct(rows: Iterable[TableRow], result: Conversion) -> list[TableRow]:
    """Rows of distinct images; equal repetitions count once, contradicting ones not at all."""
    by_stem: dict[str, list[TableRow]] = {}
    for row in rows:
        by_stem.setdefault(row.stem, []).append(row)
    distinct = []
    for same in by_stem.values():
        if len(same) > 1 and any(row != same[0] for row in same):
            result.left_out.append(Remark(same[0].image_id, "listed several times with different data"))
            continue
        if len(same) > 1:
            result.notes.append(Remark(same[0].image_id, "listed several times, used once"))
        distinct.append(same[0])
    return distinct


def _convert_row(
    row: TableRow,
    source: Path,
    files: Mapping[str, Sequence[Path]],
    taxonomy: Taxonomy,
    cases: Mapping[str, str],
    result: Conversion,
) -> None:
    path = _image_path(row, files.get(row.stem, []), result)
    try:
        size_hw = read_size_hw(path)
    except DataError as error:
        raise LeftOutError("image cannot be read", str(error)) from error
    if row.label is None:
        raise LeftOutError("table does not say whether normal, benign or malignant, or contradicts itself")
    lesions = _lesions(row, source / "Annotations" / f"{row.stem}.json", size_hw, result)
    subtypes = list(dict.fromkeys(lesion.label for lesion in lesions))
    _compare_labels(row, subtypes, result)
    image = {
        "id": len(result.images) + 1,
        "file_name": path.name,
        "width": size_hw[1],
        "height": size_hw[0],
        "case_id": cases.get(row.stem) or own_case(row.stem),
        "image_label": _image_label(row, subtypes, taxonomy),
        "subtype": subtypes[0] if len(subtypes) == 1 else None,
        **row.attributes,
        "spacing_mm": None,
        "spacing_source": None,
    }
    result.images_without_case += row.stem not in cases
    kind = "cell of the table that cannot be read, left blank"
    result.notes += [Remark(row.image_id, kind, what) for what in row.unread]
    result.images.append(image)
    for lesion in lesions:
        result.annotations.append(_annotation(lesion, len(result.annotations) + 1, image["id"], taxonomy))


def _image_label(row: TableRow, subtypes: Sequence[str], taxonomy: Taxonomy) -> str | None:
    """That of the table, or the gravest entity of the outlines where the classes are entities that the table lacks."""
    if INTERMEDIATE not in taxonomy.names or not subtypes:
        return row.label
    return max(map(taxonomy.entity_of, subtypes), key=ENTITIES.index)


def _image_path(row: TableRow, candidates: Sequence[Path], result: Conversion) -> Path:
    exact = [path for path in candidates if path.name == row.image_id]
    if not exact and len(candidates) > 1:
        raise LeftOutError("several images of that name", ", ".join(path.name for path in candidates))
    if not candidates:
        raise LeftOutError(NOT_IN_FOLDER)
    if not exact:
        kind = "found with another file name suffix"
        if parts_of(row.image_id).folders:
            kind = "listed with a folder, found without"
        result.notes.append(Remark(row.image_id, kind, candidates[0].name))
    return (exact or candidates)[0]


def _lesions(row: TableRow, json_path: Path, size_hw: SizeHW, result: Conversion) -> list[DrawnLesion]:
    """Lesions of one image on its own pixels; remarks on whatever is odd about them."""
    if json_path.is_symlink() and not is_inside(json_path, json_path.parent):
        raise LeftOutError("outlines are a link that leads out of their folder")
    if not json_path.is_file():
        if row.label != NORMAL:
            raise LeftOutError("tumor without a file of outlines", str(row.label))
        return []
    try:
        drawn = read_labelme(json_path)
    except DataError as error:
        raise LeftOutError("outlines cannot be read", str(error)) from error
    result.notes += [Remark(row.image_id, SHAPE_NOT_USABLE, sentence) for sentence in drawn.unusable]
    if row.label == NORMAL and drawn.shapes:
        raise LeftOutError("normal in the table but with outlines", f"{len(drawn.shapes)} shapes")
    if row.label == NORMAL:
        result.notes.append(Remark(row.image_id, "normal with an empty file of outlines"))
        return []
    return _fitted(row, drawn, size_hw, result)


def _fitted(row: TableRow, drawn: LabelmeFile, size_hw: SizeHW, result: Conversion) -> list[DrawnLesion]:
    scale_xy = scale_noted(drawn.size_hw or size_hw, size_hw, row.image_id, result.notes)
    lesions = []
    for lesion in pair_shapes(drawn.shapes):
        fitted = fit_lesion(lesion, scale_xy, size_hw)
        if fitted is None:
            result.notes.append(Remark(row.image_id, SHAPE_NOT_USABLE, "outline wholly outside the image"))
            continue
        lesions.append(fitted)
        if fitted.mask_from_box:
            result.notes.append(Remark(row.image_id, "rectangle without a polygon, used as the mask", fitted.label))
        elif fitted.drawn_box_xyxy is None:
            result.notes.append(Remark(row.image_id, "polygon without a rectangle", fitted.label))
    if not lesions:
        raise LeftOutError("tumor without a usable outline", str(row.label))
    return lesions


def _compare_labels(row: TableRow, subtypes: Sequence[str], result: Conversion) -> None:
    """The outlines' label is used for the subtype; where it contradicts benign or malignant, nobody knows the truth."""
    unknown = [label for label in subtypes if label not in SUBTYPE_ENTITY]
    if unknown:
        raise LeftOutError("outline with an unknown label", ", ".join(unknown))
    if any(SUBTYPE_ENTITY[label] != row.label for label in subtypes):
        raise LeftOutError("table and outlines contradict each other", f"{row.label}; outlines: {', '.join(subtypes)}")
    if len(subtypes) > 1:
        result.notes.append(Remark(row.image_id, "outlines of several subtypes", ", ".join(subtypes)))
    if subtypes and set(subtypes) != set(row.subtypes):
        detail = f"table: {', '.join(row.subtypes) or 'none'}; outlines: {', '.join(subtypes)}"
        result.notes.append(Remark(row.image_id, "another subtype in the table, that of the outlines used", detail))


def _annotation(lesion: DrawnLesion, annotation_id: int, image_id: int, taxonomy: Taxonomy) -> dict[str, Any]:
    name = lesion.label if lesion.label in taxonomy.names else taxonomy.entity_of(lesion.label)
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": taxonomy.class_id(name) + 1,
        # Tight around the outline, as COCO defines it, so that boxes and masks of a model agree; the rectangle that the
        # annotators drew is a little larger (median IoU of the two 0.90 in BTXRD).
        "bbox": _xywh(tight_box(lesion.outline_xy)),
        "drawn_box": None if lesion.drawn_box_xyxy is None else _xywh(lesion.drawn_box_xyxy),
        "segmentation": [lesion.outline_xy.ravel().tolist()],
        "area": round(polygon_area(lesion.outline_xy), 3),
        "iscrowd": 0,
        "subtype": lesion.label,
        "mask_from_box": lesion.mask_from_box,
    }


def _xywh(box_xyxy: Sequence[float]) -> list[float]:
    x0, y0, x1, y1 = box_xyxy
    return [x0, y0, round(x1 - x0, 3), round(y1 - y0, 3)]
