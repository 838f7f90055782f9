"""Pascal VOC XML to a collection and back."""

import json
import re
from xml.etree.ElementTree import canonicalize

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from repository import ROOT

from segtumor.annotations.coco import dataset_of
from segtumor.annotations.remarks import kinds_of
from segtumor.errors import DataError
from segtumor.formats import voc
from segtumor.formats.collection import Collection, Region, SourceImage
from segtumor.formats.conversion.assemble import assemble
from segtumor.formats.sources.image_folder import ImageFolder
from segtumor.structures.masks import rle_from_mask, rle_from_segmentation

EXAMPLES = ROOT / "datasets" / "examples"
BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>5</xmax><ymax>8.5</ymax></bndbox>"


@pytest.fixture
def images(tmp_path):
    """Four images of 20 x 10 px."""
    for name in ("a.png", "b.png", "c.v1.png", "sub/a.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (20, 10)).save(tmp_path / "images" / name)
    return ImageFolder(tmp_path / "images")


def _xml(objects="", filename="a.png", size=(20, 10), head=""):
    size = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>1</depth></size>"
    return f"{head}<annotation><filename>{filename}</filename>{size}{objects}</annotation>"


def _object(shape=BOX, name="benign", more=""):
    return f"<object><name>{name}</name>{more}{shape}</object>"


def _read(tmp_path, images, files):
    for name, text in files.items():
        path = tmp_path / "xml" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return voc.read(tmp_path / "xml", images)


def _reason(tmp_path, images, text):
    collection = _read(tmp_path, images, {"b.xml": text})
    assert not collection.images
    return collection.left_out[0]


def test_the_example_has_three_lesions():
    assert voc.recognises(EXAMPLES / "voc")
    collection = voc.read(EXAMPLES / "voc", ImageFolder(EXAMPLES / "images"))
    assert collection.left_out == collection.notes == []
    document = assemble(collection).document
    assert [image["image_label"] for image in document["images"]] == ["benign", "malignant", "normal"]
    assert [a["bbox"] for a in document["annotations"]] == [[64, 28, 30, 27], [75, 118, 20, 26], [61, 117, 26, 22]]
    assert [a["category_id"] for a in document["annotations"]] == [1, 1, 2]
    assert [a.get("difficult") for a in document["annotations"]] == [None, True, None]


def test_the_example_comes_back_equal_but_for_the_paths(tmp_path):
    collection = voc.read(EXAMPLES / "voc", ImageFolder(EXAMPLES / "images"))
    voc.write(dataset_of(assemble(collection).document, EXAMPLES), tmp_path)
    for path in (EXAMPLES / "voc").glob("*.xml"):
        assert _without_paths(tmp_path / path.name) == _without_paths(path)


def _without_paths(path):
    text = re.sub(r"<(folder|path)( ?/|>.*</\1)>", "", path.read_text())
    return canonicalize(text, strip_text=True)


@pytest.mark.parametrize("name", ["coco", "cvat", "labelme", "yolo", "masks"])
def test_other_formats_are_not_claimed(name):
    assert not voc.recognises(EXAMPLES / name)


def test_extra_fields_and_polygons_are_kept(tmp_path, images):
    polygon = "<polygon><x1>1.5</x1><y1>2</y1><x2>5</x2><y2>2</y2><x3>5</x3><y3>8</y3></polygon>"
    more = "<pose>Left</pose><truncated>1</truncated><difficult>0</difficult><occluded>1</occluded>"
    (region,) = _read(tmp_path, images, {"b.xml": _xml(_object(BOX + polygon, more=more))}).images[0].regions
    assert region.segmentation == [[1.5, 2, 5, 2, 5, 8]] and region.box_xywh == (1, 2, 4, 6.5)
    assert region.extra == {"pose": "Left", "truncated": True, "occluded": True}


def test_the_name_of_the_xml_file_counts_before_a_stale_file_name(tmp_path, images):
    collection = _read(tmp_path, images, {"b.xml": _xml(filename="a.png"), "z.xml": _xml(filename="c.v1.png")})
    assert [image.file_name for image in collection.images] == ["b.png", "c.v1.png"]
    assert len(kinds_of(collection.notes)) == 2


def test_dots_and_folders_in_names(tmp_path, images):
    collection = _read(tmp_path, images, {"c.v1.xml": _xml(filename="c.v1.png"), "sub/a.xml": _xml()})
    assert sorted(image.file_name for image in collection.images) == ["c.v1.png", "sub/a.png"]


def test_size_zero_is_that_of_the_file_and_another_size_is_scaled(tmp_path, images):
    collection = _read(tmp_path, images, {"b.xml": _xml(_object(), "b.png", (0, 0))})
    assert collection.images[0].regions[0].box_xywh == (1, 2, 4, 6.5) and not collection.notes
    collection = _read(tmp_path, images, {"b.xml": _xml(_object(), "b.png", (40, 20))})
    assert collection.images[0].regions[0].box_xywh == (0.5, 1, 2, 3.25)
    assert kinds_of(collection.notes) == {"outlines scaled to the size of the image": 1}
    assert _reason(tmp_path, images, _xml(size=(10, 20))).kind == "outlines drawn on an image of another shape"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (_xml(_object("")), "shape not usable"),
        (_xml(_object("<polygon><pt/></polygon>")), "shape not usable"),
        (_xml(_object(name="")), "object without a name"),
        (_xml(_object(BOX.replace("8.5", "nan"))), "coordinate is not a finite number"),
        (_xml(_object(BOX.replace("8.5", "1e300"))), "coordinate is not a finite number"),
        (_xml(_object(BOX.replace("8.5", ""))), "coordinate is not a finite number"),
    ],
)
def test_an_image_with_an_unknown_lesion_is_left_out(tmp_path, images, text, kind):
    remark = _reason(tmp_path, images, text)
    assert (remark.image, remark.kind) == ("b.png", kind)


