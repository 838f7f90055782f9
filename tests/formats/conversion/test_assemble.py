"""From regions to a sound COCO object. The pictures are 10 x 10 px; the squares can be checked by eye."""

from pathlib import Path

import numpy as np
import pytest

from segtumor.annotations.problems import ERROR
from segtumor.annotations.remarks import LeftOutError
from segtumor.annotations.validation import find_problems
from segtumor.errors import ConfigError, DataError
from segtumor.formats.collection import NORMAL, NOT_ANNOTATED, Collection, Region, SourceImage
from segtumor.formats.conversion.assemble import assemble
from segtumor.formats.conversion.completion import add_unlisted, drop_labels
from segtumor.structures.masks import rle_from_mask

SQUARE = [1.0, 1, 5, 1, 5, 5, 1, 5]
FLAT = [1.0, 1, 5, 5, 9, 9]
OUTSIDE = [20.0, 20, 25, 20, 25, 25]
SIZE_HW = (10, 10)


def ring():
    mask = np.zeros(SIZE_HW, dtype=bool)
    mask[2:7, 3:9] = True
    mask[4, 5] = False
    return rle_from_mask(mask)


def collection(*images, labels=()):
    return Collection(Path("somewhere"), [SourceImage(name, SIZE_HW, regions) for name, regions in images], labels)


def polygon(label, points=SQUARE, **more):
    return Region(label, [points], **more)


def kinds(remarks):
    return [(remark.image, remark.kind) for remark in remarks]


def test_ids_boxes_areas_and_labels():
    done = assemble(collection(("b.png", (polygon("Malignant"),)), ("a.png", ()), ("c.png", (polygon("benign "),))))
    assert [(i["id"], i["file_name"], i["image_label"]) for i in done.document["images"]] == [
        (1, "a.png", "normal"),
        (2, "b.png", "malignant"),
        (3, "c.png", "benign"),
    ]
    assert [(a["id"], a["image_id"], a["category_id"], a["bbox"], a["area"]) for a in done.document["annotations"]] == [
        (1, 2, 2, [1, 1, 4, 4], 16),
        (2, 3, 1, [1, 1, 4, 4], 16),
    ]
    assert (done.left_out, done.notes) == ([], [])


def test_a_mask_with_a_hole_keeps_it():
    done = assemble(collection(("a.png", (Region("benign", ring()),))))
    (annotation,) = done.document["annotations"]
    assert annotation["segmentation"] == ring()
    assert (annotation["bbox"], annotation["area"]) == ([3, 2, 6, 5], 29)


def test_boxes_stay_as_they_were_drawn():
    region = polygon("benign", box_xywh=(0.5, 0.5, 5.25, 5.0))
    (annotation,) = assemble(collection(("a.png", (region,)))).document["annotations"]
    assert (annotation["bbox"], annotation["area"]) == ([0.5, 0.5, 5.25, 5.0], 16)


@pytest.mark.parametrize(
    ("boxes_as_masks", "outline", "told"), [(False, None, 1), (True, [[1, 2, 4, 2, 4, 6, 1, 6]], 0)]
)
def test_a_box_alone(boxes_as_masks, outline, told):
    source = collection(("a.png", (Region("benign", box_xywh=(1, 2, 3, 4)),)))
    done = assemble(source, boxes_as_masks=boxes_as_masks)
    (annotation,) = done.document["annotations"]
    assert annotation.get("segmentation") == outline
    assert annotation.get("mask_from_box", False) == boxes_as_masks
    assert len(done.notes) == told


@pytest.mark.parametrize(
    ("labels", "used", "classes", "expected"),
    [
        ((), ["malignant", "benign"], {}, ["benign", "malignant"]),
        ((), ["malignant"], {}, ["benign", "malignant"]),  # ours, complete, so that parts of one study agree
        ((), ["cyst", "Abscess"], {}, ["Abscess", "cyst"]),
        (("cyst", "tumour", "abscess"), ["abscess"], {}, ["cyst", "tumour", "abscess"]),  # the format's own order
        ((), ["cyst", "CYST ", "cyst"], {}, ["cyst"]),
        ((), ["OsteoSarcoma"], {}, ["osteosarcoma"]),
        ((), ["osteosarcoma", "cyst"], {"Osteosarcoma": "malignant", "cyst": "benign"}, ["benign", "malignant"]),
    ],
)
def test_classes(labels, used, classes, expected):
    images = [(f"{number}.png", (polygon(label),)) for number, label in enumerate(used)]
    done = assemble(collection(*images, labels=labels), classes=classes)
    assert [category["name"] for category in done.document["categories"]] == expected
    assert len(done.document["annotations"]) == len(used)


def test_a_joined_label_is_kept_beside_its_class():
    done = assemble(collection(("a.png", (polygon("Osteosarcoma"),))), classes={"osteosarcoma": "malignant"})
    (annotation,), (image,) = done.document["annotations"], done.document["images"]
    assert (annotation["label"], annotation["subtype"]) == ("Osteosarcoma", "osteosarcoma")
    assert (image["image_label"], image["subtype"]) == ("malignant", "osteosarcoma")


