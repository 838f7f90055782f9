"""Malformed COCO files: more than the 40 kinds of which Detectron2 loads 23 in silence. One line of a table for each.

Every kind is made from the same sound file, is found as what it is, and by nothing but our own exceptions; no file with
an error can be loaded.
"""

import copy
import json

import pytest
from documents import GONE, changed

from segtumor.annotations.coco import load_coco
from segtumor.annotations.json_input import read_bytes
from segtumor.annotations.problems import ERROR, WARNING
from segtumor.annotations.repair import repair
from segtumor.annotations.validation import find_problems
from segtumor.errors import DataError

NAN, INF = float("nan"), float("inf")
SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]


def _image(number, **changes):
    return {"id": number, "file_name": f"{number}.png", "width": 60, "height": 40, "case_id": f"c{number}", **changes}


def _lesion(number, **changes):
    box = {"bbox": [10, 10, 20, 20], "segmentation": [SQUARE], "area": 400, "iscrowd": 0}
    return {"id": number, "image_id": number, "category_id": number, **box, **changes}


SOUND = {
    "images": [
        _image(1, image_label="benign"),
        _image(2, image_label="malignant"),
        _image(3, image_label="normal"),
    ],
    "annotations": [_lesion(1), _lesion(2)],
    "categories": [{"id": 1, "name": "benign"}, {"id": 2, "name": "malignant"}],
}
IMG, A, C = ("images", 0), ("annotations", 0), ("categories", 0)
DEEP = json.loads("[" * 200 + "]" * 200)


def rle(counts, size=(40, 60)):
    return {"size": list(size), "counts": counts}


