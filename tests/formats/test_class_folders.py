"""Images in a folder for each class: to a collection without outlines, and to a data set for classifiers."""

import json

import pytest
from PIL import Image

from segtumor.annotations.coco import load_coco
from segtumor.commands.data import convert, split
from segtumor.errors import DataError
from segtumor.formats import class_folders
from segtumor.formats.sources.image_folder import ImageFolder
from segtumor.formats.table import detect_format


def tree(folder, *names):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (20, 10), number).save(path)
    return folder


@pytest.mark.parametrize(
    ("name", "label", "part"),
    [
        ("benign/a.png", "benign", None),
        ("Non-Tumor/a.png", "normal", None),
        ("healthy/a.png", "normal", None),
        ("train/Viable/a.png", "Viable", "train"),
        ("Viable/valid/a.png", "Viable", "val"),
        ("centre 1/Viable/a.png", "Viable", None),
    ],
)
def test_what_a_path_says(tmp_path, name, label, part):
    source = tree(tmp_path, name, "other/b.png")
    assert class_folders.recognises(source) and detect_format(source) == "class-folders"
    image = next(i for i in class_folders.read(source, ImageFolder(source)).images if i.file_name == name)
    assert (image.attributes["image_label"], image.attributes.get("part"), image.regions) == (label, part, ())


@pytest.mark.parametrize(
    "names",
    [
        ("a.png", "b.png"),  # no folders
        ("benign/a.png", "benign/b.png"),  # one class
        ("train/a.png", "test/b.png"),  # parts, not classes
        ("images/a.png", "masks/a.png"),
        ("benign/a.png", "malignant/b.png", "c.png"),  # one belongs to none
    ],
)
def test_other_folders_are_not_taken_for_classes(tmp_path, names):
    assert not class_folders.recognises(tree(tmp_path, *names))


def test_beside_annotation_files_folders_mean_something_else(tmp_path):
    source = tree(tmp_path, "benign/a.png", "malignant/b.png")
    (source / "notes.json").write_text("{}")
    assert not class_folders.recognises(source)


def test_one_class_teaches_nothing(tmp_path):
    source = tree(tmp_path, "benign/a.png", "benign/b.png")
    with pytest.raises(DataError, match=r"of one class.*benign"):
        class_folders.read(source, ImageFolder(source))


def test_what_cannot_be_read_or_lies_in_no_folder_is_reported(tmp_path):
    source = tree(tmp_path, "benign/a.png", "malignant/b.png", "c.png")
    (source / "benign" / "d.png").write_bytes(b"no picture")
    collection = class_folders.read(source, ImageFolder(source))
    assert {remark.image for remark in collection.left_out} == {"c.png", "benign/d.png"}


def test_from_folders_to_the_parts_of_a_data_set(tmp_path, capsys):
    names = [f"{label}/{number}.png" for label in ("Normal", "Benign", "MALIGNANT") for number in range(10)]
    source = tree(tmp_path / "source", *names)
    assert convert.main(["--source", str(source), "--output", str(tmp_path / "coco")]) == 0
    said = capsys.readouterr().out
    assert "malignant      10" in said
    annotations = tmp_path / "coco" / "annotations" / "all.json"
    dataset = load_coco(annotations)
    assert dataset.taxonomy.names == ("benign", "malignant")
    argv = ["--annotations", str(annotations), "--output", str(tmp_path / "set"), "--kind", "image"]
    assert split.main(argv) == 0
    parts = {}
    for part in ("train", "val", "test"):
        images = json.loads((tmp_path / "set" / "annotations" / f"{part}.json").read_text())["images"]
        labels = [image["image_label"] for image in images]
        parts[part] = {label: labels.count(label) for label in set(labels)}
    assert parts["train"] == dict.fromkeys(("normal", "benign", "malignant"), 7)


def test_a_tumour_without_outline_is_still_an_error_where_others_have_one(tmp_path):
    document = {
        "categories": [{"id": 1, "name": "benign"}, {"id": 2, "name": "malignant"}],
        "images": [
            {"id": 1, "file_name": "a.png", "width": 20, "height": 10, "image_label": "benign"},
            {"id": 2, "file_name": "b.png", "width": 20, "height": 10, "image_label": "malignant"},
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [1, 1, 8, 8],
                "area": 64,
                "iscrowd": 0,
                "segmentation": [[1, 1, 9, 1, 9, 9, 1, 9]],
            }
        ],
    }
    (tmp_path / "mixed.json").write_text(json.dumps(document))
    tree(tmp_path, "a.png", "b.png")
    with pytest.raises(DataError, match=r"mixed\.json"):
        load_coco(tmp_path / "mixed.json", image_root=tmp_path)
