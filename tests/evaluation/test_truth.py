"""Tumour or not, and of which class: one definition, whatever counts."""

import numpy as np
import pytest

from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.facts.truth import has_tumor, n_normal, true_class
from segtumor.evaluation.study.metrics import evaluate
from segtumor.evaluation.study.remarks import list_remark, unpredicted_remarks
from segtumor.evaluation.study.study import study

NAMES = ("benign", "malignant")
#: image_label, whether a lesion is drawn, tumour or not.
CASES = [
    ("benign", False, True),
    ("malignant", False, True),
    ("normal", False, False),
    ("normal", True, True),
    ("something else", False, False),
    ("something else", True, True),
    (None, False, False),
    (None, True, True),
]


def images(build):
    """One image of each of CASES, found where drawn, and one more with a crowd region only, a tumour too."""
    results = []
    for label, drawn, _ in CASES:
        lesions = [build.lesion(0, 0, 0, 4, 4)] * drawn
        results.append(build.image(lesions, [build.finding(0, 0.9, 0, 0, 4, 4)] * drawn, image_label=label))
    return [*results, build.image([build.lesion(0, 0, 0, 8, 8, crowd=True)])]


EXPECTED = [tumor for _, _, tumor in CASES] + [True]
N_TUMOR, N_NORMAL = 6, 3


def test_all_that_counts_agrees(build):
    results = images(build)
    truths = [result.truth for result in results]
    assert [has_tumor(truth, NAMES) for truth in truths] == EXPECTED
    assert [true_class(truth, NAMES) > 0 for truth in truths] == EXPECTED
    ids = [truth.image_id for truth in truths]
    assert n_normal(truths, NAMES, ids) == N_NORMAL
    assert f"{N_NORMAL} of them are normal" in unpredicted_remarks(truths, NAMES, absent_ids=ids)[0]
    assert f"({N_NORMAL} normal)" in list_remark(truths, NAMES, found_ids=())
    found = study(results, NAMES, StudySettings(n_resamples=10))
    estimates = {e.name: e for e in found.estimates}
    for counted in (found.evaluation.metrics["images"], evaluate(results, NAMES).metrics["images"]):
        assert (counted["n_tumor_images"], counted["n_normal_images"]) == (N_TUMOR, N_NORMAL)
        for name in ("sensitivity", "specificity"):
            assert counted[name] == estimates[f"image_{name}"].value == estimates[f"patient_{name}"].value
    assert estimates["false_positives_per_normal_image"].n == N_NORMAL
    for rows in (found.per_image, found.per_case, found.evaluation.per_image):
        assert [row["tumor_true"] for row in rows] == EXPECTED


def test_a_labelled_tumour_that_nobody_outlined_is_missed_not_right(build):
    outlined = build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.9, 0, 0, 4, 4)], image_label="benign")
    again = build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.9, 0, 0, 4, 4)], image_label="benign")
    counted = evaluate([outlined, again, build.image(image_label="benign")], NAMES).metrics["images"]
    assert (counted["sensitivity"], counted["n_tumor_images"]) == (pytest.approx(2 / 3), 3)
    assert np.isnan(counted["specificity"])
