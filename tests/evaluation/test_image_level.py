import dataclasses

import numpy as np
import pytest

from segtumor.evaluation.facts.cases import case_table
from segtumor.evaluation.facts.image_level import image_calls
from segtumor.evaluation.facts.patient_level import patient_calls
from segtumor.evaluation.facts.truth import UNKNOWN_CLASS, has_tumor, true_class

NAMES = ("benign", "malignant")


def calls_of(results, score_threshold=0.5):
    cases = case_table([result.truth for result in results])
    return image_calls(results, NAMES, cases, score_threshold=score_threshold)


def patients_of(results, located=None, rule="any", require_located=False):
    located = np.zeros(len(results), dtype=bool) if located is None else np.array(located)
    return patient_calls(calls_of(results), located, rule=rule, score_threshold=0.5, require_located=require_located)


def test_three_images(three_images):
    calls = calls_of(three_images)
    assert calls.score.tolist() == [0.9, 0.7, 0.6]
    assert calls.tumor.tolist() == [True, True, False]
    assert calls.positive.tolist() == [True, True, True]
    assert calls.true_class.tolist() == [2, 2, 0]
    assert calls.predicted_class.tolist() == [2, 1, 1]
    np.testing.assert_allclose(calls.class_scores, [[0.1, 0.4, 0.9], [0.3, 0.7, 0], [0.4, 0.6, 0.3]])
    assert calls.confusion.tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 1]]
    assert calls.names == ("normal", "benign", "malignant")


def test_without_findings_the_score_is_zero_and_the_image_negative(build):
    calls = calls_of([build.image()], score_threshold=0)
    assert (calls.score[0], calls.positive[0], calls.predicted_class[0]) == (0, False, 0)
    assert calls.class_scores.tolist() == [[1, 0, 0]]


def test_the_threshold_is_inclusive(build):
    assert calls_of([build.image([], [build.finding(0, 0.5, 0, 0, 2, 2)])]).positive.tolist() == [True]


def test_probabilities_come_before_the_score(build):
    first = dataclasses.replace(build.finding(1, 0.9, 0, 0, 2, 2), probabilities=(0.05, 0.9))
    second = dataclasses.replace(build.finding(0, 0.6, 0, 0, 2, 2), probabilities=(0.6, 0.3))
    calls = calls_of([build.image([], [first, second])])
    np.testing.assert_allclose(calls.class_scores, [[0.1, 0.6, 0.9]])


@pytest.mark.parametrize(
    ("label", "classes", "subtype", "tumor", "expected"),
    [
        (None, (), None, False, 0),
        ("normal", (), None, False, 0),
        ("something else", (), None, False, 0),
        ("benign", (), None, True, 1),
        ("benign", (1,), None, True, 1),  # the label goes before the lesions
        (None, (0, 1, 0), None, True, 2),
        (None, (0,), None, True, 1),
        ("malignant", (), None, True, 2),
    ],
)
def test_truth_of_an_image(build, label, classes, subtype, tumor, expected):
    lesions = [build.lesion(k, 0, 0, 2, 2) for k in classes]
    truth = build.image(lesions, image_label=label, subtype=subtype).truth
    assert has_tumor(truth, NAMES) == tumor
    assert true_class(truth, NAMES) == expected


def test_labels_that_are_no_class(build):
    unmarked = build.image(image_label="malignant", subtype="osteosarcoma").truth
    assert true_class(unmarked, ("osteosarcoma", "other mt")) == 1
    assert true_class(unmarked, ("tumor",)) == 1
    assert true_class(unmarked, ("cyst", "other mt")) == UNKNOWN_CLASS
    marked = build.image([build.lesion(1, 0, 0, 2, 2)], image_label="malignant").truth
    assert true_class(marked, ("cyst", "other mt")) == 2


@pytest.fixture
def two_patients(build):
    """Patient a: malignant, seen on two images; patient b: normal, on two."""
    lesion = build.lesion(1, 0, 0, 4, 4)
    return [
        build.image([lesion], [build.finding(0, 0.4, 0, 0, 4, 4)], case_id="a"),
        build.image([], [build.finding(1, 0.6, 5, 5, 8, 8), build.finding(0, 0.2, 0, 0, 4, 4)], case_id="a"),
        build.image([], [build.finding(0, 0.9, 0, 0, 4, 4)], case_id="b"),
        build.image([], [], case_id="b"),
    ]


def test_any_image(two_patients):
    patients = patients_of(two_patients)
    assert patients.score.tolist() == [0.6, 0.9]
    assert patients.positive.tolist() == [True, True]
    assert patients.tumor.tolist() == [True, False]
    assert patients.true_class.tolist() == [2, 0]
    assert patients.predicted_class.tolist() == [2, 1]
    np.testing.assert_allclose(patients.class_scores, [[0.4, 0.4, 0.6], [0.1, 0.9, 0]])


def test_mean_of_images(two_patients):
    patients = patients_of(two_patients, rule="mean")
    np.testing.assert_allclose(patients.score, [0.5, 0.45])
    assert patients.positive.tolist() == [True, False]  # the threshold is inclusive
    assert patients.predicted_class.tolist() == [2, 0]
    np.testing.assert_allclose(patients.class_scores, [[0.5, 0.3, 0.3], [0.55, 0.45, 0]])


def test_highest_of_images_is_any_image(two_patients):
    assert patients_of(two_patients, rule="max").positive.tolist() == [True, True]


def test_a_tumor_must_be_located(two_patients):
    elsewhere = patients_of(two_patients, require_located=True)
    assert elsewhere.judged.tolist() == [False, True]  # of a normal patient nothing can be located
    assert elsewhere.positive.tolist() == [True, True]  # as the model called them
    assert elsewhere.predicted_class.tolist() == [2, 1]
    assert elsewhere.score.tolist() == [0.6, 0.9]
    located = patients_of(two_patients, located=[True, False, False, False], require_located=True)
    assert located.judged.tolist() == [True, True]
    without = patients_of(two_patients)
    assert without.found is None
    assert without.judged.tolist() == [True, True]


def test_the_first_image_decides_between_equal_scores(build):
    one, other = ([build.finding(k, 0.8, 0, 0, 2, 2)] for k in (1, 0))
    patients = patients_of([build.image([], one, case_id="a"), build.image([], other, case_id="a")])
    assert patients.predicted_class.tolist() == [2]


def test_a_patient_of_unknown_class(build):
    cases = [
        [build.image(image_label="malignant", case_id="a"), build.image(case_id="a")],
        [build.image(image_label="malignant", case_id="a"), build.image([build.lesion(0, 0, 0, 2, 2)], case_id="a")],
    ]
    found = []
    for results in cases:
        table = case_table([result.truth for result in results])
        calls = image_calls(results, ("cyst", "other"), table, score_threshold=0.5)
        located = np.zeros(2, dtype=bool)
        patients = patient_calls(calls, located, rule="any", score_threshold=0.5, require_located=False)
        found.append(int(patients.true_class[0]))
    assert found == [UNKNOWN_CLASS, 1]


def test_no_images():
    patients = patients_of([])
    assert len(patients) == 0
    assert patients.class_scores.shape == (0, 3)
    assert patients.confusion.tolist() == [[0] * 3] * 3
