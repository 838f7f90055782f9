"""Tables of readers: three kinds, and what is refused."""

import pytest

from segtumor.annotations.reader_marks import BOXES, CASE_LABELS, IMAGE_LABELS, read_reader_marks
from segtumor.errors import DataError
from segtumor.structures.lesions import AnnotatedImage

CLASSES = ("benign", "malignant")
IMAGES = (
    AnnotatedImage(1, "a/one.png", (10, 20), (), {"case_id": "c1"}),
    AnnotatedImage(2, "a/two.png", (10, 20), (), {"case_id": "c1"}),
    AnnotatedImage(3, "three.png", (10, 20), (), {"case_id": "c2"}),
)


def read(tmp_path, text, **options):
    path = tmp_path / "readers.csv"
    path.write_text(text, encoding="utf-8")
    return read_reader_marks(path, IMAGES, CLASSES, **options)


def test_boxes_of_two_readers(tmp_path):
    table = """reader,image,x0,y0,x1,y1,label,confidence
A,one.png,1,2,5,6,benign,0.4
A,one.png,2,2,9,9,malignant,0.9
A,a/two.png,,,,,,
A,three,,,,,normal,
B,one,0,0,4,4,,
B,two.png,,,,,,
B,three.png,3,3,8,8,,
"""
    first, second = read(tmp_path, table)
    assert (first.name, first.kind, first.with_classes, first.with_confidence) == ("A", BOXES, True, True)
    assert [(f.class_id, f.score, f.box_xyxy) for f in first.findings[1]] == [
        (1, 0.9, (2, 2, 9, 9)),
        (0, 0.4, (1, 2, 5, 6)),
    ]
    assert first.findings[2] == first.findings[3] == ()
    assert (second.with_classes, second.with_confidence) == (False, False)
    assert [f.score for f in second.findings[3]] == [1.0]


def test_labels_of_images(tmp_path):
    (reader,) = read(tmp_path, "reader,file_name,label\nA,one,Tumor\nA,two,malignant\nA,three,normal\n")
    assert reader.kind == IMAGE_LABELS and not reader.with_classes
    assert [(i, len(found)) for i, found in sorted(reader.findings.items())] == [(1, 1), (2, 1), (3, 0)]
    assert reader.findings[2][0].class_id == 1
    assert reader.findings[1][0].box_xyxy == (0, 0, 20, 10)


def test_a_label_of_a_case_goes_to_all_its_images(tmp_path):
    (reader,) = read(tmp_path, "reader,case_id,label\nA,c1,tumor\nA,c2,normal\n")
    assert reader.kind == CASE_LABELS
    assert [len(reader.findings[i]) for i in (1, 2, 3)] == [1, 1, 0]


@pytest.mark.parametrize("cell", ["None", ""])
def test_an_image_without_a_case_is_no_case(tmp_path, cell):
    path = tmp_path / "readers.csv"
    path.write_text(f"reader,case_id,label\nA,{cell},tumor\n", encoding="utf-8")
    images = [AnnotatedImage(1, "one.png", (10, 20), (), {"case_id": None}), AnnotatedImage(2, "two.png", (10, 20), ())]
    with pytest.raises(DataError, match="not annotated"):
        read_reader_marks(path, images, CLASSES, unlisted="normal")


@pytest.mark.parametrize(
    ("corners", "cut", "n_cut"),
    [
        ("-1,0,21,10.5", (0, 0, 20, 10), 0),  # rounded outwards
        ("-3,2,5,6", (0, 2, 5, 6), 1),
        ("2,5,8,15", (2, 5, 8, 10), 1),
        ("2,0,8,10", (2, 0, 8, 10), 0),
    ],
)
def test_marks_dragged_past_the_edge_are_cut_if_half_of_them_is_inside(tmp_path, corners, cut, n_cut):
    (reader,) = read(tmp_path, f"reader,image,x0,y0,x1,y1\nA,one,{corners}\nA,two,,,,\nA,three,,,,\n")
    assert reader.findings[1][0].box_xyxy == cut
    assert reader.n_cut == n_cut


def test_images_that_a_reader_does_not_mention(tmp_path):
    table = "reader,image,x0,y0,x1,y1\nA,one.png,1,2,5,6\nA,three.png,,,,\n"
    with pytest.raises(DataError, match="does not mention 1 annotated images"):
        read(tmp_path, table)
    (left_out,), (normal,) = (read(tmp_path, table, unlisted=what) for what in ("leave-out", "normal"))
    assert sorted(left_out.findings) == [1, 3]
    assert left_out.unlisted_ids == normal.unlisted_ids == (2,)
    assert [len(normal.findings[i]) for i in (1, 2, 3)] == [1, 0, 0]


