"""The values a study consists of: its settings, estimates, subgroups, tests and tables. No computation.

Users import them from ``segtumor.evaluation.study.study``, which fills them.
"""

import math
from dataclasses import dataclass
from typing import Any

from segtumor.errors import ConfigError
from segtumor.evaluation.facts.cases import CaseTable
from segtumor.evaluation.facts.matching import MatchedImage
from segtumor.evaluation.summary.summary import Evaluation
from segtumor.settings.kinds import percent_hint

ANY, MEAN, MAX = "any", "mean", "max"
RULES = (ANY, MEAN, MAX)
FROC_CRITERIA = ("iou", "centre", "mask")

_SHARES = ("score threshold", "IoU threshold", "confidence level")


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """What a study assumes; all of it is written beside the numbers.

    Attributes:
        score_threshold: findings below it do not make an image positive, [0, 1].
        iou_threshold: IoU from which a matched lesion is hit, (0, 1].
        rule: how the images of a patient become one answer: ``"any"`` image positive; ``"max"`` or ``"mean"`` of the
            image scores at or above the threshold.
        require_located: a patient with tumor counts as found only if one of its lesions is hit on some image. Of the
            measures of patients, sensitivity, specificity, accuracy, balanced accuracy and kappa go by this; predictive
            values, F1, MCC, classes and areas by the plain call.
        froc_criterion: what hits a lesion in the FROC curve: ``"iou"``, ``"centre"`` or ``"mask"``.
        surface_tolerance_px: tolerance of the normalized surface Dice, px; ``surface_tolerance_mm`` in mm.
        n_resamples: bootstrap resamples of cases.
        seed: of the bootstrap, 0 or more.
        level: confidence level of the intervals, (0, 1).
        temperature: divides the logit of the score before it is judged as a probability (Guo et al. 2017); None: as is.
        min_group: subgroups with fewer images (of a lesion's field: lesions) are left out.
        subgroup_fields: fields to divide by; None: every field the data has.

    Raises:
        ConfigError: a value out of range.
    """

    score_threshold: float = 0.5
    iou_threshold: float = 0.5
    rule: str = ANY
    require_located: bool = False
    froc_criterion: str = "iou"
    surface_tolerance_px: float = 2.0
    surface_tolerance_mm: float = 2.0
    n_resamples: int = 2000
    seed: int = 0
    level: float = 0.95
    temperature: float | None = None
    min_group: int = 1
    subgroup_fields: tuple[str, ...] | None = None

    def __post_init__(self):
        tolerance_px, tolerance_mm = self.surface_tolerance_px, self.surface_tolerance_mm
        checks = [
            ("score threshold", self.score_threshold, 0 <= self.score_threshold <= 1, "0 to 1"),
            ("IoU threshold", self.iou_threshold, 0 < self.iou_threshold <= 1, "above 0, up to 1"),
            ("patient rule", self.rule, self.rule in RULES, ", ".join(RULES)),
            ("FROC criterion", self.froc_criterion, self.froc_criterion in FROC_CRITERIA, ", ".join(FROC_CRITERIA)),
            ("surface tolerance (px)", tolerance_px, 0 <= tolerance_px < math.inf, "0 or more, finite"),
            ("surface tolerance (mm)", tolerance_mm, 0 <= tolerance_mm < math.inf, "0 or more, finite"),
            ("number of resamples", self.n_resamples, self.n_resamples >= 1, "1 or more"),
            ("seed", self.seed, self.seed >= 0, "0 or more"),
            ("confidence level", self.level, 0 < self.level < 1, "between 0 and 1"),
            ("temperature", self.temperature, self.temperature is None or self.temperature > 0, "above 0"),
            ("smallest subgroup", self.min_group, self.min_group >= 1, "1 or more"),
        ]
        for what, got, sound, expected in checks:
            if not sound:
                remedy = percent_hint(got) if what in _SHARES else None
                raise ConfigError(f"{what} out of range", got=got, expected=expected, remedy=remedy)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One measure with its uncertainty.

    Attributes:
        name: short name, as in ``metrics.json``.
        label: name for people.
        group: ``measures.GROUPS``: "overlap", "surface", "lesions", "detection", "images", "patients", "calibration".
        unit: what ``n`` counts: "lesions", "images", "patients", "findings".
        value: NaN if undefined.
        low, high: limits of the confidence interval, NaN if undefined.
        method: how the interval was found, or why there is none.
        n: units that define the value.
        successes: of a proportion, how many of ``n``; else None.
        n_cases: cases resampled; fewer may hold what is measured, which ``method`` tells where they are few.
        n_defined: resamples in which the measure is defined.
        wilson_low, wilson_high: Wilson's limits of a proportion, which take the units for independent; else NaN.
        higher_is_better: whether it is.
        in_percent: 0 to 100 (average precision) instead of 0 to 1.
    """

    name: str
    label: str
    group: str
    unit: str
    value: float
    low: float
    high: float
    method: str
    n: int
    successes: int | None
    n_cases: int
    n_defined: int
    wilson_low: float
    wilson_high: float
    higher_is_better: bool = True
    in_percent: bool = False


@dataclass(frozen=True)
class SubgroupEstimate:
    """An Estimate on one level of one field, such as ("sex", "F")."""

    field: str
    level: str
    estimate: Estimate


@dataclass(frozen=True)
class GroupTest:
    """Whether a measure differs across the levels of a field.

    Attributes:
        field: the field.
        measure: name of the measure.
        test: name of the test.
        statistic: its statistic, NaN if undefined.
        p_value: two-sided, NaN if undefined.
        p_holm: the same, adjusted for all tests of the study (Holm 1979).
        n_groups: levels compared.
        note: what limits the test, or why it was not made.
    """

    field: str
    measure: str
    test: str
    statistic: float
    p_value: float
    p_holm: float
    n_groups: int
    note: str


@dataclass(frozen=True, kw_only=True)
class Study:
    """Everything measured on a set of images.

    Attributes:
        settings: what was assumed.
        evaluation: the metrics without intervals, as ``evaluate`` gives them.
        class_names: names by ``class_id``.
        images: MatchedImages, in the order of the results.
        cases: which image belongs to which case.
        estimates: one per measure.
        subgroups: the same by subgroup.
        tests: across the levels of each field.
        per_lesion, per_image, per_case: rows (dicts); missing values are None.
        curves: {"roc_image", "roc_patient": RocCurve, "pr_image", "pr_patient": PrCurve, "froc": Froc, "reliability",
            "reliability_patient": Reliability}; an undefined curve is left out.
        confusions: {"image_class", "patient_class": (names, (K + 1, K + 1) int counts, rows true)}; first is normal.
            Of the plain calls, wherever the finding lies.
        remarks: what was assumed or is undefined, in sentences.
    """

    settings: StudySettings
    evaluation: Evaluation
    class_names: tuple[str, ...]
    images: tuple[MatchedImage, ...]
    cases: CaseTable
    estimates: tuple[Estimate, ...]
    subgroups: tuple[SubgroupEstimate, ...]
    tests: tuple[GroupTest, ...]
    per_lesion: list[dict]
    per_image: list[dict]
    per_case: list[dict]
    curves: dict[str, Any]
    confusions: dict[str, tuple]
    remarks: tuple[str, ...]
