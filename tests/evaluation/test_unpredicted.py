"""Images that were not predicted are told, with how many normal ones count as right for it."""

import pytest

from segtumor.evaluation.study.remarks import list_remark, unpredicted_remarks
from segtumor.structures.lesions import AnnotatedImage, Lesion

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
