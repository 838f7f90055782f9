"""Annotation files in other encodings: read where the file says which, else refused with the reason and the line."""

import json

import pytest
from PIL import Image

from segtumor.formats.sources.image_folder import ImageFolder
from segtumor.formats.table import detect_format, load_format

BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"


def _voc(declaration="", label="良性"):
    body = f"<filename>a.png</filename><object><name>{label}</name>{BOX}</object>"
    return f"{declaration}<annotation>\n{body}</annotation>"


def _declared(encoding):
    return f'<?xml version="1.0" encoding="{encoding}"?>'


def _read(tmp_path, name, data):
    Image.new("L", (20, 10)).save(tmp_path / "a.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / name).write_bytes(data)
    found = detect_format(tmp_path / "set")
    return load_format(found).read(tmp_path / "set", ImageFolder(tmp_path))


@pytest.mark.parametrize(
    "data",
    [
        _voc().encode(),
        _voc().encode("utf-8-sig"),
        _voc(_declared("UTF-8")).encode("utf-8-sig"),
        _voc(_declared("utf8")).encode(),
        _voc(_declared("UTF_8")).encode("utf-8-sig"),
        _voc(_declared("gbk")).encode("gbk"),
        _voc(_declared("GB2312")).encode("gb2312"),
        _voc(_declared("gb18030")).encode("gb18030"),
        _voc(_declared("Big5"), "良性").encode("big5"),
        _voc(_declared("utf-16")).encode("utf-16"),
        _voc().encode("utf-16"),
        b"\xfe\xff" + _voc(_declared("UTF-16")).encode("utf-16-be"),
    ],
)
def test_xml_in_the_encoding_that_it_declares(tmp_path, data):
    (image,) = _read(tmp_path, "a.xml", data).images
    assert [(region.label, region.box_xywh) for region in image.regions] == [("良性", (1, 2, 8, 6))]


def test_xml_in_windows_1252_and_cvat_in_gbk(tmp_path):
    (image,) = _read(tmp_path, "a.xml", _voc(_declared("windows-1252"), "Läsion").encode("cp1252")).images
    assert image.regions[0].label == "Läsion"
    (tmp_path / "cvat").mkdir()
    image = '<image name="a.png"><box label="良性" xtl="1" ytl="2" xbr="9" ybr="8"/></image>'
    cvat = f"{_declared('gbk')}<annotations>{image}</annotations>"
    (tmp_path / "cvat" / "annotations.xml").write_bytes(cvat.encode("gbk"))
    assert detect_format(tmp_path / "cvat") == "cvat"
    (image,) = load_format("cvat").read(tmp_path / "cvat", ImageFolder(tmp_path)).images
    assert image.regions[0].label == "良性"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_voc(label="a & b").encode(), "line 2, column 43; a bare & is written &amp;"),
        (_voc().encode("gbk"), "it is not UTF-8 and declares no other encoding"),
        (_voc(_declared("gbk")).encode("utf-16")[:-1], "it is not in the encoding that it says, utf-16"),
        (_voc(_declared("us-ascii")).encode("gbk"), "it is not in the encoding that it says, us-ascii"),
        (_voc(_declared("zip")).encode(), "no encoding is called zip"),
        (_voc(_declared("gbk") + '<!DOCTYPE a SYSTEM "file:///etc/passwd">').encode("gbk"), "DTD or entities"),
    ],
)
def test_what_is_not_readable_says_why_and_where(tmp_path, data, reason):
    collection = _read(tmp_path, "a.xml", data)
    assert not collection.images and reason in collection.left_out[0].detail


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_json_with_a_mark(tmp_path, encoding):
    shape = {"label": "良性", "shape_type": "rectangle", "points": [[1, 2], [9, 8]]}
    document = {"shapes": [shape], "imagePath": "a.png", "imageHeight": 10, "imageWidth": 20}
    (image,) = _read(tmp_path, "a.json", json.dumps(document, ensure_ascii=False).encode(encoding)).images
    assert [(region.label, region.box_xywh) for region in image.regions] == [("良性", (1, 2, 8, 6))]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"imagePath": "a.png", "shapes": [{"label": "x", "shape_type": "rotation", "points": '
         "[[6, 1], [11, 6], [9, 8], [4, 3]]}]}"),
        ("a.xml", "<annotation><object><name>x</name><robndbox><cx>7.5</cx><cy>4.5</cy><w>7.0710678</w><h>2.8284271</h>"
         "<angle>0.78539816</angle></robndbox></object></annotation>"),
        ("a.xml", "<annotation><object><name>x</name><bndbox><xmin>3.96446609</xmin><ymin>3.08578644</ymin>"
         "<xmax>11.03553391</xmax><ymax>5.91421356</ymax></bndbox><attributes><attribute><name>rotation</name>"
         "<value>45.0</value></attribute></attributes></object></annotation>"),
        ("a.json", '{"images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 10}], "categories": [{"id": 1, '
         '"name": "x"}], "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [3.96446609, 3.08578644, '
         '7.0710678, 2.8284271], "attributes": {"rotation": 45.0}}]}'),
    ],
)  # fmt: skip
def test_a_turned_box_is_the_outline_of_its_corners(tmp_path, name, text):
    (image,) = _read(tmp_path, name, text.encode()).images
    (outline,) = image.regions[0].segmentation
    corners = sorted(zip(outline[::2], outline[1::2], strict=True))
    for corner, expected in zip(corners, [(4, 3), (6, 1), (9, 8), (11, 6)], strict=True):
        assert corner == pytest.approx(expected, abs=1e-5)