BOMB = '<!DOCTYPE a [<!ENTITY a "1"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "text",
    [
        BOMB + _xml(_object(name="&b;")),
        '<!DOCTYPE annotation SYSTEM "file:///etc/passwd">' + _xml(),
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + _xml(_object(name="&x;")),
        "<annotation><object>",
        "<annotations/>",
        b"\xff\xfe\x00",
        '<?xml version="1.0" encoding="nonsense"?><annotation/>',
        "",
    ],
)
def test_bombs_and_damaged_files_are_left_out_and_named_and_the_others_read(tmp_path, images, text):
    collection = _read(tmp_path, images, {"b.xml": text, "c.v1.xml": _xml()})
    assert [image.file_name for image in collection.images] == ["c.v1.png"]
    assert [(r.image, r.kind) for r in collection.left_out] == [("b.xml", "annotation file cannot be read")]


def test_an_absent_image_is_left_out(tmp_path, images):
    collection = _read(tmp_path, images, {"z.xml": _xml(filename="../../etc/z.png")})
    assert collection.left_out[0].kind == "image listed but not in the folder"


def test_image_sets_give_the_part(tmp_path, images):
    lists = tmp_path / "xml" / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("b\nc.v1\nz  1\n")
    (lists / "val.txt").write_text("c.v1 -1\n")
    collection = _read(tmp_path, images, {"Annotations/b.xml": _xml(), "Annotations/c.v1.xml": _xml()})
    assert [image.attributes for image in collection.images] == [{"part": "train"}, {}]
    assert kinds_of(collection.notes)["in several lists of ImageSets"] == 1
    assert collection.left_out == [("z", "listed in ImageSets, but has no annotation file", "")]


def test_no_file_at_all_is_an_error(tmp_path, images):
    with pytest.raises(DataError, match=r"no \.xml"):
        voc.read(tmp_path, images)


def _back(tmp_path, images, regions):
    """Regions of a.png after writing and reading."""
    collection = Collection(images.root, [SourceImage("b.png", (10, 20), tuple(regions))])
    dataset = dataset_of(json.loads(json.dumps(assemble(collection).document)), images.root)
    remarks = voc.write(dataset, tmp_path / "xml")
    return voc.read(tmp_path / "xml", images).images[0].regions, remarks


sides = st.decimals(0, 9, places=6).map(float)


@settings(max_examples=25, deadline=None)
@given(st.tuples(sides, sides, st.decimals("0.01", 1, places=6).map(float), st.decimals(1, 9, places=3).map(float)))
def test_boxes_come_back_exactly(tmp_path_factory, box):
    folder = tmp_path_factory.mktemp("voc")
    Image.new("L", (20, 10)).save(folder / "b.png")
    (region,), _ = _back(folder, ImageFolder(folder), [Region("benign", None, box)])
    assert region.box_xywh == box


def test_outlines_come_back_exactly_and_holes_to_the_pixel(tmp_path, images):
    polygon = [1 / 3, 1, 7.123456789, 1, 7, 9]
    mask = np.zeros((10, 20), dtype=bool)
    mask[1:9, 8:18] = True
    mask[3:5, 10:12] = False
    regions = [Region("benign", [polygon]), Region("malignant", rle_from_mask(mask))]
    (first, second), remarks = _back(tmp_path, images, regions)
    assert first.segmentation == [polygon]
    assert rle_from_segmentation(second.segmentation, (10, 20)) == rle_from_mask(mask)
    assert kinds_of(remarks) == {"holes or parts written as one outline with bridges": 1}


def test_images_that_differ_in_their_suffix_do_not_overwrite_each_other(tmp_path):
    for name in ("x.png", "x.bmp"):
        Image.new("L", (20, 10)).save(tmp_path / name)
    images = ImageFolder(tmp_path)
    regions = (Region("benign", None, (1, 1, 2, 2)),)
    collection = Collection(tmp_path, [SourceImage("x.bmp", (10, 20), regions), SourceImage("x.png", (10, 20))])
    voc.write(dataset_of(assemble(collection).document, tmp_path), tmp_path / "xml")
    found = {image.file_name: len(image.regions) for image in voc.read(tmp_path / "xml", images).images}
    assert found == {"x.bmp": 1, "x.png": 0}
