"""Readers times modalities on made-up patients: designs, areas of free response, and a model as a modality."""

import itertools

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from segtumor.annotations.reader_marks import BOXES, IMAGE_LABELS, ReaderMarks
from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.readers.crossed import crossed_cells, crossed_study
from segtumor.evaluation.readers.free_response import FreeResponse, free_response_measures
from segtumor.evaluation.readers.raters import Rater
from segtumor.statistics.error_covariance import jackknife_covariance
from segtumor.statistics.obuchowski_rockette import FIXED_CASES, RANDOM_ALL, crossed_analysis
from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult, Lesion

CLASSES = ("benign", "malignant")
PLACES = ((2.0, 2.0, 8.0, 8.0), (12.0, 12.0, 18.0, 18.0))
N = 30


def truths(n=N):
    """Patients of one image; the first half has one or two lesions."""
    return [
        AnnotatedImage(
            i,
            f"{i}.png",
            (20, 20),
            tuple(Lesion(10 * i + k, 0, PLACES[k], None, 36.0) for k in range(1 + i % 2)) if 2 * i < n else (),
            {"case_id": f"p{i}"},
        )
        for i in range(n)
    ]


def marks(name, modality, skill, rng, *, images=None, kind=BOXES, confidence=True):
    findings = {}
    for truth in images or truths():
        found = [Finding(0, rng.uniform(0.2, 1), lesion.box_xyxy) for lesion in truth.lesions if rng.random() < skill]
        if rng.random() < 0.4:
            found.append(Finding(0, rng.uniform(0.0, 0.8), (2.0, 12.0, 8.0, 18.0)))
        findings[truth.image_id] = tuple(found)
    return ReaderMarks(name, kind, False, confidence, findings, modality=modality)


@pytest.fixture(scope="module")
def readers():
    rng = np.random.default_rng(3)
    return [marks(r, m, skill, rng) for m, skill in (("alone", 0.6), ("with", 0.9)) for r in "ABC"]


def results():
    return [ImageResult(truth, ()) for truth in truths()]


def perfect(name="model"):
    found = {t.image_id: ImageResult(t, tuple(Finding(0, 0.9, x.box_xyxy) for x in t.lesions)) for t in truths()}
    return Rater(name=name, is_model=True, results=found)


def study(cells, **options):
    return crossed_study(cells, CLASSES, StudySettings(), **options)


def test_a_crossed_study(readers):
    found = study(crossed_cells(readers, results()))
    assert (found.modalities, found.readers, found.n_images) == (("alone", "with"), ("A", "B", "C"), N)
    names = [one.measure.name for one in found.measures]
    assert names == ["patient_auc", "patient_sensitivity", "patient_specificity", "wafroc", "afroc"]
    assert [one.n_cases for one in found.measures] == [N, 15, 15, N, N]
    for one in found.measures:
        assert one.values.shape == (2, 3)
        assert one.analyses[0].inference == RANDOM_ALL and len(one.analyses) == 3
        assert one.p_holm >= one.analyses[0].p_value


def test_sensitivity_by_hand(readers):
    """Proportions need no program: the jackknife over patients with a tumour alone."""
    one = study(crossed_cells(readers, results()), measures=["patient_sensitivity"]).measures[0]
    called = np.array([[any(f.score >= 0.5 for f in r.findings[i]) for i in range(15)] for r in readers], dtype=float)
    called = called.reshape(2, 3, 15)
    assert one.values == pytest.approx(called.mean(axis=2))
    without = np.array([np.delete(called, i, axis=2).mean(axis=2) for i in range(15)])
    expected = crossed_analysis(called.mean(axis=2), jackknife_covariance(without))
    assert one.analyses[0].p_value == pytest.approx(expected.p_value)


def test_covariance_by_delong_is_of_the_area_alone(readers):
    cells = crossed_cells(readers, results())
    areas = [study(cells, measures=["patient_auc", "wafroc"], covariance=c).measures for c in ("jackknife", "delong")]
    assert [one.covariance for one in areas[1]] == ["delong", "jackknife"]
    jackknifed, by_delong = (one[0].analyses[0] for one in areas)
    assert by_delong.f == pytest.approx(jackknifed.f, rel=0.1) and by_delong.f != jackknifed.f
    with pytest.raises(ConfigError, match="covariance"):
        study(cells, covariance="bootstrap")


def test_a_model_as_a_modality(readers):
    alone = [one for one in readers if one.modality == "alone"]
    found = study(crossed_cells(alone, results(), perfect()), measures=["patient_specificity", "patient_auc"])
    assert found.modalities == ("alone", "model")
    one = found.measures[1]
    assert one.values[1].tolist() == [1, 1, 1]
    fixed = next(a for a in one.analyses if a.inference == FIXED_CASES)
    assert fixed.p_value == pytest.approx(ttest_1samp(one.values[0], 1).pvalue)
    assert any("alike under every reader" in remark for remark in found.remarks)


