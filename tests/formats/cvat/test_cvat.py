"""CVAT's XML to a collection and back."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from repository import ROOT
from round_trips import UnseenImages, written_and_read

from segtumor.annotations.coco import dataset_of
from segtumor.annotations.remarks import kinds_of
from segtumor.errors import DataError
from segtumor.formats import cvat
from segtumor.formats.collection import Collection, Region, SourceImage
from segtumor.formats.conversion.assemble import assemble
from segtumor.formats.shapes.drawn_boxes import rotated_box, rotated_box_polygon
from segtumor.formats.sources.image_folder import ImageFolder
from segtumor.structures.masks import mask_from_rle

EXAMPLES = ROOT / "datasets" / "examples"
SIZE_HW = (30, 40)
IMAGES = UnseenImages(["a.png", "b.png", "c.png"], SIZE_HW)


def _read(tmp_path, body, images=None, meta=""):
    path = tmp_path / "annotations.xml"
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>{meta}{body}</annotations>'
    path.write_text(text, encoding="utf-8")
    return cvat.read(path, images or IMAGES)


def _image(shapes, name="a.png", more='width="40" height="30"'):
    return f'<image id="0" name="{name}" {more}>{shapes}</image>'


def _regions(tmp_path, shapes):
    collection = _read(tmp_path, _image(shapes))
    assert not collection.left_out
    return collection.images[0].regions


def _reason(tmp_path, body):
    collection = _read(tmp_path, body)
    assert not collection.images
    return collection.left_out[0].kind


def test_the_example_has_three_lesions():
    source = EXAMPLES / "cvat"
    assert cvat.recognises(source) and cvat.recognises(source / "annotations.xml")
    collection = cvat.read(source, ImageFolder(EXAMPLES / "images"))
    assert not collection.left_out and not collection.notes
    document = assemble(collection).document
    truth = dataset_of(json.loads((EXAMPLES / "coco" / "annotations.json").read_text()), EXAMPLES)
    assert [c["name"] for c in document["categories"]] == ["benign", "malignant"]
    assert [image["image_label"] for image in document["images"]] == ["benign", "malignant", "normal"]
    lesions = truth.annotations_of_image[1] + truth.annotations_of_image[2]
    for got, expected in zip(document["annotations"], lesions, strict=True):
        assert got["category_id"] == expected["category_id"]
        assert got["segmentation"] == expected["segmentation"]
    assert document["annotations"][1]["attributes"] == {"certainty": "unsure"}


@pytest.mark.parametrize(
    "text", ["<annotation><x/></annotation>", '{"images": []}', "", "<html><annotationsX/></html>"]
)
def test_other_files_are_not_claimed(tmp_path, text):
    (tmp_path / "a.xml").write_text(text)
    assert not cvat.recognises(tmp_path / "a.xml") and not cvat.recognises(tmp_path)
    assert not cvat.recognises(tmp_path / "missing.xml")


def test_shapes_with_an_area(tmp_path):
    polygon, box, ellipse, mask, turned = _regions(
        tmp_path,
        '<polygon label="benign" points="1.00,2.00;5.50,2.00;5.50,7.25" occluded="1" source="manual" z_order="0">'
        '<attribute name="margin">sharp</attribute></polygon>'
        '<box label="malignant" xtl="10.13" ytl="2.57" xbr="23.57" ybr="9.00" />'
        '<ellipse label="benign" cx="20.00" cy="15.00" rx="4.00" ry="2.00" rotation="90.00"/>'
        '<mask label="benign" rle="1, 2, 1, 2" left="3" top="1" width="3" height="2"/>'
        '<box label="benign" xtl="2" ytl="1" xbr="6" ybr="3" rotation="90"/>',
    )
    assert polygon == Region(
        "benign", [[1, 2, 5.5, 2, 5.5, 7.25]], None, {"attributes": {"margin": "sharp"}, "occluded": True}
    )
    assert box == Region("malignant", None, (10.13, 2.57, 13.44, 6.43))
    points = np.reshape(ellipse.segmentation[0], (-1, 2))
    assert np.hypot((points[:, 0] - 20) / 2, (points[:, 1] - 15) / 4) == pytest.approx(np.ones(len(points)))
    expected = np.zeros(SIZE_HW, dtype=bool)
    expected[1:3, 3:6] = [[False, True, True], [False, True, True]]
    assert np.array_equal(mask_from_rle(mask.segmentation), expected)
    assert turned.segmentation[0] == pytest.approx([5, 0, 5, 4, 3, 4, 3, 0])
    assert turned.extra["rotated_box"] == {"bbox": [2, 1, 4, 2], "degrees": 90, "about": "center"}


def test_a_mask_that_cvat_exported(tmp_path):
    # Posted in github.com/cvat-ai/cvat/issues/4723: a disc of 40 px.
    rle = (
        "17, 10, 27, 15, 23, 18, 20, 21, 18, 23, 16, 24, 15, 26, 13, 27, 13, 27, 12, 29, 10, 30, 9, 32, 7, 34, 5, 36, "
        "3, 38, 2, 38, 2, 39, 1, 39, 1, 120, 1, 39, 1, 39, 1, 39, 2, 38, 2, 38, 3, 37, 3, 37, 3, 37, 4, 36, 4, 35, 6, "
        "34, 7, 33, 7, 32, 9, 30, 10, 29, 13, 26, 15, 23, 18, 20, 22, 15, 12"
    )
    Image.new("L", (200, 400)).save(tmp_path / "a.png")
    body = _image(
        f'<mask label="blah" occluded="0" source="manual" rle="{rle}" left="79" top="304" width="40" height="40" '
        'z_order="0"> </mask>',
        more='width="200" height="400"',
    )
    collection = _read(tmp_path, body, ImageFolder(tmp_path))
    mask = mask_from_rle(collection.images[0].regions[0].segmentation)
    columns = np.flatnonzero(mask.any(axis=0))
    assert (columns[0], columns[-1]) == (79, 118)
    assert mask[304:344, 79:119].sum() == mask.sum() == sum(map(int, rle.split(",")[1::2]))
    assert mask[304 + 20, 79:119].all() and not mask[304, 79]  # a disc: full in the middle, empty in the corner


def test_shapes_of_a_group_and_label_are_one_lesion(tmp_path):
    triangle, other = "1,1;5,1;5,5", "11,11;15,11;15,15"
    joined, alone, mixed = _regions(
        tmp_path,
        f'<polygon label="benign" points="{triangle}" group_id="4"/>'
        f'<polygon label="malignant" points="{other}" group_id="4"/>'
        f'<polygon label="benign" points="{other}" group_id="4"/>'
        '<box label="benign" xtl="0" ytl="0" xbr="20" ybr="20" group_id="4"/>'
        f'<polygon label="benign" points="{triangle}" group_id="5"/>'
        '<mask label="benign" rle="0, 4" left="20" top="20" width="2" height="2" group_id="5"/>',
    )
    assert joined.segmentation == [[1, 1, 5, 1, 5, 5], [11, 11, 15, 11, 15, 15]]
    assert joined.box_xywh == (0, 0, 20, 20)
    assert alone.label == "malignant" and len(alone.segmentation) == 1
    mask = mask_from_rle(mixed.segmentation)
    assert mask[20:22, 20:22].all() and mask[:6, :6].any()


def test_tags_subsets_and_labels(tmp_path):
    meta = (
        "<meta><project><labels><label><name>malignant</name><type>any</type></label><label><name>benign</name></label>"
        "<label><name>Normal</name></label><label><name>blurred</name><type>tag</type></label></labels></project></meta>"
    )
    triangle = '<polygon label="benign" points="1,1;5,1;5,5"/>'
    body = (
        _image('<tag label="Normal" source="manual"/>', "a.png", 'width="40" height="30" subset="Validation"')
        + _image(triangle + '<tag label="Benign"/><tag label="blurred"/>', "b.png")
        + _image("", "c.png")
    )
    collection = _read(tmp_path, body, meta=meta)
    assert collection.labels == ("malignant", "benign")
    a, b, c = collection.images
    assert a.attributes == {"image_label": "normal", "part": "val"}
    assert b.attributes == {"image_label": "benign", "tags": ["blurred"]}
    assert c == SourceImage("c.png", SIZE_HW)  # listed and empty: normal


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [
        ('<polyline label="x" points="1,1;2,2"/>', "shape not usable"),
        ('<points label="x" points="1,1"/><cuboid label="x"/><skeleton label="x"/>', "shape not usable"),
        ('<blob label="x"/>', "shape not known"),
        ('<polygon label="x" points="1,1;2"/>', "polygon not readable"),
        ('<polygon label="x" points=""/>', "polygon not readable"),
        ('<polygon label="x" points="1,1;nan,2;3,3"/>', "number not readable"),
        ('<box label="x" xtl="1" ytl="1" xbr="inf" ybr="2"/>', "number not readable"),
        ('<box label="x" xtl="1" ytl="1" xbr="1e9" ybr="2"/>', "number not readable"),
        ('<box label="x" xtl="1"/>', "number not readable"),
        ('<box label="x" xtl="5" ytl="1" xbr="2" ybr="2"/>', "box upside down"),
        ('<ellipse label="x" cx="1" cy="1" rx="-1" ry="2"/>', "radius is negative"),
        ('<mask label="x" rle="1, 2" left="0" top="0" width="2" height="2"/>', "mask not readable"),
        ('<mask label="x" rle="4, x" left="0" top="0" width="2" height="2"/>', "mask not readable"),
        ('<mask label="x" rle="4" left="39" top="0" width="2" height="2"/>', "mask not readable"),
        ('<mask label="x" rle="4" left="-1" top="0" width="2" height="2"/>', "mask not readable"),
        ('<mask label="x" rle="4" left="0.5" top="0" width="2" height="2"/>', "mask not readable"),
        ('<tag label="malignant"/>', "called a tumour, but no lesion is annotated"),
    ],
)
def test_an_image_whose_lesion_cannot_be_known_is_left_out(tmp_path, shapes, kind):
    assert _reason(tmp_path, _image(shapes)) == kind


def test_missing_and_other_images(tmp_path):
    assert _reason(tmp_path, _image("", "../../etc/passwd")) == "image listed but not in the folder"
    assert _reason(tmp_path, '<image id="0"/>') == "image listed but not in the folder"
    triangle = (
        '<polygon label="x" points="2,2;10,2;10,10"/><mask label="x" rle="0,4" left="0" top="0" width="2" height="2"/>'
    )
    assert _reason(tmp_path, _image(triangle, more='width="30" height="40"')) == (
        "outlines drawn on an image of another shape"
    )
    collection = _read(tmp_path, _image(triangle + '<points label="x" points="1,1"/>', more='width="80" height="60"'))
    polygon, mask = collection.images[0].regions
    assert polygon.segmentation == [[1, 1, 5, 1, 5, 5]]
    assert mask_from_rle(mask.segmentation).sum() == 1
    assert set(kinds_of(collection.notes)) == {"outlines scaled to the size of the image", "shape not usable"}
    unstated = _read(tmp_path, _image(triangle, "a.jpg", 'width="0"'))
    assert unstated.images[0].regions[0].segmentation == [[2, 2, 10, 2, 10, 10]]
    assert kinds_of(unstated.notes) == {"found with another file name suffix": 1}


_BOMB = '<!DOCTYPE a [<!ENTITY b "xxxxxxxx"><!ENTITY c "&b;&b;&b;&b;">]>'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"<?xml version='1.0'?>{_BOMB}<annotations>&c;</annotations>", "not readable as XML"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotations/>', "not readable as XML"),
        ("<annotations><image", "not readable as XML"),
        ("", "not readable as XML"),
        ("<?xml version='1.0' encoding='nonsense'?><annotations/>", "not readable as XML"),
        ("<annotation/>", "not an annotation file of CVAT"),
        ('<annotations><track id="0" label="x"><box frame="0"/></track></annotations>', "video"),
        ("<annotations>" + "<a>" * 3000 + "</a>" * 3000 + '<track id="0"/></annotations>', "video"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, text, what):
    path = tmp_path / "annotations.xml"
    path.write_text(text)
    with pytest.raises(DataError, match=what):
        cvat.read(path, IMAGES)


def test_of_several_files_a_bad_one_is_named(tmp_path):
    (tmp_path / "bad.xml").write_text(f"<annotations>{_image('', 'b.png')}<image")
    collection = _read(tmp_path, _image(""))
    assert [image.file_name for image in collection.images] == ["a.png"]
    collection = cvat.read(tmp_path, IMAGES)
    assert [image.file_name for image in collection.images] == ["a.png"]
    assert [(r.image, r.kind) for r in collection.left_out] == [("bad.xml", "annotation file not readable")]


def _again(tmp_path, regions, attributes=None):
    return written_and_read(cvat, tmp_path, SourceImage("a.png", SIZE_HW, tuple(regions), attributes or {}))


_coordinates = st.floats(0, 30, allow_subnormal=False)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(_coordinates, _coordinates), min_size=3, max_size=8))
def test_polygons_come_back_bit_for_bit(tmp_path_factory, points):
    part = [value for point in points for value in point]
    fixed = [10, 10, 20, 10, 20, 20]
    before, after, _ = _again(
        tmp_path_factory.mktemp("cvat"), [Region("benign", [fixed]), Region("benign", [fixed, part])]
    )
    assert [a["segmentation"] for a in after["annotations"]] == [a["segmentation"] for a in before["annotations"]]


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.integers(1, 10**7)] * 4), st.sampled_from([10**6, 10**4]))
def test_boxes_come_back_exactly(tmp_path_factory, numbers, unit):
    box = tuple(round(number / unit % 15 + 0.000001, 6) for number in numbers)
    outline = [[10, 10, 20, 10, 20, 20]]
    before, after, _ = _again(
        tmp_path_factory.mktemp("cvat"),
        [Region("benign", None, box), Region("malignant", outline, (9.5, 9, 12, 12.25))],
    )
    assert [a["bbox"] for a in after["annotations"]] == [a["bbox"] for a in before["annotations"]]
    assert after["annotations"][0]["bbox"] == list(box)
    assert after["annotations"][1]["segmentation"] == outline


def test_what_else_comes_back(tmp_path):
    corner, center = rotated_box((12, 8, 9, 5), 30, "corner"), rotated_box((12.13, 8, 9.57, 5), 333.25, "center")
    regions = [Region("benign", [rotated_box_polygon(box)], None, {"rotated_box": box}) for box in (corner, center)]
    regions.append(Region('a<"&b', None, (1, 1, 2, 2), {"attributes": {"mar<gin": "sha&rp"}, "occluded": True}))
    attributes = {"image_label": "malignant", "tags": ["blurred", "<&>"], "part": "train"}
    before, after, remarks = _again(tmp_path, regions, attributes)
    assert not remarks
    assert after["images"] == before["images"]
    assert [c["name"] for c in after["categories"]] == [c["name"] for c in before["categories"]]
    for got, expected in zip(after["annotations"], before["annotations"], strict=True):
        if "segmentation" in expected:
            assert got["segmentation"][0] == pytest.approx(expected["segmentation"][0], abs=0.01)
    assert after["annotations"][1]["rotated_box"] == center
    assert after["annotations"][2] == before["annotations"][2]


def test_what_the_format_cannot_hold_is_told(tmp_path):
    images = [SourceImage("a.png", SIZE_HW), SourceImage("b.png", SIZE_HW)]
    document = assemble(Collection(root=Path("i"), images=images)).document
    document["images"][0]["file_name"] = "a\x01.png"
    remarks = cvat.write(dataset_of(document, "i"), tmp_path / "out.xml")
    assert kinds_of(remarks) == {"image left out, XML cannot hold its name": 1}
    collection = cvat.read(tmp_path / "out.xml", IMAGES)
    assert [image.file_name for image in collection.images] == ["b.png"]


def test_equal_names_in_the_subsets_of_a_project_are_told_apart(tmp_path):
    body = "".join(
        f'<image name="a.png" subset="{subset}"><box label="{label}" xtl="1" ytl="1" xbr="5" ybr="5"/></image>'
        for subset, label in (("Train", "benign"), ("Validation", "malignant"), ("default", "x"), ("Extra", "y"))
    )
    names = ["Train/a.png", "Validation/a.png", "default/a.png", "Extra/a.png"]
    collection = _read(tmp_path, body, UnseenImages(names, SIZE_HW))
    assert not collection.left_out and not collection.notes
    assert [(i.file_name, i.regions[0].label, i.attributes.get("part")) for i in collection.images] == [
        ("Train/a.png", "benign", "train"),
        ("Validation/a.png", "malignant", "val"),
        ("default/a.png", "x", None),
        ("Extra/a.png", "y", "Extra"),
    ]
