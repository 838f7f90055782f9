import dataclasses
import math

import numpy as np
import pytest

from segtumor.structures import postprocessing
from segtumor.structures.lesions import UNPLACED, Finding
from segtumor.structures.masks import rle_from_mask
from segtumor.structures.readings import SIZE_REDUCED, Note, Reading, class_scores, image_class, tumor_score

NAMES = ("benign", "malignant")
BOX = (0.0, 0.0, 2.0, 2.0)
SURE = Finding(1, 0.9, BOX, probabilities=(0.1, 0.9))
UNSURE = Finding(0, 0.4, BOX)
BOTH = (SURE, UNSURE)


def reading(**fields):
    return Reading(**{"class_names": NAMES, "size_hw": (4, 6), **fields})


@pytest.mark.parametrize(
    ("findings", "given", "score", "scores", "at_half", "at_095"),
    [
        ((), None, 0.0, (1.0, 0.0, 0.0), 0, 0),
        ((UNSURE,), None, 0.4, (0.6, 0.4, 0.0), 0, 0),
        (BOTH, None, 0.9, (0.1, 0.4, 0.9), 2, 0),
        ((Finding(0, 0.7, BOX, probabilities=(0.7, math.nan)),), None, 0.7, (0.3, 0.7, 0.0), 1, 0),
        ((Finding(0, 0.8),), None, 0.8, (0.2, 0.8, 0.0), 1, 0),  # without a place
        # an image head has the last word
        (BOTH, (1.0, 0.0, 0.0), 0.0, (1.0, 0.0, 0.0), 0, 0),
        ((), (0.25, 0.5, 0.25), 0.75, (0.25, 0.5, 0.25), 1, 0),
        ((), (0.0, 0.25, 0.75), 1.0, (0.0, 0.25, 0.75), 2, 2),
    ],
)
def test_the_whole_image(findings, given, score, scores, at_half, at_095):
    found = reading(findings=findings, image_probabilities=given)
    assert found.tumor_score == tumor_score(findings, given) == pytest.approx(score)
    assert found.class_scores == pytest.approx(np.array(scores))
    assert np.array_equal(found.class_scores, class_scores(findings, 2, given))
    assert (found.image_class(0.5), found.image_class(0.95)) == (at_half, at_095)
    assert image_class(findings, 0.5, given) == at_half


@pytest.mark.parametrize(
    "fields",
    [
        {"image_probabilities": (0.5, 0.5)},
        {"image_probabilities": (0.5, 0.5, math.nan)},
        {"image_probabilities": (0.5, 0.5, 1.5)},
        {"uncertainty": 1.1},
        {"uncertainty": math.nan},
        {"spacing_mm": (0.1, 0.1)},
        {"spacing_source": "mm at detector"},
        {"findings": (Finding(2, 0.5, BOX),)},
        {"maps": {"heat": np.zeros((4, 6))}},
        {"maps": {"heat": np.zeros((6, 4), np.float32)}},
        {"maps": {"heat": np.full((4, 6), np.nan, np.float32)}},
    ],
)
def test_what_is_no_reading(fields):
    with pytest.raises(ValueError, match=r"map|probabilities|uncertainty|spacing|class"):
        reading(**fields)


def test_a_reading_keeps_what_was_said():
    notes = (Note(SIZE_REDUCED, "computed at 400 px"), Note("other", "blank"))
    found = reading(notes=notes, maps={"heat": np.ones((4, 6), np.float32)}, timings_s={"model": 0.1})
    assert found.note == "computed at 400 px; blank"
    assert found.has_note(SIZE_REDUCED)
    assert not found.has_note("picture")
    assert reading().note is None
    assert found == dataclasses.replace(found, maps={}, timings_s={})
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.uncertainty = 0.5


def test_a_finding_may_have_a_mask_a_box_or_neither():
    mask = np.zeros((4, 6), dtype=bool)
    mask[1:3, 2:5] = True
    outlined, boxed, unplaced = Finding(0, 0.5, rle=rle_from_mask(mask)), Finding(0, 0.5, BOX), Finding(0, 0.5)
    assert outlined.box_xyxy == (2, 1, 5, 3)
    assert np.array_equal(outlined.mask, mask)
    assert boxed.mask is None
    assert unplaced.mask is None
    assert [finding.is_placed for finding in (outlined, boxed, unplaced)] == [True, True, False]
    assert unplaced == Finding(0, 0.5, UNPLACED)


def test_postprocessing_keeps_findings_without_a_place():
    findings = (Finding(1, 0.9), Finding(0, 0.8, BOX), Finding(1, 0.7, BOX), Finding(0, 0.1))
    kept = postprocessing.apply(findings, postprocessing.Postprocessing(min_score=0.2))
    assert [(finding.score, finding.is_placed) for finding in kept] == [(0.9, False), (0.8, True)]