def test_beside_two_modalities_the_model_is_compared_with_each_alone(readers):
    both = study(crossed_cells(readers, results(), perfect()), measures=["patient_auc"]).measures[0].analyses[0]
    without = study(crossed_cells(readers, results()), measures=["patient_auc"]).measures[0].analyses[0]
    alone = [one for one in readers if one.modality == "alone"]
    pair = study(crossed_cells(alone, results(), perfect()), measures=["patient_auc"]).measures[0].analyses[0]
    assert [*both.differences] == [(0, 1), (0, 2), (1, 2)]
    assert (both.f, both.df1, both.p_value) == (without.f, without.df1, without.p_value)
    assert both.differences[0, 1] == without.differences[0, 1]
    assert both.differences[0, 2] == pair.differences[0, 1]
    assert both.modalities[:2] == without.modalities


def test_only_images_that_everybody_read_count(readers):
    first = readers[0]
    kept = {i: found for i, found in first.findings.items() if i % 5}
    fewer = ReaderMarks(first.name, BOXES, False, True, kept, modality="alone")
    found = study(crossed_cells([fewer, *readers[1:]], results()), measures=["patient_auc"])
    assert found.n_images == 24 and "On the 24 images that everybody read" in " ".join(found.remarks)


def test_labels_have_no_lesions_and_no_curves():
    rng = np.random.default_rng(0)
    labels = [marks(r, m, 0.7, rng, kind=IMAGE_LABELS, confidence=False) for m in ("a", "b") for r in "AB"]
    found = study(crossed_cells(labels, results()))
    assert [one.measure.name for one in found.measures] == ["patient_sensitivity", "patient_specificity"]
    assert "Not compared" in found.remarks[0] and "patient_auc, wafroc, afroc" in found.remarks[0]
    assert found.marks is None
    with pytest.raises(ConfigError, match="no measure can be compared"):
        study(crossed_cells(labels, results()), measures=["wafroc"])


def test_designs_that_are_not_crossed(readers):
    with pytest.raises(DataError, match=r"not crossed.*nothing of C \(with\)"):
        crossed_cells(readers[:-1], results())
    with pytest.raises(DataError, match="one modality only"):
        crossed_cells(readers[:3], results())
    with pytest.raises(DataError, match="has the model's name"):
        crossed_cells(readers, results(), perfect("with"))
    with pytest.raises(ConfigError, match="no such measure"):
        study(crossed_cells(readers, results()), measures=["patient_acu"])


def counted(marks, weights, *, weighted, everyone):
    """The area by its definition, every lesion beside every case; ``weights``: how often each case is there."""
    n_cases = len(marks.normal)
    highest = [max(marks.false_rating[marks.false_case == c], default=-np.inf) for c in range(n_cases)]
    n_lesions = np.bincount(marks.lesion_case, minlength=n_cases)
    total = norm = 0.0
    for case, rating in zip(marks.lesion_case, marks.lesion_rating, strict=True):
        rating = -np.inf if np.isnan(rating) else rating
        for other in range(n_cases):
            if everyone or marks.normal[other]:
                weight = weights[case] * weights[other] / (n_lesions[case] if weighted else 1)
                total += weight * (1.0 if rating > highest[other] else 0.5 * (rating == highest[other]))
                norm += weight
    return total / norm


def test_areas_of_free_response_by_their_definition():
    rng = np.random.default_rng(1)
    free = FreeResponse(
        lesion_case=np.array([0, 0, 0, 1, 2]),
        lesion_rating=np.array([0.9, np.nan, 0.5, 0.5, np.nan]),
        false_case=np.array([0, 3, 3, 4, 2]),
        false_rating=np.array([0.4, 0.5, 0.2, 0.7, 0.0]),
        normal=np.array([False, False, False, True, True, True]),
    )
    measures = {measure.name: measure for measure in free_response_measures(free)}
    # Unweighted, normal cases: highest false marks 0.5, 0.7, none; lesions win 3, 1/2, 3/2, 3/2, 1/2 of 3.
    assert measures["afroc"].value == pytest.approx((3 + 0.5 + 1.5 + 1.5 + 0.5) / 15)
    draws = np.vstack([np.ones(6), rng.integers(0, 3, (5, 6)) + np.eye(6)[:5]])
    for weighted, everyone in itertools.product((False, True), repeat=2):
        name = f"{'w' * weighted}afroc{'1' * everyone}"
        expected = [counted(free, row, weighted=weighted, everyone=everyone) for row in draws]
        assert measures[name].resample(draws) == pytest.approx(expected), name
    assert (measures["wafroc"].n, measures["wafroc"].n_contributing) == (5, 3)