# kind, where, the value put there, severity, field, words
SILENT_IN_DETECTRON2 = [
    ("no images", ("images",), GONE, ERROR, "images", "is missing"),
    ("no segmentation", (*A, "segmentation"), GONE, ERROR, "segmentation", "is missing; boxes alone"),
    ("no iscrowd", (*A, "iscrowd"), GONE, WARNING, "iscrowd", "is missing"),
    ("no area", (*A, "area"), GONE, WARNING, "area", "is missing"),
    (
        "polygon of two points",
        (*A, "segmentation"),
        [[10, 10, 30, 30]],
        ERROR,
        "segmentation",
        "fewer than three points",
    ),
    ("polygon of odd length", (*A, "segmentation"), [SQUARE[:-1]], ERROR, "segmentation", "odd number"),
    ("polygon without area", (*A, "segmentation"), [[10, 10, 20, 20, 30, 30]], ERROR, "segmentation", "no area"),
    ("polygon outside", (*A, "segmentation"), [[70, 10, 90, 10, 90, 30]], ERROR, "segmentation", "wholly outside"),
    ("polygon with NaN", (*A, "segmentation"), [[*SQUARE[:-1], NAN]], ERROR, "segmentation", "not a finite number"),
    ("polygon with inf", (*A, "segmentation"), [[*SQUARE[:-1], INF]], ERROR, "segmentation", "not a finite number"),
    ("box outside", (*A, "bbox"), [70, 10, 20, 20], ERROR, "bbox", "wholly outside"),
    ("box of negative size", (*A, "bbox"), [10, 10, -20, 20], ERROR, "bbox", "has no extent"),
    ("box of no size", (*A, "bbox"), [10, 10, 0, 20], ERROR, "bbox", "has no extent"),
    ("box with NaN", (*A, "bbox"), [10, NAN, 20, 20], ERROR, "bbox", "not a finite number"),
    ("category ids twice", (*C, "id"), 2, ERROR, "id", "is used twice"),
    ("category names twice", (*C, "name"), "malignant", ERROR, "name", "is used twice"),
    ("unknown image_id", (*A, "image_id"), 9, ERROR, "image_id", "is not the id of any entry"),
    ("image id as text", (*IMG, "id"), "1", ERROR, "id", "is not an integer"),
    ("image_id as text", (*A, "image_id"), "1", ERROR, "image_id", "is not an integer"),
    ("category_id as text", (*A, "category_id"), "1", ERROR, "category_id", "is not an integer"),
    ("annotation id as text", (*A, "id"), "1", ERROR, "id", "is not an integer"),
    ("name that climbs out", (*IMG, "file_name"), "../1.png", ERROR, "file_name", "leaves the image root"),
    ("absolute name", (*IMG, "file_name"), "/data/1.png", ERROR, "file_name", "is absolute"),
]
OTHERS = [
    ("no annotations", ("annotations",), GONE, ERROR, "annotations", "is missing"),
    ("no categories", ("categories",), GONE, ERROR, "categories", "is missing"),
    ("no images in the list", ("images",), [], ERROR, "images", "is empty"),
    ("lists that are objects", ("annotations",), {}, ERROR, "annotations", "is not a list"),
    ("null image", IMG, None, ERROR, "(entry)", "is not a JSON object"),
    ("null annotation", A, None, ERROR, "(entry)", "is not a JSON object"),
    ("null category", C, None, ERROR, "(entry)", "is not a JSON object"),
    ("no image id", (*IMG, "id"), GONE, ERROR, "id", "is missing"),
    ("no annotation id", (*A, "id"), GONE, ERROR, "id", "is missing"),
    ("no image_id", (*A, "image_id"), GONE, ERROR, "image_id", "is missing"),
    ("no category_id", (*A, "category_id"), GONE, ERROR, "category_id", "is missing"),
    ("unknown category_id", (*A, "category_id"), 7, ERROR, "category_id", "is not the id of any entry"),
    ("no category name", (*C, "name"), GONE, ERROR, "name", "is missing"),
    ("no file name", (*IMG, "file_name"), GONE, ERROR, "file_name", "is missing"),
    ("no width", (*IMG, "width"), GONE, ERROR, "width", "is missing"),
    ("no height", (*IMG, "height"), GONE, ERROR, "height", "is missing"),
    ("no box", (*A, "bbox"), GONE, ERROR, "bbox", "is missing"),
    ("id of true", (*IMG, "id"), True, ERROR, "id", "is not an integer"),
    ("id of 1.0", (*IMG, "id"), 1.0, ERROR, "id", "is not an integer"),
    ("id beyond 2^53", (*IMG, "id"), 2**60, ERROR, "id", "is beyond 2^53"),
    ("id of 500 digits", (*IMG, "id"), 10**500, ERROR, "id", "is beyond 2^53"),
    ("image ids twice", (*IMG, "id"), 2, ERROR, "id", "is used twice"),
    ("annotation ids twice", (*A, "id"), 2, ERROR, "id", "is used twice"),
    ("width 0", (*IMG, "width"), 0, ERROR, "width", "is not a whole number"),
    ("width negative", (*IMG, "width"), -60, ERROR, "width", "is not a whole number"),
    ("width as text", (*IMG, "width"), "60", ERROR, "width", "is not a whole number"),
    ("width NaN", (*IMG, "width"), NAN, ERROR, "width", "is not a whole number"),
    ("endless image", (*IMG,), _image(1, width=10**6, height=10**6), ERROR, "width", "more than 2^30 px"),
    ("no polygons", (*A, "segmentation"), [], ERROR, "segmentation", "is missing; boxes alone"),
    ("empty polygon", (*A, "segmentation"), [[]], ERROR, "segmentation", "is missing; boxes alone"),
    ("empty object", (*A, "segmentation"), {}, ERROR, "segmentation", "is missing; boxes alone"),
    ("mask without runs", (*A, "segmentation"), rle(""), ERROR, "segmentation", "is missing; boxes alone"),
    ("flat polygon", (*A, "segmentation"), SQUARE, ERROR, "segmentation", "is not a list of polygons"),
    (
        "flat polygon of two points",
        (*A, "segmentation"),
        [1, 1, 9, 9],
        ERROR,
        "segmentation",
        "is not a list of polygons",
    ),
    ("points", (*A, "segmentation"), [[1, 1], [9, 1], [9, 9]], ERROR, "segmentation", "is not a list of polygons"),
    ("polygon nested too deeply", (*A, "segmentation"), [[SQUARE]], ERROR, "segmentation", "not a finite number"),
    (
        "polygon of points",
        (*A, "segmentation"),
        [[[1, 1], [3, 1], [3, 3]]],
        ERROR,
        "segmentation",
        "is not a list of polygons",
    ),
    ("polygon with text", (*A, "segmentation"), [[*SQUARE[:-1], "30"]], ERROR, "segmentation", "not a finite number"),
    (
        "polygon with huge numbers",
        (*A, "segmentation"),
        [[*SQUARE[:-1], 10**500]],
        ERROR,
        "segmentation",
        "not a finite",
    ),
    ("polygon away from its box", (*A, "bbox"), [40, 10, 10, 10], ERROR, "segmentation", "does not touch its bbox"),
    (
        "endless polygon",
        (*A, "segmentation"),
        [[0, 0, 60, 40] * 50_000 + [60, 0]],
        ERROR,
        "segmentation",
        "longer than",
    ),
    ("segmentation of text", (*A, "segmentation"), "mask.png", ERROR, "segmentation", "neither polygons nor an RLE"),
    ("RLE without size", (*A, "segmentation"), {"counts": [2400]}, ERROR, "segmentation", "RLE has no size"),
    ("RLE of wrong size", (*A, "segmentation"), rle([2400], (60, 40)), ERROR, "segmentation", "another image size"),
    ("RLE counts corrupt", (*A, "segmentation"), rle("\x00~"), ERROR, "segmentation", "RLE counts cannot be read"),
    ("RLE counts negative", (*A, "segmentation"), rle([10, -5, 2395]), ERROR, "segmentation", "cannot be read"),
    ("RLE counts overflow", (*A, "segmentation"), rle([2**40, 2**40]), ERROR, "segmentation", "cannot be read"),
    ("RLE counts too short", (*A, "segmentation"), rle([10, 10]), ERROR, "segmentation", "do not add up"),
    ("RLE of nothing", (*A, "segmentation"), rle([2400]), ERROR, "segmentation", "RLE marks no pixel"),
    ("RLE away from its box", (*A, "segmentation"), rle([0, 4, 2396]), ERROR, "segmentation", "RLE does not touch"),
    ("box of three", (*A, "bbox"), [10, 10, 20], ERROR, "bbox", "is not [x, y, width, height]"),
    ("box of five", (*A, "bbox"), [10, 10, 20, 20, 1], ERROR, "bbox", "is not [x, y, width, height]"),
    ("box null", (*A, "bbox"), None, ERROR, "bbox", "is not [x, y, width, height]"),
    ("box with inf", (*A, "bbox"), [10, 10, INF, 20], ERROR, "bbox", "not a finite number"),
    ("box of corners", (*A, "bbox"), [10, 10, 30, 30], ERROR, "bbox", "is [x0, y0, x1, y1]"),
    ("iscrowd 2", (*A, "iscrowd"), 2, ERROR, "iscrowd", "is neither 0 nor 1"),
    ("iscrowd null", (*A, "iscrowd"), None, ERROR, "iscrowd", "is neither 0 nor 1"),
    ("area NaN", (*A, "area"), NAN, ERROR, "area", "is not a finite number"),
    ("area negative", (*A, "area"), -1, ERROR, "area", "is not a finite number"),
    ("backslashes", (*IMG, "file_name"), "a\\1.png", ERROR, "file_name", "has a backslash"),
    ("drive letter", (*IMG, "file_name"), "C:1.png", ERROR, "file_name", "is absolute"),
    ("share", (*IMG, "file_name"), "\\\\server\\1.png", ERROR, "file_name", "is absolute"),
    ("device", (*IMG, "file_name"), "CON", ERROR, "file_name", "is a device name"),
    ("device with ending", (*IMG, "file_name"), "a/aux.png", ERROR, "file_name", "is a device name"),
    ("trailing dot", (*IMG, "file_name"), "a./1.png", ERROR, "file_name", "ends in a dot or blank"),
    ("trailing blank", (*IMG, "file_name"), "1.png ", ERROR, "file_name", "ends in a dot or blank"),
    ("NUL in a name", (*IMG, "file_name"), "1\0.png", ERROR, "file_name", "is not a file name"),
    ("line break in a name", (*IMG, "file_name"), "1\n.png", ERROR, "file_name", "control character"),
    ("text turned around", (*IMG, "file_name"), "1\u202egnp.exe", ERROR, "file_name", "control character"),
    ("half a character", (*IMG, "file_name"), "\ud800.png", ERROR, "file_name", "not Unicode"),
    ("endless name", (*IMG, "file_name"), "x" * 300, ERROR, "file_name", "is too long"),
    ("name of a folder", (*IMG, "file_name"), ".", ERROR, "file_name", "is not a file name"),
    ("two images of one file", (*IMG, "file_name"), "./2.png", ERROR, "file_name", "is used twice"),
    ("label against the lesions", (*IMG, "image_label"), "normal", ERROR, "image_label", "contradicts the annotations"),
    ("spacing 0", (*IMG, "spacing_mm"), [0, 0.1], ERROR, "spacing_mm", "is not [row, column]"),
    ("spacing of one number", (*IMG, "spacing_mm"), 0.1, ERROR, "spacing_mm", "is not [row, column]"),
    ("case of a list", (*IMG, "case_id"), ["c1"], ERROR, "case_id", "is neither text nor"),
    ("id NaN", (*A, "id"), NAN, ERROR, "id", "is not an integer"),
    ("image_id true", (*A, "image_id"), True, ERROR, "image_id", "is not an integer"),
    ("category_id NaN", (*A, "category_id"), NAN, ERROR, "category_id", "is not an integer"),
    ("id of 400 digits", (*A, "id"), 10**400, ERROR, "id", "is beyond 2^53"),
    ("image_id of 400 digits", (*A, "image_id"), 10**400, ERROR, "image_id", "is not the id of any entry"),
    ("case of true", (*IMG, "case_id"), True, ERROR, "case_id", "is neither text nor"),
    ("nested without end", (*IMG, "site"), DEEP, ERROR, "site", "nested too deeply"),
    ("attribute beyond int64", (*IMG, "age"), 10**400, ERROR, "age", "too large"),
]
ODD = [
    ("attribute NaN", (*IMG, "age"), NAN, WARNING, "age", "not finite"),
    ("names differ in case", (*IMG,), _image(1, file_name="2.PNG"), WARNING, "file_name", "upper and lower case"),
    ("area of another shape", (*A, "area"), 40, WARNING, "area", "disagrees with the mask"),
    ("box over the border", (*A, "bbox"), [10, 10, 20, 35], WARNING, "bbox", "reaches over the border"),
    (
        "polygon over the border",
        (*A, "segmentation"),
        [[10, 10, 30, 10, 30, 42, 10, 42]],
        WARNING,
        "segmentation",
        "reaches over the border",
    ),
    ("loose box", (*A, "bbox"), [0, 0, 60, 40], WARNING, "bbox", "does not bound"),
    (
        "lesion twice",
        ("annotations",),
        [_lesion(1), _lesion(2), _lesion(3, image_id=2, category_id=2)],
        WARNING,
        "bbox",
        "nearly the same",
    ),
    (
        "unused category",
        ("categories",),
        [*SOUND["categories"], {"id": 0, "name": "x"}],
        WARNING,
        "id",
        "no annotation",
    ),
    ("no label", (*IMG, "image_label"), GONE, WARNING, "image_label", "is missing"),
    ("unknown label", (*IMG, "image_label"), "tumor", WARNING, "image_label", "is none of"),
    ("no case", (*IMG, "case_id"), GONE, WARNING, "case_id", "is missing"),
    ("blank case", (*IMG, "case_id"), " ", WARNING, "case_id", "is missing"),
    ("case NaN", (*IMG, "case_id"), NAN, WARNING, "case_id", "is missing"),
    ("placeholder as case", (*IMG, "case_id"), "REMOVED", WARNING, "case_id", "is a placeholder"),
    ("one case twice", (*IMG, "case_id"), "C-02", WARNING, "case_id", "cases differ only in"),
    ("a crowd", (*A, "iscrowd"), 1, WARNING, "iscrowd", "holds crowd regions only"),
    (
        "crowds alone",
        ("annotations",),
        [_lesion(1, iscrowd=1), _lesion(2, iscrowd=1)],
        WARNING,
        "iscrowd",
        "all regions are crowds",
    ),
    (
        "lesion of half a pixel",
        (*A, "segmentation"),
        [[10, 10, 11, 10, 11, 10.5]],
        WARNING,
        "segmentation",
        "one pixel",
    ),
]
TABLE = SILENT_IN_DETECTRON2 + OTHERS + ODD


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("malformed")


