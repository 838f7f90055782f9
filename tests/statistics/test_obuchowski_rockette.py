"""The analysis of Van Dyke's study as published, and its equivalence with an analysis of variance of pseudovalues.

The values of the readers, the error covariances and the results are those that the user guide of MRMCaov (Smith and
Hillis, R package 0.3) prints for the data of Van Dyke et al. (cine MRI of aortic dissection, RSNA 1993): 5 readers, 2
modalities, 114 cases. The ratings themselves are not needed.
"""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from segtumor.errors import DataError
from segtumor.statistics.error_covariance import delong_covariance, jackknife_covariance
from segtumor.statistics.obuchowski_rockette import (
    FIXED_CASES,
    FIXED_READERS,
    INFERENCES,
    RANDOM_ALL,
    crossed_analysis,
    reader_differences,
    variance_components,
)
from segtumor.statistics.roc import delong_test

AUCS = [
    [0.9196457, 0.8587762, 0.9038647, 0.9731079, 0.8297907],
    [0.9478261, 0.9053140, 0.9217391, 0.9993559, 0.9299517],
]
SENSITIVITIES = np.array([[40, 35, 37, 42, 31], [44, 37, 41, 45, 40]]) / 45
#: Error variance and Cov2 of each modality; Cov1; Cov3.
JACKKNIFED = ((0.0010141028, 0.0005904738), (0.0004839618, 0.0002041879), 0.0003466137, 0.0002390284)
BY_DELONG = ((0.0007921325, 0.0007921325), (0.0004775239, 0.0002015292), 0.0003420090, 0.0002358497)
OF_SENSITIVITY = ((0.0023681257, 0.0023681257), (0.001646465, 0.000382716), 0.0009943883, 0.0006604938)


def covariances(parts):
    """(2, 5, 2, 5) with these numbers."""
    variances, cov2, cov1, cov3 = parts
    filled = np.full((2, 5, 2, 5), cov3)
    for i in range(2):
        filled[i, :, i, :] = cov2[i]
        for j in range(5):
            filled[i, j, 1 - i, j] = cov1
            filled[i, j, i, j] = variances[i]
    return filled


def numbers(contrast, *names):
    return [getattr(contrast, name) for name in names]


def test_components_of_van_dyke():
    parts = variance_components(AUCS, covariances(JACKKNIFED))
    assert parts.ms_modality == pytest.approx(0.004796171, rel=1e-5)
    assert parts.ms_interaction == pytest.approx(0.0005510306, rel=1e-5)
    assert (parts.variance, parts.cov1) == pytest.approx((0.0008022883, 0.0003466137))
    assert (parts.cov2, parts.cov3) == pytest.approx((0.0003440748, 0.0002390284))


@pytest.mark.parametrize(
    ("values", "parts", "f", "df2", "p", "error", "low", "high"),
    [
        (AUCS, BY_DELONG, 4.484854, 15.06611, 0.05123303, 0.0206825, -0.0878671960, 0.0002665519),
        (SENSITIVITIES, OF_SENSITIVITY, 6.689493, 15.71732, 0.02008822, 0.03780451, -0.1780371, -0.0175185),
    ],
)
def test_random_readers_and_cases(values, parts, f, df2, p, error, low, high):
    found = crossed_analysis(values, covariances(parts), inference=RANDOM_ALL)
    assert (found.f, found.df1, found.df2, found.p_value) == pytest.approx((f, 1, df2, p), rel=2e-5)
    (difference,) = found.differences.values()
    assert numbers(difference, "standard_error", "low", "high") == pytest.approx([error, low, high], rel=5e-4)
    assert difference.p_value == pytest.approx(p, rel=2e-5)


