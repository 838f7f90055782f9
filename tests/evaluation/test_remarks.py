"""Remarks: images that were not predicted, and how many normal ones count as right for it; boxes beyond their image."""

import pytest

from segtumor.evaluation.study.remarks import list_remark, outside_remark, unpredicted_remarks
from segtumor.structures.lesions import AnnotatedImage, Lesion

INSIDE, OVER, BEYOND = (1, 1, 9, 9), (-2, 1, 12, 12), (1, 1, 9, 12.5)
BOX = (1.0, 1.0, 4.0, 4.0)
TRUTHS = (
    AnnotatedImage(1, "1.png", (9, 9), (Lesion(1, 0, BOX, None, 9.0),)),
    AnnotatedImage(2, "2.png", (9, 9)),
    AnnotatedImage(3, "3.png", (9, 9), (), {"image_label": "malignant"}),
    AnnotatedImage(4, "4.png", (9, 9), (), {"image_label": "normal"}),
)


@pytest.mark.parametrize(("ids", "n_normal"), [((1, 2), 1), ((2, 4), 2), ((3,), 0)])
def test_the_normal_among_them_are_counted(ids, n_normal):
    for name, what in (("absent_ids", "absent from the predictions"), ("failed_ids", "failed when predicting")):
        (remark,) = unpredicted_remarks(TRUTHS, ("benign", "malignant"), **{name: ids})
        assert remark.startswith(f"{len(ids)} images ") and what in remark
        assert f"; {n_normal} of them are normal" in remark


def test_nothing_to_say_and_everything():
    assert unpredicted_remarks(TRUTHS, ("benign", "malignant"), absent_ids=None) == ()
    remarks = unpredicted_remarks(TRUTHS, ("benign", "malignant"), absent_ids=(1,), failed_ids=(2,), n_left_out=7)
    assert len(remarks) == 3 and remarks[0] == "7 predicted images are not annotated and were left out."


@pytest.mark.parametrize(
    ("found_ids", "start"), [((1,), "3 of 4 images (2 normal)"), ((2, 4), "2 of 4 images (0 normal)")]
)
def test_a_list_that_lacks_images(found_ids, start):
    remark = list_remark(TRUTHS, ("benign", "malignant"), found_ids=found_ids)
    assert remark == f"{start} have no finding in this list; a list cannot say whether they were predicted."
    assert list_remark(TRUTHS, ("benign", "malignant"), found_ids=(1, 2, 3, 4)) == ""


@pytest.mark.parametrize(
    ("boxes", "told"),
    [
        ([INSIDE] * 9, None),
        ([OVER] * 9, None),
        ([BEYOND] * 2, None),
        ([BEYOND] * 3, "3 of 3 boxes"),
        ([BEYOND] * 3 + [INSIDE] * 57, None),  # 5 %
        ([BEYOND] * 3 + [INSIDE] * 56, "3 of 59 boxes"),
        ([(-2.5, 1, 5, 5)] * 3, "3 of 3 boxes"),
    ],
)
def test_many_boxes_beyond_their_image_are_told_and_a_few_are_not(build, boxes, told):
    results = [build.image([], [build.finding(0, 0.5, *box, mask=False)]) for box in boxes]
    remark = outside_remark(results)
    assert remark == "" if told is None else remark.startswith(told)


def test_boxes_of_findings_with_masks_do_not_count(build):
    image = build.image([], [build.finding(0, 0.5, 1, 1, 9, 30)] * 5)
    assert outside_remark([image]) == ""
    assert outside_remark([]) == ""
