"""YOLO label files to a collection and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from repository import ROOT

from segtumor.annotations.coco import dataset_of
from segtumor.annotations.remarks import kinds_of
from segtumor.errors import DataError
from segtumor.formats import yolo
from segtumor.formats.collection import Collection, Region, SourceImage
from segtumor.formats.conversion.assemble import assemble
from segtumor.formats.conversion.completion import add_unlisted
from segtumor.formats.sources.image_folder import ImageFolder
from segtumor.structures.masks import rle_from_mask, rle_from_segmentation

EXAMPLES = ROOT / "datasets" / "examples"
BOX = "0 0.5 0.5 0.25 0.4"
SIZE_HW = (10, 20)


def _make(root, files, images=("a.png", "b.png")):
    """Label files and others below ``root``, images of 20 x 10 px below ``root/images`` or where their names say."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    for name in images:
        path = root / name if "/" in name else root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (20, 10)).save(path)
    return ImageFolder(root if any("/" in name for name in images) else root / "images")


def _read(root, files, **kwargs):
    images = _make(root, {"classes.txt": "benign\nmalignant\n", **files}, **kwargs)
    return yolo.read(root, images)


def test_the_example_has_three_lesions():
    assert yolo.recognises(EXAMPLES / "yolo") and yolo.recognises(EXAMPLES / "yolo" / "data.yaml")
    images = ImageFolder(EXAMPLES / "images")
    collection = yolo.read(EXAMPLES / "yolo", images)
    add_unlisted(collection, images.names, images.size_hw, yolo.UNLISTED)
    assert collection.left_out == [] and len(collection.notes) == 1
    document = assemble(collection).document
    assert [image["image_label"] for image in document["images"]] == ["benign", "malignant", "normal"]
    expected = [[64.25, 28.25, 30.5, 27.5], [75.25, 118.25, 20.5, 26.5], [61.25, 117.25, 26.5, 22.5]]
    assert np.allclose([a["bbox"] for a in document["annotations"]], expected, atol=2e-4)
    assert [a["category_id"] for a in document["annotations"]] == [1, 1, 2]
    assert ["segmentation" in a for a in document["annotations"]] == [True, False, True]


@pytest.mark.parametrize("name", ["coco", "cvat", "labelme", "voc", "masks", "csv"])
def test_other_formats_are_not_claimed(name):
    assert not yolo.recognises(EXAMPLES / name)


def test_boxes_polygons_confidence_and_empty_files(tmp_path):
    text = f"{BOX}\n\n1 0 0 0.5 0 0.5 1\r\n{BOX} 0.75\n"
    collection = _read(tmp_path, {"labels/a.txt": text, "labels/b.txt": ""})
    first, second = collection.images
    assert first.regions[0] == Region("benign", None, (7.5, 3.0, 5.0, 4.0))
    assert first.regions[1] == Region("malignant", [[0, 0, 10, 0, 10, 10]])
    assert first.regions[2].extra == {"confidence": 0.75}
    assert second.regions == () and collection.labels == ("benign", "malignant")
    assert kinds_of(collection.notes) == {"boxes with a confidence: predictions rather than annotations?": 1}