def _load(coco, folder):
    path = folder / "gt.json"
    path.write_text(json.dumps(coco))
    return load_coco(path, check_files=False)


def test_the_table_is_long_enough_and_every_kind_stands_in_it_once():
    kinds = [kind for kind, *_ in TABLE]
    assert len(SILENT_IN_DETECTRON2) == 23 and len(OTHERS) >= 17
    assert len(set(kinds)) == len(kinds)


def test_the_sound_file_has_no_problem(folder):
    assert find_problems(SOUND) == []
    assert len(_load(SOUND, folder).records) == 3


@pytest.mark.parametrize(("kind", "path", "value", "severity", "field", "words"), TABLE, ids=[row[0] for row in TABLE])
def test_every_kind_is_found_told_with_a_remedy_and_never_loaded(kind, path, value, severity, field, words, folder):
    coco = changed(SOUND, path, value)
    found = find_problems(coco)
    matching = [p for p in found if (p.severity, p.field) == (severity, field) and words in p.what]
    assert matching, found
    assert all(problem.remedy for problem in found)
    if severity == ERROR:
        with pytest.raises(DataError):
            _load(coco, folder)
    else:
        dataset = _load(coco, folder)
        assert len(dataset.records) == len(dataset.annotated_images) == 3


@pytest.mark.parametrize(("kind", "path", "value", "severity", "field", "words"), TABLE, ids=[row[0] for row in TABLE])
def test_every_kind_is_repaired_or_left_out(kind, path, value, severity, field, words):
    coco = changed(SOUND, path, value)
    before = repr(coco)
    try:
        repaired = repair(coco)
    except DataError:
        assert path[0] in ("images", "categories")  # without the one or the other nothing is left
    else:
        assert not [p for p in find_problems(repaired.coco) if p.severity == ERROR]
        assert severity == WARNING or repaired.changes or repaired.left_out
    assert repr(coco) == before