@pytest.mark.parametrize(
    ("table", "remedy"),
    [
        ("reader,image,x0,y0,x1,y1\nA,one.png,1,2,5,6\nA,three,1,2,5,6\n", "a row without corners for each image"),
        ("reader,image,label\nA,one.png,tumor\n", "a row with the label normal for each image"),
        ("reader,case_id,label\nA,c1,tumor\n", "a row with the label normal for each case"),
    ],
)
def test_positive_calls_alone_are_not_compared(tmp_path, table, remedy):
    with pytest.raises(DataError, match="would compare positive calls only.* Add " + remedy):
        read(tmp_path, table, unlisted="leave-out")


def test_nothing_is_left_out_where_every_image_is_marked(tmp_path):
    table = "reader,case_id,label\nA,c1,tumor\nA,c2,tumor\n"
    assert read(tmp_path, table, unlisted="leave-out")[0].unlisted_ids == ()


def test_all_wrong_rows_are_told_at_once(tmp_path):
    lines = ["A,nine,1,2,5,6,", "A,one,5,2,1,6,", "A,two,1,2,5,6,70", *["A,one,0,0,90,90,"] * 8]
    with pytest.raises(DataError) as caught:
        read(tmp_path, "\n".join(["reader,image,x0,y0,x1,y1,confidence", *lines, ""]))
    told = str(caught.value).splitlines()
    assert told[0].endswith("readers.csv: 11 mistakes:") and len(told) == 12
    assert told[1] == "  row 2: marks something that is not annotated (got nine)"
    assert told[3] == "  row 4: confidence is no probability (got 70; expected 0 to 1)"
    assert "... and 1 more. Divide it by the top of its scale, such as 100 for percent. Scale marks" in told[-1]


def test_labels_of_a_case_that_stand_there_twice_are_told_by_the_case(tmp_path):
    with pytest.raises(DataError, match="rows 2, 4: c1 has several labels of one reader") as caught:
        read(tmp_path, "reader,case_id,label\nA,c1,tumor\nA,c2,normal\nA,c1,tumor\n")
    assert ".png" not in str(caught.value)
    with pytest.raises(DataError, match="rows 2, 3: c1 is called normal in one row and tumor in another"):
        read(tmp_path, "reader,case_id,label\nA,c1,tumor\nA,c1,normal\n")


def test_semicolons_and_blank_rows_of_a_spreadsheet(tmp_path):
    table = "reader;image;x0;y0;x1;y1;confidence\nA;one;1,5;2;5;6;0,9\n;;;;;;\nA;two;;;;;\nA;three;;;;;\n"
    (reader,) = read(tmp_path, table)
    assert [(f.score, f.box_xyxy) for f in reader.findings[1]] == [(0.9, (1.5, 2, 5, 6))]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("image,label\none,normal\n", "columns missing: reader"),
        ("reader\nA\n", "not a table of readers"),
        ("reader,image,label\n", "the table has no reader"),
        ("reader,image,label\n,,\n", "the table has no reader"),
        ("reader,image,label\n,one,normal\n", "the reader has no name"),
        ("reader,image,label\nA,four,normal\n", "not annotated"),
        ("reader,case_id,label\nA,c9,normal\n", "not annotated"),
        ("reader,image,label\nA,one,\n", "no label"),
        ("reader,image,label\nA,one,sarcoma\n", "unknown label"),
        ("reader,image,label,confidence\nA,one,tumor,1.5\n", "0 to 1\\). Divide it by the top of its scale"),
        ("reader,image,label,confidence\nA,one,tumor,nan\n", "confidence is no probability"),
        ("reader,image,label\nA,one,tumor\nA,one.png,normal\n", "normal in one row and tumor in another"),
        ("reader,image,label\nA,one,tumor\nA,one.png,tumor\n", "several labels of one reader"),
        ("reader,image,x0,y0,x1,y1\nA,one,5,2,1,6\n", "malformed box"),
        ("reader,image,x0,y0,x1,y1\nA,one,5,2,,6\n", "malformed box"),
        ("reader,image,x0,y0,x1,y1,label\nA,one,1,2,5,6,normal\n", "a box on what is called normal"),
        ("reader,image,x0,y0,x1,y1,label\nA,one,,,,,benign\n", "a tumor without a box"),
        ("reader,image,x0,y0,x1,y1\nA,one,1000,1000,1200,1200\n", "for the most part outside of a/one.png"),
        ("reader,image,x0,y0,x1,y1\nA,one,-6,2,5,6\n", "20 wide and 10 high"),
        ("reader,image,x0,y0,x1,y1\nA,one,1,2,5,19\n", "most part outside"),
        ("reader,case_id,x0,y0,x1,y1\nA,c1,1,2,5,6\n", "boxes without a column of images"),
    ],
)
def test_bad_tables_are_refused(tmp_path, table, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, table, unlisted="normal")
