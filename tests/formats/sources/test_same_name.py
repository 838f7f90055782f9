"""A file of the same name in another folder is another file: in every format, whichever way its names are written."""

import json

import pytest
from PIL import Image

from segtumor.annotations.coco import dataset_of
from segtumor.formats.collection import Collection, Region, SourceImage
from segtumor.formats.conversion.assemble import assemble
from segtumor.formats.sources.image_folder import OTHER_FOLDER, UNNAMED_FOLDER, ImageFolder
from segtumor.formats.table import FORMATS, load_format

ABSENT = {"image listed but not in the folder", "mask without an image"}
WRITABLE = [name for name in FORMATS if hasattr(load_format(name), "write")]
every_format = pytest.mark.parametrize("name", WRITABLE)


def _annotated(folder, name, file_names):
    """A data set of that format below ``folder``, with a lesion on each of the images."""
    regions = (Region("malignant", [[10, 10, 30, 10, 30, 25]]),)
    collection = Collection(folder, [SourceImage(file_name, (40, 50), regions) for file_name in file_names])
    load_format(name).write(dataset_of(assemble(collection).document, folder), folder)
    return folder


def _images(folder, file_names):
    for name in file_names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (50, 40)).save(folder / name)
    return ImageFolder(folder)


def _read(tmp_path, name, annotated, present):
    source = _annotated(tmp_path / "set", name, annotated)
    return load_format(name).read(source, _images(tmp_path / "pictures", present))


@every_format
@pytest.mark.parametrize("present", ["patient2/IM0001.png", "patient2/study/IM0001.png", "patient10/IM0001.png"])
def test_the_outline_of_one_patient_never_comes_to_another(tmp_path, name, present):
    collection = _read(tmp_path, name, ["patient1/IM0001.png"], [present, "patient3/IM0002.png"])
    assert not any(image.regions for image in collection.images)
    assert {remark.kind for remark in collection.left_out if "IM0001" in remark.image} & ABSENT


@every_format
@pytest.mark.parametrize(
    ("annotated", "present", "told"),
    [
        ("patient1/IM0001.png", "patient1/IM0001.png", False),
        ("patient1/IM0001.png", "export/patient1/IM0001.png", False),
        ("patient1/IM0001.png", "IM0001.png", True),
        ("IM0001.png", "patient2/IM0001.png", True),
    ],
)
def test_a_folder_that_only_one_side_names_is_told(tmp_path, name, annotated, present, told):
    collection = _read(tmp_path, name, [annotated], [present])
    assert [(image.file_name, len(image.regions)) for image in collection.images] == [(present, 1)]
    kinds = (OTHER_FOLDER, UNNAMED_FOLDER)
    assert any(remark.kind.startswith(kinds) for remark in collection.notes) == told


@every_format
def test_two_patients_and_one_file(tmp_path, name):
    source = _annotated(tmp_path / "set", name, ["patient1/IM0001.png", "patient2/IM0001.png"])
    images = _images(tmp_path / "pictures", ["IM0001.png"])
    collection = load_format(name).read(source, images)
    assert list(images.contested()) == ["IM0001.png"] or not any(image.regions for image in collection.images)


def test_what_the_file_says_beside_the_bare_name_counts(tmp_path):
    images = _images(tmp_path / "pictures", ["patient2/IM0001.png"])
    path = r"C:\export\patient1\IM0001.png"
    (tmp_path / "IM0001.xml").write_text(
        f"<annotation><filename>IM0001.png</filename><path>{path}</path><object><name>benign</name><bndbox><xmin>1</xmin>"
        "<ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
    )
    json_text = json.dumps({"imagePath": path, "imageHeight": 40, "imageWidth": 50, "shapes": []})
    (tmp_path / "IM0001.json").write_text(json_text)
    for name in ("voc", "labelme"):
        collection = load_format(name).read(tmp_path / f"IM0001.{'xml' if name == 'voc' else 'json'}", images)
        assert not collection.images and collection.left_out[0].kind == "image listed but not in the folder"