NOT_JSON = [
    ("empty", b"", "not readable as JSON"),
    ("not JSON", b"GIF89a", "is not JSON"),
    ("cut off", json.dumps(SOUND).encode()[:300], "cut off"),
    ("UTF-16", json.dumps(SOUND).encode("utf-16"), "UTF-16"),
    ("Latin-1", b'{"info": "M\xfcller"}', "Save it as UTF-8"),
    ("nested without end", b"[" * 100_000, "nested too deeply"),
    ("integer of 5,000 digits", b'{"a": ' + b"1" * 5000 + b"}", "not readable as JSON"),
    ("key twice", b'{"images": [{"id": 3, "width": 1, "width": 2}]}', "'width' (id 3)"),
    ("list at the top", b"[]", "is not a JSON object with images"),
]


@pytest.mark.parametrize(("kind", "data", "words"), NOT_JSON, ids=[row[0] for row in NOT_JSON])
def test_what_is_no_sound_json_is_named(kind, data, words, folder):
    path = folder / "gt.json"
    path.write_bytes(data)
    with pytest.raises(DataError) as error:
        load_coco(path)
    assert words in str(error.value) and "gt.json" in str(error.value)


def test_a_byte_order_mark_is_no_harm(folder):
    path = folder / "gt.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(SOUND).encode())
    assert len(load_coco(path, check_files=False).records) == 3


