import dataclasses

import pytest

from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult, Lesion


@pytest.mark.parametrize(
    "value",
    [
        Lesion(1, 0, (0, 0, 2, 2), None, 4.0),
        Finding(0, 0.5, (0, 0, 2, 2), None),
        AnnotatedImage(1, "a.png", (4, 4)),
        ImageResult(AnnotatedImage(1, "a.png", (4, 4)), ()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_cannot_be_changed_and_compare_by_content(value):
    field = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, field, None)
    assert dataclasses.replace(value) == value


def test_a_normal_radiograph_has_no_lesions_and_its_own_attributes():
    first, second = AnnotatedImage(1, "a.png", (4, 4)), AnnotatedImage(2, "b.png", (4, 4))
    assert first.lesions == ()
    assert first.attributes == {}
    assert first.attributes is not second.attributes