@pytest.mark.parametrize(
    ("values", "parts", "expected"),
    [
        (AUCS, BY_DELONG, [(0.8970370, 0.03307642, 12.59597, 0.8253461), (0.9408374, 0.02150464, 12.56530, 0.8942155)]),
        (
            SENSITIVITIES,
            OF_SENSITIVITY,
            [(0.8222222, 0.05893747, 14.456811, 0.6961876), (0.92, 0.03741657, 7.575855, 0.8328691)],
        ),
    ],
)
def test_means_of_modalities(values, parts, expected):
    found = crossed_analysis(values, covariances(parts))
    means = [numbers(mean, "estimate", "standard_error", "df", "low") for mean in found.modalities]
    assert np.array(means) == pytest.approx(np.array(expected), rel=1e-5)
    assert all(math.isnan(mean.p_value) for mean in found.modalities)


def test_fixed_readers():
    found = crossed_analysis(AUCS, covariances(JACKKNIFED), inference=FIXED_READERS)
    assert (found.f, found.df2) == (pytest.approx(5.475953, rel=1e-5), math.inf)
    assert found.p_value == pytest.approx(0.01927984, rel=1e-5)
    (difference,) = found.differences.values()
    expected = [-0.04380032, 0.01871748, -0.08048591, -0.00711473]
    assert numbers(difference, "estimate", "standard_error", "low", "high") == pytest.approx(expected, abs=1e-7)
    errors = [mean.standard_error for mean in found.modalities]
    assert errors == pytest.approx([0.02428971, 0.01677632], rel=1e-5)


def test_fixed_cases():
    found = crossed_analysis(AUCS, covariances(JACKKNIFED), inference=FIXED_CASES)
    assert (found.f, found.df2, found.p_value) == pytest.approx((8.704, 4, 0.04195875), rel=1e-4)
    (difference,) = found.differences.values()
    assert numbers(difference, "low", "high") == pytest.approx([-0.08502022, -0.00258042], abs=1e-6)
    assert [mean.low for mean in found.modalities] == pytest.approx([0.8280981, 0.8959894], abs=1e-6)


@pytest.fixture(scope="module")
def ratings():
    """(2 modalities, 3 readers, 24 cases) of five steps, and the truth."""
    rng = np.random.default_rng(4)
    truth = np.arange(24) % 3 == 0
    signal = truth * 1.2 + rng.normal(0, 0.6, 24)
    scores = signal + np.array([0.0, 0.7])[:, None, None] * truth + rng.normal(0, 0.8, (2, 3, 24))
    return np.round(np.clip(scores, -1, 3)).astype(float), truth


def left_out(ratings, truth):
    """(C, 2, 3) areas without each case, by scikit-learn."""
    kept = [np.arange(len(truth)) != case for case in range(len(truth))]
    return np.array([[[roc_auc_score(truth[k], r[k]) for r in rows] for rows in ratings] for k in kept])


def test_the_same_as_an_analysis_of_pseudovalues(ratings):
    """Dorfman, Berbaum and Metz 1992, with Hillis' F and degrees of freedom; statsmodels gives the mean squares."""
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    scores, truth = ratings
    n = len(truth)
    values = np.array([[roc_auc_score(truth, r) for r in rows] for rows in scores])
    without = left_out(scores, truth)
    found = crossed_analysis(values, jackknife_covariance(without))
    pseudo = n * values - (n - 1) * without
    cells = [(t, r, c, pseudo[c, t, r]) for c in range(n) for t in range(2) for r in range(3)]
    frame = pd.DataFrame(cells, columns=["t", "r", "c", "y"])
    table = anova_lm(ols("y ~ C(t)*C(r) + C(t)*C(c) + C(r)*C(c)", frame).fit())
    ms = table["sum_sq"] / table["df"]
    denominator = ms["C(t):C(r)"] + max(ms["C(t):C(c)"] - ms["Residual"], 0)
    assert found.f == pytest.approx(ms["C(t)"] / denominator)
    assert found.df2 == pytest.approx(denominator**2 / (ms["C(t):C(r)"] ** 2 / 2))