def test_a_class_for_a_label_that_is_not_there_is_a_mistake():
    with pytest.raises(ConfigError, match=r"no annotation has this label.*sarcoma.*expected one of cyst"):
        assemble(collection(("a.png", (polygon("cyst"),))), classes={"sarcoma": "malignant"})


@pytest.mark.parametrize(
    ("regions", "lesions", "left_out", "notes"),
    [
        ((polygon("benign"), polygon("benign", FLAT)), 1, [], ["stray outline dropped"]),
        ((polygon("benign"), polygon("benign", [1.0, 1, 2, 2])), 1, [], ["stray outline dropped"]),
        ((polygon("benign", FLAT),), None, ["annotation not usable"], []),
        ((polygon("benign"), polygon("benign", OUTSIDE)), None, ["annotation not usable"], []),
        ((polygon("benign", [1.0, 1, 5, 1, float("nan"), 5]),), None, ["annotation not usable"], []),
        ((Region("benign", {"size": [10, 10], "counts": [3, 4]}),), None, ["annotation not usable"], []),
        ((Region("benign", {"size": [9, 10], "counts": [3, 87]}),), None, ["annotation not usable"], []),
        ((Region("benign"),), None, ["annotation without an outline or a box"], []),
        ((Region(" ", [SQUARE]), polygon("benign")), None, ["annotation without a label"], []),
    ],
)
def test_what_cannot_be_used_is_left_out_with_its_image(regions, lesions, left_out, notes):
    done = assemble(collection(("a.png", regions), ("ok.png", (polygon("benign"),))))
    assert not [p for p in find_problems(done.document) if p.severity == ERROR]
    assert len(done.document["annotations"]) == (lesions or 0) + 1
    assert kinds(done.left_out) == [("a.png", kind) for kind in left_out]
    assert kinds(done.notes) == [("a.png", kind) for kind in notes]


def test_nothing_left_is_an_error_that_says_why():
    with pytest.raises(DataError, match=r"no image can be used.*annotation not usable \(1\)"):
        assemble(collection(("a.png", (polygon("benign", FLAT),))))


def test_an_image_annotated_twice():
    same = ("a.png", (polygon("benign"),))
    alike = assemble(collection(same, same))
    assert len(alike.document["images"]) == 1
    assert kinds(alike.notes) == [("a.png", "annotated several times alike, used once")]
    other = assemble(collection(same, ("a.png", (polygon("malignant"),)), ("b.png", ())))
    assert kinds(other.left_out) == [("a.png", "annotated several times, differently")]


def test_a_table_of_cases_wins_and_contradictions_are_left_out():
    source = collection(("a.png", (polygon("benign"),)), ("sub/b.png", ()), ("c.png", ()))
    table = {"a.png": {"case_id": "7", "age": 12}, "sub/b.png": {"image_label": "benign"}, "c.png": {"sex": "F"}}
    done = assemble(source, attributes=table)
    assert [(i["file_name"], i.get("case_id"), i.get("age"), i.get("sex")) for i in done.document["images"]] == [
        ("a.png", "7", 12, None),
        ("c.png", None, None, "F"),
    ]
    assert kinds(done.left_out) == [("sub/b.png", "annotation not usable")]  # benign, but nothing is outlined


@pytest.mark.parametrize(("meaning", "images"), [(NORMAL, ["a.png", "b.png"]), (NOT_ANNOTATED, ["a.png"])])
def test_images_that_no_annotation_mentions(meaning, images):
    source = collection(("a.png", (polygon("benign"),)))

    def size_of(name):
        if name == "damaged.png":
            raise LeftOutError("image cannot be read")
        return SIZE_HW

    add_unlisted(source, ["a.png", "b.png", "damaged.png"], size_of, meaning)
    assert [image.file_name for image in source.images] == images
    told = {remark.image for remark in source.left_out + source.notes}
    assert told == {"b.png", "damaged.png"}


def test_labels_can_be_dropped():
    source = collection(("a.png", (polygon("benign"), polygon("Marker"))), ("b.png", (polygon("marker"),)))
    drop_labels(source, ["marker"])
    assert [len(image.regions) for image in source.images] == [1, 0]
    assert len(source.notes) == 2
    with pytest.raises(ConfigError, match="no annotation has this label"):
        drop_labels(source, ["marker"])


def test_a_class_name_that_cannot_be_written():
    with pytest.raises(DataError, match=r"the classes cannot be used.*--class"):
        assemble(collection(("a.png", (polygon("cyst\ud800"),))))


def test_masks_beside_their_images_are_no_images():
    source = collection(("a.png", (polygon("benign"),)))
    source.not_images.add("a_mask.png")
    add_unlisted(source, ["a.png", "a_mask.png"], lambda name: SIZE_HW, NORMAL)
    assert (len(source.images), source.notes) == (1, [])
