import dataclasses

import numpy as np
import pytest

from segtumor.errors import BadImageError
from segtumor.imaging.radiograph import CALIBRATED, Radiograph, check_size

PIXELS = np.zeros((2, 3), np.float32)


def test_a_radiograph_is_frozen_and_knows_its_size():
    radiograph = Radiograph(PIXELS, (0.1, 0.2), CALIBRATED, "a.png", "uint8")
    assert radiograph.size_hw == (2, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        radiograph.name = "b.png"


@pytest.mark.parametrize(
    ("pixels", "spacing_mm", "spacing_source"),
    [
        (PIXELS.astype(np.float64), None, None),
        (PIXELS[0], None, None),
        (PIXELS[:0], None, None),
        (PIXELS.tolist(), None, None),
        (PIXELS + np.float32(np.nan), None, None),
        (PIXELS + 2, None, None),
        (PIXELS - 1, None, None),
        (PIXELS, (0.1, 0.1), None),
        (PIXELS, None, CALIBRATED),
        (PIXELS, (0.1, 0.0), CALIBRATED),
        (PIXELS, (0.1,), CALIBRATED),
        (PIXELS, (0.1, float("nan")), CALIBRATED),
    ],
)
def test_a_radiograph_refuses_wrong_fields(pixels, spacing_mm, spacing_source):
    with pytest.raises(ValueError, match="must"):
        Radiograph(pixels, spacing_mm, spacing_source, "a.png", "uint8")


@pytest.mark.parametrize(
    ("size_hw", "word"), [((0, 5), "no pixels"), ((5, 0), "no pixels"), ((3, 4), "too large"), ((-1, -1), "no pixels")]
)
def test_check_size_refuses(size_hw, word):
    with pytest.raises(BadImageError, match=word):
        check_size(size_hw, 11, "a.png")


def test_check_size_accepts_the_limit_itself():
    check_size((3, 4), 12, "a.png")