def test_a_file_beyond_the_limit_is_not_read(folder):
    path = folder / "gt.json"
    path.write_bytes(b" " * 2000)
    with pytest.raises(DataError, match="too large"):
        read_bytes(path, max_bytes=1999)
    assert len(read_bytes(path, max_bytes=2000)) == 2000
    with pytest.raises(DataError, match="is not a file"):
        read_bytes(folder)


def test_warnings_are_logged_in_one_line(folder, caplog):
    coco = copy.deepcopy(SOUND)
    for lesion in coco["annotations"]:
        del lesion["iscrowd"], lesion["area"]
    _load(coco, folder)
    (record,) = caplog.records
    assert "4 warnings" in record.getMessage() and "segtumor data check" in record.getMessage()


def test_many_lesions_of_two_classes_and_many_normal_images_are_told_to_be_out_of_balance():
    coco = {**SOUND, "annotations": [_lesion(1, id=n, bbox=[10, 10, 20, 5 + n]) for n in range(3, 25)]}
    coco["annotations"].append(_lesion(2))
    assert "classes are imbalanced beyond 1:10" in [problem.what for problem in find_problems(coco)]
    coco = {**SOUND, "images": SOUND["images"] + [_image(n, image_label="normal") for n in range(4, 40)]}
    assert "most images are normal" in [problem.what for problem in find_problems(coco)]


def test_a_rectangle_beside_the_polygon_of_the_same_lesion_is_told():
    diamond = [10, 20, 20, 10, 30, 20, 20, 30]
    coco = {**SOUND, "annotations": [*SOUND["annotations"], _lesion(3, image_id=1, category_id=1, area=200)]}
    coco["annotations"][2]["segmentation"] = [diamond]
    assert [(p.where, p.got) for p in find_problems(coco)] == [("annotations[2] (id 3)", "that of id 1")]


def test_category_id_zero_and_any_order_are_fine():
    coco = copy.deepcopy(SOUND)
    coco["categories"][0]["id"] = coco["annotations"][0]["category_id"] = 0
    assert find_problems(coco) == []


def test_more_regions_than_any_radiograph_has_are_refused_before_they_become_masks(monkeypatch):
    monkeypatch.setattr("segtumor.annotations.validation.MOST_REGIONS", 2)
    coco = {**SOUND, "annotations": [_lesion(n, image_id=1, category_id=1, bbox=[10, 10, 20, n]) for n in range(3, 6)]}
    coco["images"] = [*SOUND["images"][:1], *SOUND["images"][2:]]
    (found,) = [p for p in find_problems(coco) if p.severity == ERROR]
    assert (found.field, found.what, found.got) == ("annotations", "image has more than 2 regions", "3")
    assert [remark.image for remark in repair(coco).left_out] == ["1.png"]