LAYOUTS = {
    "labels/train": ({"labels/train/a.txt": BOX}, ("images/train/a.png",), ["train"]),
    "train/labels": (
        {"train/labels/a.b.txt": BOX, "valid/labels/a.b.txt": ""},
        ("train/images/a.b.png", "valid/images/a.b.png"),
        ["train", "val"],
    ),
    "flat": ({"a.txt": BOX, "README.dataset.txt": "words"}, ("./a.png",), [None]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout):
    files, names, parts = LAYOUTS[layout]
    collection = _read(tmp_path, files, images=names)
    assert yolo.recognises(tmp_path)
    assert [image.attributes.get("part") for image in collection.images] == parts
    assert collection.left_out == [] and len(collection.images[0].regions) == 1


def test_labels_of_another_part_are_not_given_to_an_image(tmp_path):
    files = {"train/labels/x.txt": BOX}
    collection = _read(tmp_path, files, images=("val/images/x.png",))
    assert collection.images == []
    assert {remark.image for remark in collection.left_out} == {"train/labels/x.txt", "val/images/x.png"}


def test_data_yaml_gives_parts_and_lists_normal_images(tmp_path):
    files = {"data.yaml": "train: images/one\nval: [../images/two]\nnames: {0: benign, 1: malignant}\n"}
    files |= {"labels/one/a.txt": BOX}
    names = ("images/one/a.png", "images/one/b.png", "images/two/c.png", "images/three/d.png")
    collection = yolo.read(tmp_path, _make(tmp_path, files, names))
    found = {image.file_name: (len(image.regions), image.attributes["part"]) for image in collection.images}
    expected = {"images/one/a.png": (1, "train"), "images/one/b.png": (0, "train"), "images/two/c.png": (0, "val")}
    assert found == expected
    assert kinds_of(collection.notes) == {"image without annotation, taken as normal": 2}


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("2 0.5 0.5 0.1 0.1", "class number without a name"),
        ("0 64 28 30 27", "coordinates are not in parts of the image's size; in px?"),
        ("0 0.1 0.2 0.3", "line that is not a class and its coordinates"),
        ("0 0.1 0.2 0.3 0.4 0.5 0.6 0.7", "line that is not a class and its coordinates"),
        ("0.5 0.5 0.5 0.1 0.1", "line that is not a class and its coordinates"),
        ("-1 0.5 0.5 0.1 0.1", "line that is not a class and its coordinates"),
        ("0 nan 0.5 0.1 0.1", "line that is not a class and its coordinates"),
        ("0 inf 0.5 0.1 0.1", "line that is not a class and its coordinates"),
        ("benign 0.5 0.5 0.1 0.1", "line that is not a class and its coordinates"),
        (b"\xff\xfe0", "line that is not a class and its coordinates"),
    ],
)
def test_an_image_whose_file_is_damaged_is_left_out_and_never_normal(tmp_path, line, kind):
    images = _make(tmp_path, {"classes.txt": "benign\nmalignant", "labels/a.txt": line, "labels/b.txt": BOX})
    collection = yolo.read(tmp_path, images)
    add_unlisted(collection, images.names, images.size_hw, yolo.UNLISTED)
    assert [image.file_name for image in collection.images] == ["b.png"]
    assert [(remark.image, remark.kind) for remark in collection.left_out] == [("a.png", kind)]


def test_labels_without_an_image_are_named(tmp_path):
    collection = _read(tmp_path, {"labels/z.txt": BOX})
    assert [(r.image, r.kind) for r in collection.left_out] == [("labels/z.txt", "image listed but not in the folder")]


def test_images_that_differ_in_their_suffix_are_not_taken_as_normal(tmp_path):
    images = _make(tmp_path, {"classes.txt": "benign", "labels/a.txt": BOX}, images=("a.png", "a.bmp"))
    collection = yolo.read(tmp_path, images)
    add_unlisted(collection, images.names, images.size_hw, yolo.UNLISTED)
    assert collection.images == [] and {r.image for r in collection.left_out} == {"labels/a.txt", "a.bmp", "a.png"}


def test_neither_names_nor_labels_are_errors(tmp_path):
    images = _make(tmp_path, {"labels/a.txt": BOX})
    with pytest.raises(DataError, match="no class names"):
        yolo.read(tmp_path, images)
    (tmp_path / "classes.txt").write_text("benign")
    (tmp_path / "labels" / "a.txt").unlink()
    with pytest.raises(DataError, match="no label file"):
        yolo.read(tmp_path, images)


def _written(root, images, collection):
    return yolo.write(dataset_of(assemble(collection).document, images.root), root / "out")


numbers = st.decimals("0.1", "0.9", places=8).map(lambda value: f"{value:f}".rstrip("0"))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.lists(numbers, min_size=4, max_size=4), st.lists(numbers, min_size=8, max_size=8))))
def test_files_of_eight_decimals_come_back_the_same(tmp_path_factory, lines):
    root = tmp_path_factory.mktemp("yolo")
    # A square keeps the outlines sound: an outline that crosses itself may have no area and is then dropped as stray.
    lines = [["0.2", "0.2", "0.8", "0.2", *line[4:6], "0.2", "0.8"] if len(line) == 8 else line for line in lines]
    text = "".join(" ".join(["1", *line]) + "\n" for line in lines)
    images = _make(root, {"data.yaml": "names: [benign, malignant]", "labels/a.txt": text})
    _written(root, images, yolo.read(root, images))
    assert (root / "out" / "labels" / "a.txt").read_text() == text


