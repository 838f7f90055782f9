"""Referral and decisions as a study has them, against plain loops over images."""

import numpy as np
import pytest

from segtumor.evaluation.facts.cases import case_table
from segtumor.evaluation.facts.image_level import image_calls
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.measures.referral import PROBABILITIES, REFERRED
from segtumor.evaluation.study.study import estimate, study
from segtumor.structures.lesions import AnnotatedImage, ImageResult

NAMES, THRESHOLD = ("tumor",), 0.3


def results(n, *, uncertain=True):
    """Images of a classifier, two of a case, whose uncertainty says where it is wrong."""
    rng, found = np.random.default_rng(2), []
    for number in range(n):
        tumor = bool(rng.random() < 0.4)
        score = float(np.clip(rng.normal(0.55 if tumor else 0.25, 0.2), 0.01, 0.99))
        wrong = (score >= THRESHOLD) != tumor
        attributes = {"image_label": "tumor" if tumor else "normal", "case_id": f"c{number // 2}"}
        truth = AnnotatedImage(number, f"{number}.png", (8, 8), (), attributes)
        doubt = float(np.clip(0.5 * wrong + rng.random() / 2, 0, 1)) if uncertain else None
        found.append(ImageResult(truth, (), (1 - score, score), False, doubt))
    return found


@pytest.fixture(scope="module")
def found():
    return study(results(60), NAMES, StudySettings(score_threshold=THRESHOLD, n_resamples=50), subgroups=False)


def kept(images, share, doubt):
    """Of 60 images without ties, those that are left after a share of them."""
    return sorted(images, key=doubt)[: round(len(images) * (1 - share))]


def logit(p):
    return np.log(p / (1 - p))


DOUBTS = {
    "referral": lambda r: -abs(logit(1 - r.image_probabilities[0]) - logit(THRESHOLD)),
    "referral_by_uncertainty": lambda r: r.uncertainty,
}


@pytest.mark.parametrize("name", DOUBTS)
def test_a_referral_curve_is_what_sorting_gives(found, name):
    curve, images = found.curves[name], results(60)
    for share in (0, 0.1, 0.25, 0.5, 0.75):  # whole images of 60
        rows = [(1 - r.image_probabilities[0] >= THRESHOLD, r.truth.attributes["image_label"] == "tumor")
                for r in kept(images, share, DOUBTS[name])]  # fmt: skip
        at = int(np.flatnonzero(np.isclose(REFERRED, share))[0])
        expected = {
            "accuracy": np.mean([called == tumor for called, tumor in rows]),
            "sensitivity": np.mean([called for called, tumor in rows if tumor]),
            "specificity": np.mean([not called for called, tumor in rows if not tumor]),
        }
        for what, value in expected.items():
            assert curve.bands[what].value[at] == pytest.approx(value)
            assert curve.bands[what].low[at] <= curve.bands[what].high[at]


def test_measures_are_points_and_area_of_the_curve(found):
    curve = found.curves["referral"]
    for share in (10, 20):
        at = int(np.flatnonzero(np.isclose(REFERRED, share / 100))[0])
        measured = estimate(found, f"image_accuracy_referring_{share}")
        assert measured.value == pytest.approx(curve.bands["accuracy"].value[at])
        assert measured.low <= measured.value <= measured.high
    images = sorted(results(60), key=DOUBTS["referral"])
    wrong = [
        ((1 - r.image_probabilities[0]) >= THRESHOLD) != (r.truth.attributes["image_label"] == "tumor") for r in images
    ]
    aurc = np.mean([np.mean(wrong[:count]) for count in range(1, 61)])  # Geifman & El-Yaniv's sum over coverages
    assert estimate(found, "image_aurc").value == pytest.approx(aurc, abs=0.01)
    better, error = estimate(found, "image_aurc_by_uncertainty"), 1 - estimate(found, "image_accuracy").value
    assert better.value < error / 2 and not better.higher_is_better


def test_a_decision_curve_is_that_of_its_definition(found):
    calls = image_calls(results(60), NAMES, case_table([r.truth for r in results(60)]), score_threshold=THRESHOLD)
    curve = found.curves["decision"]
    for at, p in enumerate(PROBABILITIES):
        called = calls.score >= p
        worth = ((called & calls.tumor).sum() - (called & ~calls.tumor).sum() * p / (1 - p)) / 60
        assert curve.bands["net_benefit"].value[at] == pytest.approx(worth)
    prevalence = calls.tumor.mean()
    assert curve.bands["treat_all"].value[0] == pytest.approx(prevalence - (1 - prevalence) / 99)
    assert list(curve.columns) == ["threshold_probability", "net_benefit", "net_benefit_low", "net_benefit_high",
                                   "treat_all", "treat_all_low", "treat_all_high"]  # fmt: skip


def test_what_is_not_known_has_no_curve():
    plain = study(results(20, uncertain=False), NAMES, StudySettings(n_resamples=5), subgroups=False)
    assert "referral" in plain.curves and "referral_by_uncertainty" not in plain.curves
    normal = [r for r in results(20) if r.truth.attributes["image_label"] == "normal"]
    assert "decision" not in study(normal, NAMES, StudySettings(n_resamples=5), subgroups=False).curves
