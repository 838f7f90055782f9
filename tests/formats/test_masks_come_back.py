"""Masks with holes and parts of every kind, through the formats that hold them as runs of pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from round_trips import written_and_read

from segtumor.formats import cvat, label_studio
from segtumor.formats.collection import Region, SourceImage
from segtumor.structures.masks import rle_from_mask

SIZE_HW = (30, 40)


@pytest.mark.parametrize("form", [cvat, label_studio], ids=["cvat", "label_studio"])
@settings(max_examples=20, deadline=None)
@given(bits=st.integers(1, 2**36 - 1))
def test_masks_with_holes_come_back(tmp_path_factory, form, bits):
    mask = np.zeros(SIZE_HW, dtype=bool)
    mask[-6:, -6:] = np.array([bits >> i & 1 for i in range(36)], dtype=bool).reshape(6, 6)
    image = SourceImage("a.png", SIZE_HW, (Region("benign", rle_from_mask(mask)),))
    before, after, _ = written_and_read(form, tmp_path_factory.mktemp("masks"), image)
    assert after["annotations"] == before["annotations"]
