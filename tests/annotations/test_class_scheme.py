"""Classes joined and normal images left out, on a file one can check by eye."""

import json

import pytest

from segtumor.annotations.class_scheme import ClassScheme
from segtumor.annotations.coco import load_coco
from segtumor.errors import ConfigError, DataError

#: Name of an image, its label, and the category ids of its lesions.
IMAGES = (("a", "normal", ()), ("b", "benign", (7,)), ("c", "Malignant ", (9, 7)), ("d", None, ()), ("e", None, (3,)))


def document():
    image = {"width": 8, "height": 8}
    images = [
        {"id": i, "file_name": f"{name}.png", **image, **({"image_label": label} if label else {})}
        for i, (name, label, _) in enumerate(IMAGES, start=1)
    ]
    lesion = {"bbox": [1, 1, 4, 4], "area": 16, "iscrowd": 0, "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]]}
    pairs = [(i, category) for i, (_, _, found) in enumerate(IMAGES, start=1) for category in found]
    annotations = [{"id": n, "image_id": i, "category_id": c, **lesion} for n, (i, c) in enumerate(pairs, start=1)]
    names = {9: "malignant", 3: "cyst", 7: "benign"}
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i, "name": name} for i, name in names.items()],
    }


def load(tmp_path, *pairs, normal=True):
    path = tmp_path / "all.json"
    path.write_text(json.dumps(document()))
    scheme = ClassScheme.parse(pairs, normal=normal, where="--class")
    return load_coco(path, tmp_path, check_files=False, scheme=scheme)


@pytest.mark.parametrize(
    ("pairs", "names", "classes", "labels"),
    [
        ((), ("cyst", "benign", "malignant"), [1, 2, 1, 0], ["normal", "benign", "malignant", None, None]),
        (("cyst=benign",), ("benign", "malignant"), [0, 1, 0, 0], ["normal", "benign", "malignant", None, None]),
        (
            ("cyst=tumour", "benign=tumour", " malignant = tumour"),
            ("tumour",),
            [0, 0, 0, 0],
            ["normal", "tumour", "tumour", None, None],
        ),
        (("malignant=benign",), ("cyst", "benign"), [1, 1, 1, 0], ["normal", "benign", "benign", None, None]),
    ],
)
def test_classes_are_joined(tmp_path, pairs, names, classes, labels):
    dataset = load(tmp_path, *pairs)
    assert dataset.taxonomy.names == names
    assert [lesion.class_id for image in dataset.annotated_images for lesion in image.lesions] == classes
    assert [record.get("image_label") for record in dataset.records] == labels
    assert [len(record["annotations"]) for record in dataset.records] == [0, 1, 2, 0, 1]


def test_normal_images_are_left_out(tmp_path):
    dataset = load(tmp_path, normal=False)
    assert [image["file_name"] for image in dataset.images] == ["b.png", "c.png", "e.png"]


def test_a_label_that_was_no_class_gives_way_to_the_lesions():
    """Subtypes joined to graded entities: the file calls the image of a giant cell tumour benign."""
    names = ("osteochondroma", "giant cell tumor", "osteosarcoma")
    box = {"bbox": [0, 0, 4, 4], "area": 16}
    coco = {
        "categories": [{"id": n, "name": name} for n, name in enumerate(names, start=1)],
        "images": [
            {"id": 1, "image_label": "benign"},
            {"id": 2, "image_label": "benign"},
            {"id": 3, "image_label": "malignant"},
            {"id": 4, "image_label": "normal"},
        ],
        "annotations": [{"id": n, "image_id": n, "category_id": n, **box} for n in (1, 2, 3)],
    }
    graded = dict(zip(names, ("benign", "intermediate", "malignant"), strict=True))
    made = ClassScheme(graded).apply(coco, where="all.json")
    assert [image["image_label"] for image in made["images"]] == ["benign", "intermediate", "malignant", "normal"]
    assert [category["name"] for category in made["categories"]] == ["benign", "intermediate", "malignant"]


def test_an_image_label_alone_makes_a_tumour():
    coco = {**document(), "annotations": []}
    kept = ClassScheme(normal=False).apply(coco, where="all.json")["images"]
    assert [image["file_name"] for image in kept] == ["b.png", "c.png"]


def test_the_file_is_not_changed():
    before = document()
    ClassScheme({"benign": "tumour"}, normal=False).apply(before, where="all.json")
    assert before == document()


@pytest.mark.parametrize("pair", ["benign", "=tumour", "benign=", "benign=normal"])
def test_what_joins_nothing_is_refused(pair):
    with pytest.raises(ConfigError, match="LABEL=CLASS"):
        ClassScheme.parse([pair], where="--class")
    with pytest.raises(ConfigError, match="each label once"):
        ClassScheme.parse(["benign=a", "benign=b"], where="--class")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no such class to join.*osteoma.*benign"):
        load(tmp_path, "osteoma=tumour")
    normal = {**document(), "annotations": [], "images": document()["images"][:1]}
    with pytest.raises(DataError, match="every image is normal"):
        ClassScheme(normal=False).apply(normal, where="all.json")
