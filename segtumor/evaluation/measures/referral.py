"""What referring the uncertain images to a human would leave to the model, and what acting on its scores is worth.

An image is the more uncertain, the nearer its score lies to the score threshold, in logits, so that a low threshold
does not make all normal images uncertain; or the more, the higher the uncertainty of its reading, where all have one
(ensembles, several looks). Right and wrong are the plain calls of images. Curves come with percentile bands of the
study's resamples of cases, each point by itself. The area is the mean error of the images kept, over all proportions
referred (AURC, Geifman & El-Yaniv 2017): 0 where all errors come last, the error rate where referral is as good as
random. Not here: how units are referred (``statistics.referral``) and net benefit (``statistics.decision``).
Letters: B resamples, N images, Q proportions, T thresholds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from segtumor.arrays import Floats
from segtumor.evaluation.facts.image_level import Calls
from segtumor.evaluation.measures.calls import calibrated
from segtumor.evaluation.measures.measure import IMAGES, LastTwoCache, Measure, divide
from segtumor.statistics.bootstrap import block_spans
from segtumor.statistics.decision import net_benefits, treat_all
from segtumor.statistics.referral import kept_counts

#: Proportions referred of a curve, and the midpoints over which the area is a mean.
REFERRED = np.arange(0, 100, 5) / 100
_MIDPOINTS = (np.arange(50) + 0.5) / 50
#: Threshold probabilities of a decision curve.
PROBABILITIES = np.arange(1, 100) / 100
#: Proportions referred whose accuracy is a measure of its own, percent.
SHARES = (10, 20)
BY_DISTANCE, BY_UNCERTAINTY = "distance", "uncertainty"
_CLIP, _DIGITS = 1e-6, 9


@dataclass(frozen=True)
class Band:
    """A curve with its pointwise limits, each (P,)."""

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Curve:
    """Curves over the same axis.

    Attributes:
        axis: name of the axis.
        at: (P,) its values.
        bands: {name: Band}.
    """

    axis: str
    at: Floats
    bands: Mapping[str, Band]

    @property
    def columns(self) -> dict[str, Floats]:
        """{name: (P,)} for a table."""
        of_bands = {
            f"{name}{ending}": values
            for name, band in self.bands.items()
            for ending, values in (("", band.value), ("_low", band.low), ("_high", band.high))
        }
        return {self.axis: self.at, **of_bands}


def uncertainties(calls: Calls, given: Sequence[float | None], *, threshold: float) -> dict[str, Floats]:
    """{how: (N,)}; ``given`` holds the uncertainties of the readings, which count if all images have one."""
    scores, cut = (np.clip(values, _CLIP, 1 - _CLIP) for values in (calls.score, np.array([threshold])))
    distances: Floats = np.abs(_logit(scores) - _logit(cut))
    # Rounded, so that scores as far above as below are equally uncertain whatever arithmetic they come from.
    found = {BY_DISTANCE: -distances.round(_DIGITS)}
    if len(given) and all(value is not None for value in given):
        found[BY_UNCERTAINTY] = np.array(given, dtype=np.float64)
    return found


def referral_measures(calls: Calls, doubts: Mapping[str, Floats]) -> list[Measure]:
    """Area and, by distance, accuracy after referring SHARES of the images; ``doubts`` as ``uncertainties`` gives."""
    errors = {how: LastTwoCache(partial(_errors, calls, doubt)) for how, doubt in doubts.items()}
    measures = []
    for how, error in errors.items():
        ending, words = ("", "") if how == BY_DISTANCE else (f"_by_{how}", f", by {how}")
        area = partial(_area, error)
        measures.append(_measure(calls, f"aurc{ending}", f"mean error over all referrals{words}", area, higher=False))
    for number, share in enumerate(SHARES):
        accuracy = partial(_accuracy, errors[BY_DISTANCE], number)
        label = f"accuracy with the {share}% most uncertain referred"
        measures.append(_measure(calls, f"accuracy_referring_{share}", label, accuracy, higher=True))
    return measures


def referral_curve(calls: Calls, doubt: Floats, weights: NDArray[np.uint16], *, level: float) -> Curve:
    """Accuracy, sensitivity and specificity of the images kept, against the proportion referred.

    Args:
        doubt: (N,) uncertainty of each image.
        weights: (B, C), how often each case was drawn.
        level: of the bands, (0, 1).
    """
    return _curve("referred", REFERRED, partial(_kept, calls, doubt), weights, calls.n_cases, level)


def decision_curve(calls: Calls, weights: NDArray[np.uint16], *, temperature: float | None, level: float) -> Curve:
    """Net benefit of the scores as probabilities, after the temperature, and of calling everybody; other arguments as
    ``referral_curve``."""
    probabilities = calibrated(calls.score, temperature)

    def worth(drawn: Floats) -> dict[str, Floats]:
        of_images = drawn[:, calls.case_of]
        return {
            "net_benefit": net_benefits(probabilities, calls.tumor, of_images, PROBABILITIES),
            "treat_all": treat_all(calls.tumor, of_images, PROBABILITIES),
        }

    return _curve("threshold_probability", PROBABILITIES, worth, weights, calls.n_cases, level)


def _curve(
    axis: str,
    at: Floats,
    values: Callable[[Floats], Mapping[str, Floats]],
    weights: NDArray[np.uint16],
    n_cases: int,
    level: float,
) -> Curve:
    drawn: dict[str, list[Floats]] = {}
    for start, stop in block_spans(*weights.shape):
        for name, rows in values(weights[start:stop].astype(np.float64)).items():
            drawn.setdefault(name, []).append(rows)
    plain = values(np.ones((1, n_cases)))
    bands = {name: _band(plain[name][0], np.concatenate(blocks), level) for name, blocks in drawn.items()}
    return Curve(axis, at, bands)


def _band(value: Floats, drawn: Floats, level: float) -> Band:
    """Percentile limits of the resamples that define a point; NaN where none or only one does."""
    limits = np.full((2, len(value)), np.nan)
    for point in range(len(value)):
        defined = drawn[np.isfinite(drawn[:, point]), point]
        if len(defined) > 1 and np.isfinite(value[point]):
            limits[:, point] = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Band(value, *limits)


def _kept(calls: Calls, doubt: Floats, drawn: Floats) -> dict[str, Floats]:
    tumor, right = calls.tumor, calls.positive == calls.tumor
    of_images = drawn[:, calls.case_of]
    counted = np.column_stack([right, tumor, tumor & right])
    n_right, tumors, hits = np.moveaxis(kept_counts(doubt, counted, of_images, REFERRED), 2, 0)
    n = (1 - REFERRED) * of_images.sum(axis=1)[:, None]
    pairs = {"accuracy": (n_right, n), "sensitivity": (hits, tumors), "specificity": (n_right - hits, n - tumors)}
    return {name: _share(*pair) for name, pair in pairs.items()}


def _share(part: Floats, whole: Floats) -> Floats:
    """Quotient, NaN where the whole is 0 but for rounding."""
    return np.clip(divide(part, np.where(whole > _CLIP, whole, 0)), 0, 1)


def _errors(calls: Calls, doubt: Floats, weights: Floats) -> Floats:
    """(B, M + S) error of the images kept at each of _MIDPOINTS, then of SHARES."""
    of_images = weights[:, calls.case_of]
    referred = np.concatenate([_MIDPOINTS, np.array(SHARES) / 100])
    wrong = kept_counts(doubt, (calls.positive != calls.tumor)[:, None], of_images, referred)[..., 0]
    return _share(wrong, (1 - referred) * of_images.sum(axis=1)[:, None])


def _area(errors: Callable[[Floats], Floats], weights: Floats) -> Floats:
    return np.asarray(errors(weights)[:, : len(_MIDPOINTS)].mean(axis=1))


def _accuracy(errors: Callable[[Floats], Floats], number: int, weights: Floats) -> Floats:
    return 1 - errors(weights)[:, len(_MIDPOINTS) + number]


def _measure(calls: Calls, name: str, label: str, resample: Callable[[Floats], Floats], *, higher: bool) -> Measure:
    return Measure(
        name=f"image_{name}",
        label=f"{label} (images)",
        group=IMAGES,
        unit="images",
        n=len(calls),
        n_cases=calls.n_cases,
        resample=resample,
        n_contributing=calls.n_cases,
        higher_is_better=higher,
    )


def _logit(probability: Floats) -> Floats:
    return np.asarray(np.log(probability / (1 - probability)))
