"""Many boxes beyond their image are told; a few, or a little over the edge, are not."""

import pytest

from segtumor.evaluation.study.remarks import outside_remark

INSIDE, OVER, BEYOND = (1, 1, 9, 9), (-2, 1, 12, 12), (1, 1, 9, 12.5)


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
def test_when_it_is_told(build, boxes, told):
    results = [build.image([], [build.finding(0, 0.5, *box, mask=False)]) for box in boxes]
    remark = outside_remark(results)
    assert remark == "" if told is None else remark.startswith(told)


def test_findings_with_masks_do_not_count(build):
    image = build.image([], [build.finding(0, 0.5, 1, 1, 9, 30)] * 5)
    assert outside_remark([image]) == ""
    assert outside_remark([]) == ""