def test_one_reader_alone_is_delongs_test(ratings):
    scores, truth = ratings
    values = np.array([[roc_auc_score(truth, r) for r in rows] for rows in scores])
    covariance = delong_covariance(scores, truth)
    by_reader = reader_differences(values, covariance)
    for j in range(3):
        test = delong_test(scores[0, j], scores[1, j], truth)
        contrast = by_reader[j, 0, 1]
        assert contrast.estimate / contrast.standard_error == pytest.approx(test.statistic)
        assert contrast.p_value == pytest.approx(test.p_value)
    alone = crossed_analysis(values[:, :1], covariance[:, :1, :, :1], inference=FIXED_READERS)
    assert alone.differences[0, 1].p_value == pytest.approx(by_reader[0, 0, 1].p_value)
    random = crossed_analysis(values[:, :1], covariance[:, :1, :, :1], inference=RANDOM_ALL)
    assert math.isnan(random.p_value) and math.isnan(random.differences[0, 1].low)


def test_delongs_covariance_is_close_to_the_jackknifes(ratings):
    scores, truth = ratings
    jackknifed = jackknife_covariance(left_out(scores, truth))
    assert delong_covariance(scores, truth) == pytest.approx(jackknifed, rel=0.15, abs=3e-4)
    assert jackknifed.shape == (2, 3, 2, 3)
    assert np.allclose(jackknifed, jackknifed.transpose(2, 3, 0, 1))


def test_a_second_modality_without_readers_is_a_t_test_of_the_differences():
    """The cases fixed, and the second modality alike for all: the readers' values against a constant."""
    from scipy.stats import ttest_1samp

    values = np.array([[0.8, 0.7, 0.75, 0.9], [0.7, 0.7, 0.7, 0.7]])
    found = crossed_analysis(values, np.zeros((2, 4, 2, 4)), inference=FIXED_CASES)
    assert found.p_value == pytest.approx(ttest_1samp(values[0], 0.7).pvalue)
    assert math.isnan(found.modalities[1].low)


def test_three_modalities_and_equal_readers():
    rng = np.random.default_rng(0)
    values = rng.uniform(0.6, 0.9, (3, 4))
    covariance = jackknife_covariance(values + rng.normal(0, 0.003, (50, 3, 4)))
    for inference in INFERENCES:
        found = crossed_analysis(values, covariance, inference=inference, level=0.9)
        assert found.df1 == 2 and [*found.differences] == [(0, 1), (0, 2), (1, 2)]
        assert 0 < found.p_value < 1
    alike = crossed_analysis(np.repeat([[0.8], [0.7]], 5, axis=1), covariances(JACKKNIFED))
    assert alike.df2 == math.inf and 0 < alike.p_value < 1  # readers do not differ: normal, as with many of them
    still = crossed_analysis(np.full((2, 4), 0.8), np.zeros((2, 4, 2, 4)))
    assert math.isnan(still.p_value) and math.isnan(still.differences[0, 1].low)


@pytest.mark.parametrize(
    ("values", "covariance", "options", "what"),
    [
        ([0.8, 0.7], np.zeros((1, 2, 1, 2)), {}, "do not fit"),
        (AUCS, np.zeros((2, 5, 5)), {}, "do not fit"),
        ([[math.nan]], np.zeros((1, 1, 1, 1)), {}, "not finite"),
        (AUCS, np.zeros((2, 5, 2, 5)), {"inference": "bayes"}, "unknown"),
        (AUCS, np.zeros((2, 5, 2, 5)), {"level": 95}, "level"),
    ],
)
def test_what_cannot_be_analysed(values, covariance, options, what):
    with pytest.raises(DataError, match=what):
        crossed_analysis(values, covariance, **options)


def test_what_has_no_covariance():
    with pytest.raises(DataError, match="fewer than two"):
        jackknife_covariance([[0.5]])
    with pytest.raises(DataError, match="undefined without one"):
        jackknife_covariance([[0.5], [math.nan]])
    with pytest.raises(DataError, match="no covariance of areas"):
        delong_covariance([[0.1, 0.2, 0.3]], [0, 1, 0])
