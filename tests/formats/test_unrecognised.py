"""A source in no known format: the file that is nearly in one is named, and what is odd in it."""

import json

import pytest
from PIL import Image

from segtumor.errors import DataError
from segtumor.formats.table import detect_format

CASES = {
    "coco": ({"a.json": json.dumps({"images": [], "annotations": []})}, "a.json: COCO, but without a list categories"),
    "coco elsewhere": (
        {"a/x.json": '{"images": [], "annotations": [], "categories": []}'},
        "x.json: COCO, but in a folder (a) that says no part",
    ),
    "labelme": ({"a.json": '{"imagePath": "a.png", "shapes": null}'}, "a.json: LabelMe, but shapes is not a list"),
    "cut off": ({"a.json": '{"images": ['}, "a.json: not readable as JSON"),
    "gbk": ({"a.json": '{"imagePath": "良性"}'.encode("gbk")}, "a.json: not readable as JSON: 'utf-8' codec"),
    "via 3": ({"a.json": '{"file": {}, "metadata": {}, "view": {}}'}, "of VIA 3, which is not read"),
    "other json": ({"a.json": '{"patients": 3}'}, "a.json: JSON with 'patients'"),
    "not well-formed": ({"a.xml": "<html>\n<p></html>"}, "a.xml: not readable as XML: mismatched tag: line 2"),
    "other xml": ({"a.xml": "<html/>"}, "a.xml: XML that begins with <html>"),
    "no names": ({"labels/a.txt": "0 0.5 0.5 0.1 0.1"}, "a.txt: YOLO, but without class names"),
    "odd lines": ({"labels/a.txt": "benign 0.5 0.5 0.1 0.1", "classes.txt": "benign"}, "a.txt, line 1: benign 0.5"),
    "two lists": ({"labels/a.txt": "", "classes.txt": "a", "obj.names": "b"}, "several lists of class names"),
    "columns": ({"a.csv": "image,finding,x,y\n"}, "a.csv: not a table of boxes (columns image, finding, x, y"),
    "damaged mask": ({"masks/a.png": b"\x89PNG\r\n\x1a\nxx"}, "a.png: mask cannot be read: "),
    "nifti": ({"labelsTr/a.nii.gz": b"\x1f\x8b"}, "a.nii.gz: packed files and NIfTI volumes"),
    "zip": ({"export.zip": b"PK"}, "export.zip: packed files are not read; unpack it"),
    "excel": ({"boxes.xlsx": b"PK"}, "boxes.xlsx: save the table of boxes as CSV"),
    "a folder of one class": ({"benign/a.png": None, "benign/b.png": None}, "only images in folders (benign)"),
    "nothing": ({}, "is in none of the known formats (expected coco"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_odd_is_named(tmp_path, case):
    files, message = CASES[case]
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            Image.new("L", (4, 4)).save(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        detect_format(tmp_path)
    assert message in str(caught.value)