def test_what_is_written_is_read_back(tmp_path):
    mask = np.zeros(SIZE_HW, dtype=bool)
    mask[1:9, 2:12] = True
    mask[3:5, 4:6] = False
    regions = (Region("benign", rle_from_mask(mask)), Region('odd: "name"', None, (1, 2, 3, 4)))
    images = _make(tmp_path, {})
    collection = Collection(images.root, [SourceImage("a.png", SIZE_HW, regions), SourceImage("b.png", SIZE_HW)])
    remarks = _written(tmp_path, images, collection)
    assert set(kinds_of(remarks)) == {
        "holes or parts written as one outline with bridges",
        "boxes among outlines: training programs take the file as outlines",
    }
    first, second = yolo.read(tmp_path / "out", images).images
    assert rle_from_segmentation(first.regions[0].segmentation, SIZE_HW) == rle_from_mask(mask)
    assert [region.label for region in first.regions] == ["benign", 'odd: "name"']
    assert np.allclose(first.regions[1].box_xywh, (1, 2, 3, 4), atol=1e-8)
    assert second.regions == ()


def test_polygons_come_back_within_a_millionth_of_a_pixel(tmp_path):
    polygon = [1 / 3, 1.1, 7.123456789, 1, 7, 9]
    images = _make(tmp_path, {})
    _written(tmp_path, images, Collection(images.root, [SourceImage("a.png", SIZE_HW, (Region("x", [polygon]),))]))
    assert np.allclose(yolo.read(tmp_path / "out", images).images[0].regions[0].segmentation, [polygon], atol=1e-6)


def test_writing_names_an_image_whose_file_would_be_another_ones(tmp_path):
    images = _make(tmp_path, {}, images=("a.bmp", "a.png"))
    collection = Collection(images.root, [SourceImage("a.bmp", SIZE_HW), SourceImage("a.png", SIZE_HW)])
    assert [remark.image for remark in _written(tmp_path, images, collection)] == ["a.png"]


def test_key_points_are_dropped_and_told_and_the_box_is_kept(tmp_path):
    files = {"data.yaml": "names: [benign]\nkpt_shape: [2, 2]", "labels/a.txt": f"{BOX} 0.5 0.5 0.4 0.4\n{BOX}"}
    collection = yolo.read(tmp_path, _make(tmp_path, files))
    assert collection.images[0].regions == (Region("benign", None, (7.5, 3.0, 5.0, 4.0)),) * 2
    assert [tuple(note) for note in collection.notes] == [
        ("a.png", "key points dropped, their box is kept", "1 of 2 lines")
    ]


def test_outlines_of_equal_many_corners_are_told(tmp_path):
    line = "0 0.5 0.5 0.25 0.4 0.5 0.5 0.4 0.4 0.6 0.6\n"
    collection = _read(tmp_path, {"labels/a.txt": line * 3})
    assert [kind.partition(";")[0] for kind in kinds_of(collection.notes)] == ["all outlines have as many corners"]


def test_one_odd_line_among_the_first_files_is_named_and_not_another_format(tmp_path):
    files = {"labels/a.txt": f"{BOX}\n0 0.5 oops 0.1 0.1\n{BOX}", "labels/b.txt": BOX}
    images = _make(tmp_path, {"class_names.txt": "benign", **files})
    assert yolo.recognises(tmp_path)
    collection = yolo.read(tmp_path, images)
    assert [(r.image, r.detail) for r in collection.left_out] == [("a.png", "a.txt, line 2: 0 0.5 oops 0.1 0.1")]


@pytest.mark.parametrize("shape", ["4", "[4]", "[4, 5]", "[a, 2]"])
def test_a_kpt_shape_that_is_none(tmp_path, shape):
    images = _make(tmp_path, {"data.yaml": f"names: [benign]\nkpt_shape: {shape}", "labels/a.txt": BOX})
    with pytest.raises(DataError, match="kpt_shape cannot be read"):
        yolo.read(tmp_path, images)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_labels_and_names_with_a_mark(tmp_path, encoding):
    files = {"classes.txt": "良性".encode(encoding), "labels/a.txt": BOX.encode(encoding)}
    images = _make(tmp_path, files)
    assert yolo.recognises(tmp_path)
    collection = yolo.read(tmp_path, images)
    assert [region.label for region in collection.images[0].regions] == ["良性"] and not collection.left_out
