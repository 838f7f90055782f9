"""Words about an image as a whole."""

import pytest

from segtumor.annotations.remarks import LeftOutError
from segtumor.formats.labels import image_label_and_rest


@pytest.mark.parametrize(
    ("words", "has_lesions", "expected"),
    [
        ([], False, (None, [])),
        (["Normal"], False, ("normal", [])),
        ([" BENIGN ", "blurred"], True, ("benign", ["blurred"])),
        (["blurred"], False, (None, ["blurred"])),
        (["malignant", "Malignant"], True, ("malignant", [])),
    ],
)
def test_one_label_and_the_rest(words, has_lesions, expected):
    assert image_label_and_rest(words, has_lesions) == expected


@pytest.mark.parametrize(
    ("words", "has_lesions"), [(["normal", "benign"], True), (["normal"], True), (["malignant"], False)]
)
def test_contradictions_leave_the_image_out(words, has_lesions):
    with pytest.raises(LeftOutError):
        image_label_and_rest(words, has_lesions)
