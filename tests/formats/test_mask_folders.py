"""Folders of mask images to a collection and back."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image, ImageFilter
from repository import ROOT
from scipy.ndimage import label as scipy_label

from segtumor.annotations.coco import dataset_of
from segtumor.annotations.remarks import kinds_of
from segtumor.errors import DataError
from segtumor.formats import masks
from segtumor.formats.collection import Collection, Region, SourceImage
from segtumor.formats.conversion.assemble import assemble
from segtumor.formats.masks.pixels import component_rles
from segtumor.formats.sources.image_folder import ImageFolder, usual_image_root
from segtumor.structures.masks import mask_from_rle, rle_area, rle_from_mask

EXAMPLES = ROOT / "datasets" / "examples"
SIZE_HW = (8, 12)

RING = np.zeros(SIZE_HW, dtype=np.uint8)
RING[1:6, 1:6] = 1
RING[3, 3] = 0
TWO = RING.copy()
TWO[6, 6] = 1  # touches the ring at a corner: 8-connected, one lesion
TWO[1:4, 9:11] = 1


def _save(path, picture, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(path, **kwargs)


def _images(root, names=("a.png", "b.png")):
    """Images of 12 x 8 px below ``root/images``."""
    for name in names:
        _save(root / "images" / name, np.full(SIZE_HW, 90, dtype=np.uint8))
    return ImageFolder(root / "images")


def _read(root, files, classes=None, names=("a.png", "b.png")):
    for name, picture in files.items():
        _save(root / "masks" / name, picture)
    if classes is not None:
        (root / "classes.txt").write_text(classes)
    return masks.read(root, _images(root, names))


def _pixels(collection):
    """{file name: [(label, mask), ...]}."""
    return {
        image.file_name: [(region.label, mask_from_rle(region.segmentation)) for region in image.regions]
        for image in collection.images
    }


def test_the_example_has_three_lesions():
    assert masks.recognises(EXAMPLES / "masks")
    collection = masks.read(EXAMPLES / "masks", ImageFolder(EXAMPLES / "images"))
    assert collection.left_out == collection.notes == []
    document = assemble(collection).document
    assert [image["image_label"] for image in document["images"]] == ["benign", "malignant", "normal"]
    expected = [[64, 28, 31, 28], [75, 118, 21, 27], [61, 117, 27, 23]]
    assert np.allclose([a["bbox"] for a in document["annotations"]], expected, atol=1)
    assert [a["category_id"] for a in document["annotations"]] == [1, 1, 2]


@pytest.mark.parametrize("name", ["coco", "cvat", "labelme", "voc", "yolo", "csv", "images", "coco/annotations.json"])
def test_other_formats_and_radiographs_are_not_claimed(name):
    assert not masks.recognises(EXAMPLES / name)


def _palette(values):
    picture = Image.fromarray(values, "L").convert("P")
    picture.putdata(values.ravel().tolist())
    picture.putpalette([200, 200, 200, 0, 0, 0, 7, 7, 7])  # the brighter gray is the background
    return picture


ENCODINGS = {
    "0 and 1": TWO,
    "0 and 255": TWO * 255,
    "16 bits": TWO.astype(np.uint16) * 40000,
    "1 bit": Image.fromarray(TWO.astype(bool)),
    "palette": _palette(TWO),
    "gray as RGB": np.repeat(TWO[..., None] * 255, 3, axis=2),
    "opaque RGBA": np.dstack([TWO * 255] * 3 + [np.full(SIZE_HW, 255, np.uint8)]),
    "painted on a transparent layer": np.dstack([np.full(SIZE_HW, 255, np.uint8)] * 3 + [TWO * 255]),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_binary_masks_give_their_parts_however_they_are_stored(tmp_path, encoding, suffix):
    collection = _read(tmp_path, {f"a_mask{suffix}": ENCODINGS[encoding], "b.png": TWO * 0})
    found = _pixels(collection)
    assert [label for label, _ in found["a.png"]] == ["lesion", "lesion"] and found["b.png"] == []
    assert np.array_equal(sum(mask for _, mask in found["a.png"]), TWO)
    assert collection.left_out == collection.notes == []


def test_parts_agree_with_scipy():
    rng = np.random.default_rng(5)
    for share in (0.0, 0.2, 0.5, 1.0):
        mask = rng.random((20, 30)) < share
        labels, count = scipy_label(mask, np.ones((3, 3)))
        expected = [rle_from_mask(labels == number)["counts"] for number in range(1, count + 1)]
        assert sorted(rle["counts"] for rle in component_rles(mask)) == sorted(expected)


def test_smoothed_and_jpeg_masks_are_cut_at_half(tmp_path):
    big = Image.fromarray(TWO * 255).resize((120, 80))
    smooth = big.filter(ImageFilter.GaussianBlur(1))
    for name in ("a.png", "b.png", "c.png"):
        _save(tmp_path / "images" / name, np.zeros((80, 120), np.uint8))
    _save(tmp_path / "masks" / "a.png", smooth)
    _save(tmp_path / "masks" / "b.jpg", big, quality=80)
    _save(tmp_path / "masks" / "c.jpg", Image.new("L", (120, 80)))
    collection = masks.read(tmp_path, ImageFolder(tmp_path / "images"))
    found = _pixels(collection)
    for name in ("a.png", "b.png"):
        got, wanted = sum(mask for _, mask in found[name]), np.asarray(big) > 127
        assert (got & wanted).sum() / (got | wanted).sum() > 0.97
    assert found["c.png"] == []
    assert {"smoothed mask cut at half", "JPEG mask cut at half"} <= set(kinds_of(collection.notes))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_classes_stored_as_gray_are_not_taken_for_a_smoothed_mask(tmp_path, suffix):
    values = np.kron(np.array([[0, 40, 80], [128, 200, 255]], np.uint8), np.ones((20, 20), np.uint8))
    _save(tmp_path / "images" / "a.png", values)
    _save(tmp_path / "masks" / f"a{suffix}", values)
    collection = masks.read(tmp_path, ImageFolder(tmp_path / "images"))
    assert kinds_of(collection.left_out) == {"mask of several values without the names of their classes": 1}


def test_a_label_map_needs_names(tmp_path):
    values = TWO.copy()
    values[1:4, 9:11] = 2
    collection = _read(tmp_path, {"a.png": values})
    assert collection.images == []
    assert collection.left_out[0].kind == "mask of several values without the names of their classes"
    found = _pixels(_read(tmp_path, {"a.png": values}, "benign\nmalignant\n"))["a.png"]
    assert [label for label, _ in found] == ["benign", "malignant"]
    collection = _read(tmp_path, {"a.png": values * 3}, "3 benign\n")
    assert collection.images == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "background\nbenign\nother mt\n"),
        ("classes.txt", "0 background\n1: benign\n2 other mt"),
        ("class_names.txt", "_background_\nbenign\nother mt\n"),
        ("class_names.txt", "__ignore__\n_background_\nbenign\nother mt\n"),
        ("labels.json", '["_background_", "benign", "other mt"]'),
        ("labels.json", '{"1": "benign", "2": "other mt"}'),
        ("labels.json", '{"benign": 1, "other mt": 2}'),
        ("_classes.csv", "Pixel Value, Class\n0, background\n1, benign\n2, other mt\n"),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\nbenign:86,180,233::\nother mt:9,9,9::"),
    ],
)
def test_lists_of_classes(tmp_path, name, text):
    values = TWO.copy()
    values[1:4, 9:11] = 2
    (tmp_path / name).write_text(text)
    collection = _read(tmp_path, {"a.png": values})
    assert collection.labels == ("benign", "other mt")
    assert [label for label, _ in _pixels(collection)["a.png"]] == ["benign", "other mt"]


def test_colors_need_a_labelmap(tmp_path):
    colors = np.zeros((*SIZE_HW, 3), dtype=np.uint8)
    colors[RING > 0] = (86, 180, 233)
    assert _read(tmp_path, {"a.png": colors}).left_out[0].kind == "mask in colours without a list of them"
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\nbenign:86,180,233::\n")
    ((label, mask),) = _pixels(_read(tmp_path, {"a.png": colors}))["a.png"]
    assert label == "benign" and np.array_equal(mask, RING)


@pytest.mark.parametrize(
    ("names", "classes", "labels"),
    [
        (["a_1.png", "a_2.png"], None, ["lesion", "lesion"]),
        (["a_benign_1.png", "a_malignant_2.png"], None, ["benign", "malignant"]),
        (["a_other-mt_1.png", "a_benign_2.png"], "benign\nother mt", ["benign", "other mt"]),
        (["a/x.png", "a/y.png"], None, ["lesion", "lesion"]),
        (["a/benign_1.png", "a/malignant_1.png"], None, ["benign", "malignant"]),
        (["a_mask_1.png", "a_2_mask.png"], None, ["lesion", "lesion"]),
    ],
)
def test_one_file_per_lesion_keeps_overlaps_and_parts(tmp_path, names, classes, labels):
    first, second = TWO * 255, np.full(SIZE_HW, 255, dtype=np.uint8)
    found = _pixels(_read(tmp_path, dict(zip(names, (first, second), strict=True)), classes))["a.png"]
    assert sorted(label for label, _ in found) == labels
    assert sorted(int(mask.sum()) for _, mask in found) == [int(TWO.sum()), 96]


def test_ambiguous_names_leave_both_images_out(tmp_path):
    collection = _read(tmp_path, {"a_1.png": RING, "a_2.png": RING}, names=("a.png", "a_1.png"))
    assert collection.images == []
    assert {(r.image, r.kind) for r in collection.left_out} == {
        ("a.png", "mask could belong to several images"),
        ("a_1.png", "mask could belong to several images"),
    }


def test_an_exact_name_is_not_ambiguous_where_every_image_has_its_own(tmp_path):
    found = _pixels(_read(tmp_path, {"a.png": RING, "a_1.png": TWO}, names=("a.png", "a_1.png")))
    assert {name: len(lesions) for name, lesions in found.items()} == {"a.png": 1, "a_1.png": 2}


def test_both_kinds_of_mask_for_one_image_leave_it_out(tmp_path):
    collection = _read(tmp_path, {"a.png": RING, "a_1.png": RING, "b.png": RING})
    assert [image.file_name for image in collection.images] == ["b.png"]
    assert collection.left_out[0].kind.startswith("several masks of the whole image")


def test_masks_beside_the_images_are_known_by_their_suffix(tmp_path):
    images = _images(tmp_path)
    _save(tmp_path / "images" / "a_mask.png", RING * 255)
    _save(tmp_path / "images" / "b_seg_1.png", RING * 255)
    assert masks.recognises(tmp_path / "images")
    found = _pixels(masks.read(tmp_path / "images", ImageFolder(tmp_path / "images")))
    assert {name: len(lesions) for name, lesions in found.items()} == {"a.png": 1, "b.png": 1}
    assert not masks.recognises(images.root / "nothing")


def test_parts_by_folders(tmp_path):
    for part in ("train", "valid"):
        _save(tmp_path / part / "images" / "x.png", np.zeros(SIZE_HW, np.uint8))
        _save(tmp_path / part / "masks" / "x.png", RING)
    collection = masks.read(tmp_path, ImageFolder(tmp_path))
    assert [(image.file_name, image.attributes["part"]) for image in collection.images] == [
        ("train/images/x.png", "train"),
        ("valid/images/x.png", "val"),
    ]


def test_another_size_is_scaled_and_another_shape_left_out(tmp_path):
    doubled = np.kron(RING, np.ones((2, 2), dtype=np.uint8))
    collection = _read(tmp_path, {"a.png": doubled, "b.png": RING.T.copy()})
    ((_, mask),) = _pixels(collection)["a.png"]
    assert np.array_equal(mask, RING)
    assert kinds_of(collection.notes) == {"mask scaled to the size of the image": 1}
    assert kinds_of(collection.left_out) == {"outlines drawn on an image of another shape": 1}


def test_tiny_parts_and_a_mask_of_everything_are_told(tmp_path):
    tiny = RING.copy()
    tiny[7, 11] = 1
    collection = _read(tmp_path, {"a.png": tiny, "b.png": np.full(SIZE_HW, 255, np.uint8)})
    assert set(kinds_of(collection.notes)) == {"lesions of less than 4 px", "mask marks the whole image"}
    assert [len(image.regions) for image in collection.images] == [2, 1]


def test_masks_without_an_image_and_empty_lesions_are_named(tmp_path):
    collection = _read(tmp_path, {"z.png": RING, "a_1.png": RING * 0, "b_benign_1.png": RING}, "malignant")
    assert collection.images == []
    assert {(r.image, r.kind) for r in collection.left_out} == {
        ("masks/z.png", "mask without an image"),
        ("a.png", "mask of a lesion marks no pixel"),
        ("b.png", "class in a file name is not in the list of classes"),
    }


def _png_header_only(width, height):
    data = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + data + struct.pack(">I", zlib.crc32(b"IHDR" + data))
    return b"\x89PNG\r\n\x1a\n" + chunk


def _flipped_byte():
    buffer = io.BytesIO()
    Image.fromarray(RING * 255).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[data.index(b"IDAT") + 8] ^= 4
    return bytes(data)


@pytest.mark.parametrize(
    "data", [b"", b"text", _png_header_only(60_000, 60_000), _png_header_only(12, 8), _flipped_byte()]
)
def test_bombs_and_damaged_masks_are_left_out(tmp_path, data):
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "a.png").write_bytes(data)
    collection = _read(tmp_path, {"b.png": RING})
    assert [image.file_name for image in collection.images] == ["b.png"]
    assert [(r.image, r.kind) for r in collection.left_out] == [("a.png", "mask cannot be read")]


def test_no_mask_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no mask"):
        masks.read(tmp_path, _images(tmp_path))


def _back(root, images, collection):
    """({file name: (label, mask) ...} after writing and reading, Remarks of the writing)."""
    document = json.loads(json.dumps(assemble(collection).document))
    remarks = masks.write(dataset_of(document, images.root), root / "out")
    again = masks.read(root / "out", images)
    assert again.left_out == [] and again.labels == tuple(c["name"] for c in document["categories"])
    return _pixels(again), remarks


@settings(max_examples=15, deadline=None)
@given(st.lists(npst.arrays(bool, SIZE_HW).filter(np.any), min_size=1, max_size=3))
def test_holes_parts_and_overlaps_come_back_to_the_pixel(tmp_path_factory, lesions):
    root = tmp_path_factory.mktemp("masks")
    labels = ["other bt", "grade 2/3", "other bt"]
    regions = tuple(Region(name, rle_from_mask(mask)) for name, mask in zip(labels, lesions, strict=False))
    collection = Collection(root, [SourceImage("a.png", SIZE_HW, regions), SourceImage("b.png", SIZE_HW)])
    found, remarks = _back(root, _images(root), collection)
    key = lambda lesion: (lesion[0], lesion[1].tobytes())  # noqa: E731
    expected = sorted(zip(labels, lesions, strict=False), key=key)
    got = sorted(found["a.png"], key=key)
    assert [label for label, _ in got] == [label for label, _ in expected] and found["b.png"] == [] and not remarks
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(got, expected, strict=True))


def test_names_that_could_be_confused_come_back(tmp_path):
    names = ("x.png", "x_benign.png", "x_benign_1.png", "sub/x.png", "sub/x_benign_1.png")
    images = _images(tmp_path, names)
    region = Region("benign", rle_from_mask(RING))
    lesions = {"x.png": 2, "x_benign.png": 1, "x_benign_1.png": 0, "sub/x.png": 0, "sub/x_benign_1.png": 1}
    collection = Collection(tmp_path, [SourceImage(n, SIZE_HW, (region,) * count) for n, count in lesions.items()])
    found, _ = _back(tmp_path, images, collection)
    assert {name: len(regions) for name, regions in found.items()} == lesions


def test_names_too_long_for_a_file_come_back(tmp_path):
    names = ("x" * 251 + ".png", "b.png")
    labels = ("con", "c" * 255, "c" * 254 + "d", "骨肉瘤", "a/b", "a:b")
    regions = tuple(Region(label, rle_from_mask(RING)) for label in labels)
    collection = Collection(tmp_path, [SourceImage(name, SIZE_HW, regions) for name in names])
    found, _ = _back(tmp_path, _images(tmp_path, names), collection)
    assert {name: sorted(label for label, _ in lesions) for name, lesions in found.items()} == {
        name: sorted(labels) for name in names
    }


def test_writing_names_what_has_no_mask(tmp_path):
    images = _images(tmp_path, ("a.png", "b.png", "c.png"))
    polygon, box = Region("benign", [[1, 1, 5, 1, 5, 5]]), Region("benign", None, (1, 1, 3, 3))
    collection = Collection(
        tmp_path,
        [SourceImage("a.png", SIZE_HW, (polygon,)), SourceImage("b.png", SIZE_HW, (polygon, box))],
    )
    found, remarks = _back(tmp_path, images, collection)
    assert list(found) == ["a.png"]
    assert [(r.image, r.kind) for r in remarks] == [
        ("a.png", "outlines cut to whole pixels"),
        ("b.png", "left out: a box alone has no mask"),
    ]


def _voc(values):
    picture = Image.fromarray(values.astype(np.uint8), "P")
    palette = np.zeros((256, 3), np.uint8)
    palette[1:5], palette[255] = [[128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]], [224, 224, 192]
    picture.putpalette(palette.ravel().tolist())
    return picture


def _class_map(values=(1, 2, 3, 4), ignored=255, size=40):
    """Squares of the classes, flat, each with a border of what is to be ignored; and one such square."""
    made = np.zeros((size, size), np.uint16 if ignored > 255 else np.uint8)
    for index, value in enumerate((*values, ignored)):
        row, column = divmod(index, 3)
        made[row * 13 : row * 13 + 10, column * 13 : column * 13 + 10] = ignored
        made[row * 13 + 1 : row * 13 + 9, column * 13 + 1 : column * 13 + 9] = value
    return made


CLASS_MAPS = {
    "gray": (_class_map(), 255),
    "palette": (_voc(_class_map()), 255),
    "254": (_class_map(ignored=254), 254),
    "16 bits": (_class_map(ignored=65535), 65535),
    "two classes": (_class_map((1, 2)), 255),
    "instances": (_class_map(range(1, 9)), 255),
}


def _read_large(tmp_path, files, **texts):
    for name, values in files.items():
        _save(tmp_path / "images" / name, np.zeros((40, 40), np.uint8))
        _save(tmp_path / "masks" / name, values)
    for name, text in texts.items():
        (tmp_path / "masks" / f"{name}.txt").write_text(text)
    return masks.read(tmp_path, ImageFolder(tmp_path / "images"))


@pytest.mark.parametrize("name", CLASS_MAPS)
def test_classes_without_names_are_never_taken_for_a_smoothed_mask(tmp_path, name):
    collection = _read_large(tmp_path, {"a.png": CLASS_MAPS[name][0]})
    assert collection.images == []
    assert kinds_of(collection.left_out) == {"mask of several values without the names of their classes": 1}


@pytest.mark.parametrize("name", CLASS_MAPS)
def test_what_is_to_be_ignored_is_no_lesion_and_told(tmp_path, name):
    names = "\n".join(f"{number} class{number}" for number in range(1, 9))
    values, ignored = CLASS_MAPS[name]
    collection = _read_large(tmp_path, {"a.png": values}, class_names=names)
    labels = sorted(region.label for region in collection.images[0].regions)
    assert labels == [f"class{n}" for n in np.unique(np.asarray(values)) if 0 < n < 200]
    assert all(int(mask.sum()) == 64 for _, mask in _pixels(collection)["a.png"])
    assert [(n.kind, n.detail) for n in collection.notes] == [
        ("mask value without a class, taken as to be ignored", str(ignored))
    ]


@pytest.mark.parametrize("names", ["tumor", "0 background\n1 tumor\n255 ignore", "1 tumor\n255 void"])
def test_one_class_beside_what_is_to_be_ignored(tmp_path, names):
    collection = _read_large(tmp_path, {"a.png": _class_map((1,)), "b.png": _class_map((), 255)}, classes=names)
    assert [(region.label, rle_area(region.segmentation)) for region in collection.images[0].regions] == [("tumor", 64)]
    assert [(r.image, r.kind) for r in collection.left_out] == [("b.png", "mask marks only what is to be ignored")]


def test_a_value_that_the_list_names_is_a_class(tmp_path):
    collection = _read_large(tmp_path, {"a.png": _class_map((1,))}, classes="1 benign\n255 malignant")
    assert {region.label for region in collection.images[0].regions} == {"benign", "malignant"}


def test_masks_of_nothing_but_what_is_to_be_ignored_are_left_out(tmp_path):
    names = "1 benign\n2 malignant"
    collection = _read_large(tmp_path, {"a.png": _class_map(()), "b.png": _class_map((1,))}, classes=names)
    assert [image.file_name for image in collection.images] == ["b.png"]
    assert [(r.image, r.kind) for r in collection.left_out] == [("a.png", "mask marks only what is to be ignored")]
    collection = _read_large(tmp_path / "voc", {"a.png": _voc(_class_map(()))})
    assert [(r.image, r.kind) for r in collection.left_out] == [("a.png", "mask marks only what is to be ignored")]


@pytest.mark.parametrize("others", [(2,), (1, 2)])
def test_a_mask_of_one_class_among_masks_of_several_is_not_binary(tmp_path, others):
    one = np.where(_class_map((1,), 1) > 0, 1, 0).astype(np.uint8)
    other = np.where(_class_map(others, others[-1]) > 0, _class_map(others, others[-1]), 0).astype(np.uint8)
    collection = _read_large(tmp_path, {"a.png": one, "b.png": other})
    assert collection.images == []
    assert kinds_of(collection.left_out) == {"mask of several values without the names of their classes": 2}


def test_binary_masks_of_several_tools_go_together(tmp_path):
    square = (_class_map((1,), 1) > 0).astype(np.uint8)
    collection = _read_large(tmp_path, {"a.png": square, "b.png": square * 255})
    assert [len(image.regions) for image in collection.images] == [2, 2] and not collection.left_out


@pytest.mark.parametrize("labels", [{"background": 0, "benign": 1, "malignant": 2}, {"1": "benign", "2": "malignant"}])
@pytest.mark.parametrize(("source", "root"), [("", "imagesTr"), ("labelsTr", "imagesTr"), ("labelsTr", "")])
def test_names_and_classes_of_nnunet(tmp_path, labels, source, root):
    for name in ("r1_0000", "r1_0001", "r2_0000"):
        _save(tmp_path / "imagesTr" / f"{name}.png", np.zeros((40, 40), np.uint8))
    _save(tmp_path / "labelsTr" / "r1.png", _class_map((1, 2), 2))
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "xray"}, "labels": labels}))
    assert masks.recognises(tmp_path / source)
    collection = masks.read(tmp_path / source, ImageFolder(tmp_path / root))
    (image,) = collection.images
    assert image.file_name.endswith("r1_0000.png") and {r.label for r in image.regions} == {"benign", "malignant"}
    assert [(note.image[-11:], note.kind) for note in collection.notes] == [
        ("r1_0001.png", "further channel of an image of nnU-Net, not used")
    ]
    assert usual_image_root(tmp_path / "labelsTr").name == "imagesTr"


def test_a_training_mask_of_nnunet_is_not_given_to_a_test_image_of_its_name(tmp_path):
    _save(tmp_path / "imagesTs" / "r1_0000.png", np.zeros((40, 40), np.uint8))
    _save(tmp_path / "labelsTr" / "r1.png", _class_map((1,), 1))
    collection = masks.read(tmp_path / "labelsTr", ImageFolder(tmp_path))
    assert collection.images == [] and kinds_of(collection.left_out) == {"mask of another part than the image": 1}


def test_a_damaged_mask_among_the_first_does_not_hide_the_others(tmp_path):
    square = (_class_map((1,), 1) > 0).astype(np.uint8)
    _read_large(tmp_path, {"a.png": square, "b.png": square})
    damaged = tmp_path / "masks" / "a.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    assert masks.recognises(tmp_path)
    collection = masks.read(tmp_path, ImageFolder(tmp_path / "images"))
    assert [image.file_name for image in collection.images] == ["b.png"]
    assert kinds_of(collection.left_out) == {"mask cannot be read": 1}
