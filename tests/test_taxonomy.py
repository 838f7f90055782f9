"""Entities and their order, their colours, and what counts as a tumour."""

import pytest

from segtumor.annotations.remarks import LeftOutError
from segtumor.datasets.splits.strata import image_labels
from segtumor.evaluation.facts.truth import UNKNOWN_CLASS, has_tumor, true_class
from segtumor.formats.labels import image_label_and_rest, taxonomy_of
from segtumor.structures.lesions import AnnotatedImage, Lesion
from segtumor.taxonomy import BINARY, ENTITIES, GRADED, GRADED_ENTITY, PALETTE_RGB, SUBTYPE_ENTITY, SUBTYPES, color_rgb


def test_giant_cell_tumour_is_the_one_between():
    assert {name for name in SUBTYPE_ENTITY if GRADED_ENTITY[name] != SUBTYPE_ENTITY[name]} == {"giant cell tumor"}
    assert BINARY.entity_of("giant cell tumor") == "benign" and GRADED.entity_of("giant cell tumor") == "intermediate"


def test_an_entity_has_its_colour_wherever_it_stands():
    assert [color_rgb(i, BINARY.names) for i in range(2)] == [color_rgb(0, GRADED.names), color_rgb(2, GRADED.names)]
    assert len({color_rgb(i, GRADED.names) for i in range(3)}) == 3
    assert color_rgb(1, ("malignant", "benign")) == color_rgb(0, BINARY.names)
    assert [color_rgb(i, SUBTYPES.names) for i in range(9)] == list(PALETTE_RGB) and color_rgb(9) == color_rgb(0)


@pytest.mark.parametrize(
    ("used", "names"),
    [
        ({"malignant"}, ("benign", "malignant")),
        ({"malignant", "intermediate"}, ENTITIES),
        ({"malignant", "cyst", "intermediate"}, ("cyst", "intermediate", "malignant")),
    ],
)
def test_the_order_of_classes(used, names):
    assert taxonomy_of((), {name: name for name in used}).names == names


def image(*class_ids, label=None):
    lesions = tuple(Lesion(n, k, (0.0, 0.0, 2.0, 2.0), None, 4.0, False) for n, k in enumerate(class_ids))
    return AnnotatedImage(1, "a.png", (8, 8), lesions, {"image_label": label} if label else {})


@pytest.mark.parametrize(
    ("truth", "names", "tumor", "index"),
    [
        (image(label="intermediate"), GRADED.names, True, 2),
        (image(label="intermediate"), BINARY.names, True, UNKNOWN_CLASS),
        (image(1, 0), GRADED.names, True, 2),
        (image(0, 2, label="intermediate"), GRADED.names, True, 2),
        (image(label="malignant"), ("tumour",), True, 1),
        (image(label="normal"), GRADED.names, False, 0),
        (image(label="fracture"), GRADED.names, False, 0),
    ],
)
def test_what_counts_as_a_tumour_and_of_which_class(truth, names, tumor, index):
    assert has_tumor(truth, names) is tumor and true_class(truth, names) == index


def test_a_case_is_as_grave_as_its_gravest_image():
    images = [{"id": 1, "image_label": "intermediate"}, {"id": 2}, {"id": 3}]
    labels, severity = image_labels(images, {3: [0, 1]}, GRADED.names)
    assert labels == ["intermediate", "normal", "intermediate"] and severity == ("normal", *ENTITIES)


def test_a_tag_of_the_image():
    assert image_label_and_rest(["Intermediate", "blurred"], True) == ("intermediate", ["blurred"])
    with pytest.raises(LeftOutError, match="no lesion is annotated"):
        image_label_and_rest(["intermediate"], False)
