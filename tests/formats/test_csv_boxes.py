"""Tables of boxes to a Collection and back."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from repository import ROOT

from segtumor.annotations.coco import dataset_of
from segtumor.annotations.flat_polygons import box_corners, box_from_corners
from segtumor.errors import DataError
from segtumor.formats import csv_boxes
from segtumor.formats.conversion.assemble import assemble
from segtumor.formats.sources.image_folder import ImageFolder

EXAMPLES = ROOT / "datasets" / "examples"


def _read(tmp_path, text, size_hw=(20, 30), names=("a.png", "b.png")):
    (tmp_path / "images").mkdir(exist_ok=True)
    for name in names:
        Image.fromarray(np.zeros(size_hw, dtype=np.uint8)).save(tmp_path / "images" / name)
    path = tmp_path / "boxes.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return csv_boxes.read(path, ImageFolder(tmp_path / "images"))


def _boxes(collection):
    return [(image.file_name, r.label, r.box_xywh) for image in collection.images for r in image.regions]


ONE = [("a.png", "benign", (2.5, 3, 10, 4))]


@pytest.mark.parametrize(
    "text",
    [
        "image,label,xmin,ymin,xmax,ymax\na.png,benign,2.5,3,12.5,7\n",
        "\ufeffFileName,Class,X_Min,Y_Min,X_Max,Y_Max\r\na.png,benign,2.5,3,12.5,7\r\n",
        "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,30,20,benign,2.5,3,12.5,7\n",
        "image_id,class_name,x1,y1,x2,y2\na,benign,2.5,3,12.5,7\n",
        "path;x;y;w;h;name\nC:\\x\\a.png;2,5;3;10;4,0;benign\n",
        "image\tcategory\tx\ty\twidth\theight\na.png\tbenign\t2.5\t3\t10\t4\n",
        'image_id,width,height,bbox,label\na,30,20,"[2.5, 3.0, 10.0, 4.0]",benign\n',
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\na.png,benign,2.5,3,10,4,,,\n",
        "x,y,w,h,width,height,image,label\n2.5,3,10,4,30,20,a.png,benign\n",
        "images/a.png,2.5,3,12.5,7,benign\n",
        "image,label,xmin,ymin,xmax,ymax\n\na.png, benign ,2.5,3,12.5,7,\n"[:-2] + "\n",
    ],
)
def test_the_usual_headers(tmp_path, text):
    assert _boxes(_read(tmp_path, text)) == ONE
    assert csv_boxes.recognises(tmp_path / "boxes.csv") and csv_boxes.recognises(tmp_path)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("image,a,b,c,d,label", "xmin, ymin, xmax, ymax"),
        ("image,xmin,ymin,xmax,ymax", "a column label"),
        ("image_id,center,age,label", "not a table of boxes"),
        ("image,label,xmin,ymin,xmax,ymax,x,y,w,h", "duplicate boxes"),
        ("image,label,label,x1,y1,x2,y2", "duplicate columns: label"),
    ],
)
def test_other_headers_are_refused(tmp_path, header, expected):
    with pytest.raises(DataError, match=expected):
        _read(tmp_path, f"{header}\n" + ",".join("1" * len(header.split(","))))
    assert not csv_boxes.recognises(tmp_path / "boxes.csv")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("image,label,x1,y1,x2,y2\nä.png,benign,1,2,3,4".encode("cp1252"), "not UTF-8"),
        ("image,label,x1,y1,x2,y2\n".encode("utf-16"), "not UTF-8"),
        (b"", "the table is empty"),
        (b'image,label,x1,y1,x2,y2\n"a', "not readable as CSV"),
        (b"image,label,x1,y1,x2,y2\n" + b"a" * 200_000, "not readable as CSV"),
        (b"image,label,x1,y1,x2,y2\na.png,x,0.1,0.2,0.5,1", "between 0 and 1"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, data, expected):
    with pytest.raises(DataError, match=expected):
        _read(tmp_path, data)


HEADER = "image,label,x1,y1,x2,y2\n"


@pytest.mark.parametrize(
    ("rows", "left_out"),
    [
        ("a.png,,,,,", None),
        ("a.png,No finding,,,,\na.png,No finding,,,,", None),
        ("a.png,benign,,,,", "no usable row"),
        ("a.png,,1,2,3,4", "no usable row"),
        ("a.png,benign,3,2,1,4", "no usable row"),
        ("a.png,benign,nan,2,1e9,4", "no usable row"),
        ("a.png,benign,1,2,1e9,4", "no usable row"),
        ("a.png,benign,1,2,3,4,5", "no usable row"),
        ("a.png,benign,1,2,3,4\na.png,,,,,", "rows say both normal and a box"),
        ("c.png,benign,1,2,3,4", "image listed but not in the folder"),
        (",benign,1,2,3,4", "row without an image"),
    ],
)
def test_normal_images_and_rows_that_say_nothing_certain(tmp_path, rows, left_out):
    collection = _read(tmp_path, HEADER + rows)
    if left_out is None:
        assert [image.regions for image in collection.images] == [()] and collection.left_out == []
    else:
        assert collection.images == [] and collection.left_out[0].kind == left_out


def test_an_unusable_row_and_a_repeated_one_are_told(tmp_path):
    collection = _read(tmp_path, HEADER + "a.png,x,1,2,3,4\na,x,1,2,3,4\na.png,x,?,2,3,4\n")
    assert _boxes(collection) == [("a.png", "x", (1, 2, 2, 2))]
    assert [(r.kind, r.detail) for r in collection.notes] == [
        ("found with another file name suffix", "a"),
        ("row not usable", "line 4 has a box that is not four numbers: ?, 2, 3, 4"),
        ("row repeats an earlier box", "1 of 2"),
    ]


def test_further_columns_become_fields_where_all_rows_agree(tmp_path):
    header = "image,label,x1,y1,x2,y2,Case ID,Age,gender,view,reader,split,id\n"
    rows = (
        "a.png,x,1,2,3,4,c1,12,female,frontal; lateral,A,valid,1\na.png,x,5,6,7,8,c1,12,F,frontal;lateral,B,valid,2\n"
    )
    collection = _read(tmp_path, header + rows + "b.png,,,,,\n")
    first, second = (image.attributes for image in collection.images)
    assert first == {"case_id": "c1", "age": 12, "sex": "F", "view": ["frontal", "lateral"], "part": "val"}
    assert second == {}
    assert [remark[1:] for remark in collection.notes] == [
        ("columns not kept", "id"),
        ("columns differ between the rows of the image, not kept", "reader"),
    ]


def test_several_tables_tell_the_part(tmp_path):
    _read(tmp_path, HEADER + "a.png,x,1,2,3,4\n")
    (tmp_path / "valid").mkdir()
    (tmp_path / "boxes.csv").rename(tmp_path / "train.csv")
    (tmp_path / "valid" / "_annotations.csv").write_text(HEADER + "b.png,x,1,2,3,4\n")
    (tmp_path / "cases.csv").write_text("image_id,case_id\na,1\n")
    collection = csv_boxes.read(tmp_path, ImageFolder(tmp_path / "images"))
    assert {image.file_name: image.attributes["part"] for image in collection.images} == {
        "a.png": "train",
        "b.png": "val",
    }


def test_boxes_are_scaled_to_the_image(tmp_path):
    header = "image,width,height,label,x1,y1,x2,y2\n"
    collection = _read(tmp_path, header + "a.png,60,40,x,2,4,6,8\nb.png,40,60,x,2,4,6,8\n")
    assert _boxes(collection) == [("a.png", "x", (1, 2, 2, 2))]
    assert collection.left_out[0][:2] == ("b.png", "outlines drawn on an image of another shape")


def test_the_example(tmp_path):
    collection = csv_boxes.read(EXAMPLES / "csv", ImageFolder(EXAMPLES / "images"))
    assert [(image.file_name, len(image.regions)) for image in collection.images] == [
        ("case1_benign.png", 2),
        ("case2_malignant.png", 1),
        ("case3_normal.png", 0),
    ]
    assert _boxes(collection)[2] == ("case2_malignant.png", "malignant", (61, 117, 27, 23))


def test_outlines_are_lost_on_the_way_to_a_table_and_it_is_told(tmp_path):
    document = assemble(csv_boxes.read(EXAMPLES / "csv", ImageFolder(EXAMPLES / "images"))).document
    assert csv_boxes.write(dataset_of(document, EXAMPLES / "images"), tmp_path) == []
    again = csv_boxes.read(tmp_path, ImageFolder(EXAMPLES / "images"))
    assert assemble(again).document == document
    document["annotations"][0]["segmentation"] = [[64, 28, 95, 28, 95, 56]]
    lost = csv_boxes.write(dataset_of(document, EXAMPLES / "images"), tmp_path / "named.csv")
    assert [remark[:2] for remark in lost] == [("case1_benign.png", "outline left out, the format holds boxes only")]
    assert (tmp_path / "named.csv").read_text() == (tmp_path / "boxes.csv").read_text()


@settings(max_examples=100, deadline=None)
@given(*[st.decimals(0, 1000, places=10)] * 2, *[st.decimals("0.0000000001", 1000, places=10)] * 2)
def test_corners_of_ten_decimals_come_back_exactly(x, y, width, height):
    corners = tuple(map(float, (x, y, x + width, y + height)))
    assert box_corners(box_from_corners(corners)) == corners


NUMBERS = st.floats(0, 100, allow_subnormal=False).map(lambda value: value if value > 1e-3 else 0.0)
EXTENTS = st.floats(0.01, 100)


@settings(max_examples=100, deadline=None)
@given(NUMBERS, NUMBERS, EXTENTS, EXTENTS)
def test_corners_with_every_digit_come_back_to_the_last_bit_or_but_one(x, y, width, height):
    corners = (x, y, x + width, y + height)
    back = box_corners(box_from_corners(corners))
    assert all(abs(mine - theirs) <= math.ulp(theirs) for mine, theirs in zip(back, corners, strict=True))


@settings(max_examples=100, deadline=None)
@given(*[st.decimals(0, 1000, places=6)] * 2, *[st.decimals("0.000001", 1000, places=6)] * 2)
def test_boxes_of_six_decimals_come_back_exactly(x, y, width, height):
    box = tuple(map(float, (x, y, width, height)))
    assert box_from_corners(box_corners(box)) == box


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS, EXTENTS, EXTENTS), min_size=1, max_size=5, unique=True))
def test_boxes_come_back_exactly_whatever_their_numbers(tmp_path_factory, boxes):
    tmp_path = tmp_path_factory.mktemp("csv")
    boxes = [*boxes, (1, 2, 3, 4)]  # none of them would look like shares of the size
    images = [{"id": 1, "file_name": "a.png", "width": 250, "height": 250}]
    annotations = [{"id": n, "image_id": 1, "category_id": 1, "bbox": list(box)} for n, box in enumerate(boxes, 1)]
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "a, b"}]}
    csv_boxes.write(dataset_of(document, tmp_path), tmp_path)
    collection = _read(tmp_path, (tmp_path / "boxes.csv").read_text(), (250, 250), ("a.png",))
    assert _boxes(collection) == [("a.png", "a, b", box) for box in boxes]
    with open(tmp_path / "boxes.csv", newline="") as file:
        assert [float(row["xmin"]) for row in csv.DictReader(file)] == [box[0] for box in boxes]


def test_a_fault_stays_one_beside_further_columns(tmp_path):
    Image.new("L", (20, 10)).save(tmp_path / "a.png")
    (tmp_path / "boxes.csv").write_text("image,label,x1,y1,x2,y2,age,sex\na.png,benign,1,1,nan,5,12,X\n")
    collection = csv_boxes.read(tmp_path / "boxes.csv", ImageFolder(tmp_path))
    assert [(r.image, r.kind) for r in collection.left_out] == [("a.png", "no usable row")]


def test_a_turned_box_is_not_taken_for_one_that_lies_straight(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("L", (20, 10)).save(images / name)
    table = tmp_path / "boxes.csv"
    table.write_text("image,label,x1,y1,x2,y2,angle\na.png,benign,1,1,9,5,30\nb.png,benign,1,1,9,5,0\n")
    collection = csv_boxes.read(table, ImageFolder(images))
    assert [image.file_name for image in collection.images] == ["b.png"]
    assert "line 2 has a box turned by 30" in collection.left_out[0].detail
