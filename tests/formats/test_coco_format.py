"""COCO files to a Collection and back."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from repository import ROOT

from segtumor.annotations.coco import dataset_of
from segtumor.errors import DataError
from segtumor.formats import coco
from segtumor.formats.conversion.assemble import assemble
from segtumor.formats.sources.image_folder import ImageFolder
from segtumor.structures.masks import mask_from_rle, rle_from_mask, rle_from_segmentation

EXAMPLES = ROOT / "datasets" / "examples"
HOLED = np.zeros((4, 6), dtype=bool)
HOLED[0:4, 1:5] = True
HOLED[1:3, 2:4] = False
SQUARE = {"bbox": [1, 1, 2, 2], "segmentation": [[1, 1, 3, 1, 3, 3, 1, 3]]}


def _coco(*annotations, **more):
    numbered = [{"id": n, "image_id": 7, "category_id": 40, **a} for n, a in enumerate(annotations, start=1)]
    return {
        "images": [{"id": 7, "file_name": "a.png", "width": 6, "height": 4, "case_id": "c1", "license": 3}],
        "annotations": numbered,
        "categories": [{"id": 40, "name": "malignant", "supercategory": "x"}, {"id": 5, "name": "benign"}],
        **more,
    }


def _write(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def _images(tmp_path, size_hw=(4, 6), names=("a.png",)):
    folder = tmp_path / "images"
    folder.mkdir(exist_ok=True)
    for name in names:
        Image.fromarray(np.zeros(size_hw, dtype=np.uint8)).save(folder / name)
    return ImageFolder(folder)


def test_everything_but_the_ids_is_kept(tmp_path):
    mask = rle_from_mask(HOLED)
    fields = {"area": 3.5, "iscrowd": 1, "drawn_box": [1, 1, 3, 3], "reader": {"name": "B"}}
    path = _write(
        tmp_path / "x.json",
        _coco(SQUARE | fields, {"bbox": [1, 0, 4, 4], "segmentation": mask}, {"bbox": [0.1, 0, 2, 2]}),
    )
    collection = coco.read(path, _images(tmp_path))
    (image,) = collection.images
    assert collection.labels == ("benign", "malignant")
    assert (image.size_hw, image.attributes) == ((4, 6), {"case_id": "c1", "license": 3})
    first, second, third = image.regions
    assert (first.label, first.segmentation, first.box_xywh) == ("malignant", SQUARE["segmentation"], (1, 1, 2, 2))
    assert first.extra == fields
    assert np.array_equal(mask_from_rle(second.segmentation), HOLED)
    assert (third.segmentation, third.box_xywh) == (None, (0.1, 0, 2, 2))


@pytest.mark.parametrize("names", [("all",), ("train", "val")])
def test_a_folder_tells_the_part_if_it_has_several_files(tmp_path, names):
    for number, name in enumerate(names):
        document = _coco(SQUARE)
        document["images"][0]["file_name"] = f"{number}.png"
        _write(tmp_path / "annotations" / f"{name}.json", document)
    collection = coco.read(tmp_path, _images(tmp_path, names=[f"{n}.png" for n in range(len(names))]))
    assert [image.attributes.get("part") for image in collection.images] == ([None] if len(names) == 1 else [*names])


def test_one_image_in_two_parts_is_left_out(tmp_path):
    for name in ("train", "val"):
        _write(tmp_path / f"{name}.json", _coco(SQUARE))
    with pytest.raises(DataError, match="annotated several times, differently"):
        assemble(coco.read(tmp_path, _images(tmp_path)))


def test_an_unsound_file_is_refused_with_its_problems(tmp_path):
    broken = {"segmentation": [[1, 1, 3, 1, 3]]}
    with pytest.raises(DataError, match=r"(?s)x\.json: 24 problems:.*bbox: is missing.*14 more.*data check .*--fix"):
        coco.read(_write(tmp_path / "x.json", _coco(*[broken] * 12)), _images(tmp_path))


def test_an_image_that_is_not_there_is_left_out(tmp_path):
    document = _coco(SQUARE)
    document["images"].append({**document["images"][0], "id": 8, "file_name": "b.png"})
    collection = coco.read(_write(tmp_path / "x.json", document), _images(tmp_path))
    assert len(collection.images) == 1
    assert [remark[:2] for remark in collection.left_out] == [("b.png", "image listed but not in the folder")]


def test_outlines_are_scaled_to_the_image(tmp_path):
    counts = {"bbox": [1, 0, 4, 4], "segmentation": {"size": [4, 6], "counts": [5, 2, 17]}}
    path = _write(tmp_path / "x.json", _coco(SQUARE | {"area": 4, "drawn_box": [0, 1, 2, 3]}, counts))
    collection = coco.read(path, _images(tmp_path, (8, 12)))
    first, second = collection.images[0].regions
    assert (first.segmentation, first.box_xywh) == ([[2, 2, 6, 2, 6, 6, 2, 6]], (2, 2, 4, 4))
    assert first.extra == {"drawn_box": [0, 2, 4, 6]}
    small = mask_from_rle(rle_from_segmentation(counts["segmentation"], (4, 6)))
    assert np.array_equal(mask_from_rle(second.segmentation), np.kron(small, np.ones((2, 2))))
    assert collection.notes[0].kind == "outlines scaled to the size of the image"
    huge = _coco({"bbox": [0, 0, 9, 9], "segmentation": {"size": [10_000, 15_000], "counts": [0, 150_000_000]}})
    huge["images"][0] |= {"width": 15_000, "height": 10_000}
    left_out = coco.read(_write(tmp_path / "huge.json", huge), _images(tmp_path)).left_out
    assert left_out[0].kind == "outlines drawn on an image too large to scale them"
    turned = coco.read(path, _images(tmp_path, (6, 4)))
    assert turned.left_out[0].kind == "outlines drawn on an image of another shape"


def test_spacing_and_further_fields_in_pixels_are_scaled_too(tmp_path):
    lesion = SQUARE | {"keypoints": [1, 1, 2], "circle": [2, 2, 1]}
    document = _coco(lesion)
    document["images"][0]["spacing_mm"] = [0.4, 0.2]
    collection = coco.read(_write(tmp_path / "x.json", document), _images(tmp_path, (8, 12)))
    assert collection.images[0].attributes["spacing_mm"] == [0.2, 0.1]
    assert collection.images[0].regions[0].extra == {"keypoints": [2, 2, 2], "circle": [4, 4, 2]}


def test_a_nearly_square_image_that_was_turned_is_left_out(tmp_path):
    document = _coco(SQUARE)
    document["images"][0] |= {"width": 201, "height": 200}
    collection = coco.read(_write(tmp_path / "x.json", document), _images(tmp_path, (201, 200)))
    assert [remark.kind for remark in collection.left_out] == ["outlines drawn on an image of another shape"]


@pytest.mark.parametrize("nothing", [[], [[]], None, {}, ""])
def test_an_outline_of_nothing_is_a_box_that_may_become_its_outline(tmp_path, nothing):
    path = _write(tmp_path / "x.json", _coco(SQUARE | {"segmentation": nothing}))
    collection = coco.read(path, _images(tmp_path))
    assert collection.images[0].regions[0].segmentation is None
    (lesion,) = assemble(collection, boxes_as_masks=True).document["annotations"]
    assert (lesion["segmentation"], lesion["mask_from_box"]) == ([[1, 1, 3, 1, 3, 3, 1, 3]], True)


def test_recognises(tmp_path):
    sound = _write(tmp_path / "one" / "x.json", _coco())
    large = tmp_path / "large.json"
    large.write_text(json.dumps(_coco(categories=[{"id": 1, "name": "x" * 5_000_000}])))
    assert all(map(coco.recognises, (sound, sound.parent, large)))
    _write(tmp_path / "two" / "annotations" / "x.json", _coco())
    assert coco.recognises(tmp_path / "two")
    for number, other in enumerate(({"shapes": []}, [], {"images": [], "annotations": []}, {"images": 1})):
        assert not coco.recognises(_write(tmp_path / f"other{number}" / "x.json", other))
    assert not coco.recognises(tmp_path / "missing.json")


def test_the_example(tmp_path):
    collection = coco.read(EXAMPLES / "coco", ImageFolder(EXAMPLES / "images"))
    assert [len(image.regions) for image in collection.images] == [2, 1, 0]


def test_the_way_back_is_the_same_file(tmp_path):
    path = EXAMPLES / "coco" / "annotations.json"
    document = assemble(coco.read(path, ImageFolder(EXAMPLES / "images"))).document
    assert coco.write(dataset_of(document, EXAMPLES / "images"), tmp_path) == []
    written, original = json.loads((tmp_path / "annotations.json").read_text()), json.loads(path.read_text())
    assert written["images"] == original["images"]
    assert written["annotations"] == original["annotations"]
    assert [category["name"] for category in written["categories"]] == ["benign", "malignant"]
    coco.write(dataset_of(document, EXAMPLES / "images"), tmp_path / "named.json")
    assert coco.recognises(tmp_path / "named.json")


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**30), st.booleans())
def test_masks_and_boxes_come_back_exactly(tmp_path_factory, seed, compressed):
    tmp_path = tmp_path_factory.mktemp("coco")
    rng = np.random.default_rng(seed)
    mask = rng.random((4, 6)) < 0.6
    mask[0, 0] = True
    changes = np.flatnonzero(np.diff(mask.T.ravel().astype(int))) + 1
    runs = [0, *np.diff([0, *changes, mask.size]).tolist()]  # the first pixel is set, so no background before it
    rle = rle_from_mask(mask) if compressed else {"size": [4, 6], "counts": runs}
    box = [*rng.random(2).tolist(), *(rng.random(2) * 3 + 0.1).tolist()]
    path = _write(tmp_path / "x.json", _coco({"bbox": box, "segmentation": rle}, {"bbox": box}))
    first = coco.read(path, _images(tmp_path))
    coco.write(dataset_of(assemble(first).document, first.root), tmp_path / "back")
    second = coco.read(tmp_path / "back", _images(tmp_path)).images[0].regions
    assert np.array_equal(mask_from_rle(rle_from_segmentation(second[0].segmentation, (4, 6))), mask)
    assert [list(region.box_xywh) for region in second] == [box, box]


def test_folders_of_parts_as_roboflow_exports_them(tmp_path):
    for part, folder in (("train", "train"), ("val", "valid"), ("test", "test")):
        document = _coco(*([SQUARE] if part != "test" else []))
        document["categories"].insert(0, {"id": 0, "name": "tumors", "supercategory": "none"})
        for category in document["categories"][1:]:
            category["supercategory"] = "tumors"
        document["images"][0]["file_name"] = "a.png"
        _write(tmp_path / folder / "_annotations.coco.json", document)
        Image.fromarray(np.zeros((4, 6), dtype=np.uint8)).save(tmp_path / folder / "a.png")
    assert coco.recognises(tmp_path)
    collection = coco.read(tmp_path, ImageFolder(tmp_path))
    found = {image.file_name: (len(image.regions), image.attributes["part"]) for image in collection.images}
    assert found == {"train/a.png": (1, "train"), "valid/a.png": (1, "val"), "test/a.png": (0, "test")}
    assert collection.labels == ("benign", "malignant") and not collection.left_out
    assert [(note.kind, note.detail) for note in collection.notes] == [
        ("category never used, names the group of the others: no class", "tumors"),
        ("category never used", "benign"),
    ]


def test_an_image_of_one_part_is_not_given_to_another(tmp_path):
    document = _coco(SQUARE)
    document["images"][0]["file_name"] = "a.png"
    _write(tmp_path / "train" / "_annotations.coco.json", document)
    (tmp_path / "valid").mkdir()
    Image.fromarray(np.zeros((4, 6), dtype=np.uint8)).save(tmp_path / "valid" / "a.png")
    collection = coco.read(tmp_path, ImageFolder(tmp_path))
    assert collection.images == [] and collection.left_out[0].kind == "image listed but not in the folder"


@pytest.mark.parametrize(
    ("annotations", "image"),
    [
        ("{}2017/x.json", "{}2017/a.png"),
        ("{}_images/x.json", "{}_images/a.png"),
        ("{}/annotations/instances.json", "{}/images/a.png"),
        ("annotations/instances_{}.json", "images/{}/a.png"),
        ("annotations/instances_{}2017.json", "{}2017/a.png"),
        ("{}.json", "{}/a.png"),
    ],
)
@pytest.mark.parametrize("parts", [("train", "val"), ("Train", "Validation")])
def test_equal_names_of_two_parts_are_told_apart(tmp_path, annotations, image, parts):
    for part, annotation in zip(parts, (SQUARE, {**SQUARE, "category_id": 5}), strict=True):
        document = _coco(annotation)
        document["images"][0]["file_name"] = "a.png"
        _write(tmp_path / annotations.format(part), document)
        (tmp_path / image.format(part)).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 6), dtype=np.uint8)).save(tmp_path / image.format(part))
    assert coco.recognises(tmp_path)
    collection = coco.read(tmp_path, ImageFolder(tmp_path))
    found = {i.file_name: (i.attributes["part"], i.regions[0].label) for i in collection.images}
    first, second = map(image.format, parts)
    assert found == {first: ("train", "malignant"), second: ("val", "benign")} and not collection.left_out


def test_a_file_of_one_part_takes_no_image_from_the_folder_of_another(tmp_path):
    document = _coco(SQUARE)
    document["images"][0]["file_name"] = "a.png"
    _write(tmp_path / "annotations" / "instances_Train.json", document)
    (tmp_path / "images" / "Test").mkdir(parents=True)
    Image.fromarray(np.zeros((4, 6), dtype=np.uint8)).save(tmp_path / "images" / "Test" / "a.png")
    collection = coco.read(tmp_path, ImageFolder(tmp_path / "images"))
    assert collection.images == [] and "another part" in collection.left_out[0].detail
