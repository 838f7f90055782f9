"""What a study assumes. Not here: what it gives (``segtumor.evaluation.study.values``)."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from segtumor.ages import AGE_GROUP_STARTS, OLDEST_YEARS
from segtumor.errors import ConfigError
from segtumor.settings.kinds import percent_hint

ANY, MEAN, MAX = "any", "mean", "max"
RULES = (ANY, MEAN, MAX)
#: What hits a lesion in the FROC curve; ``froc_events`` defines them.
IOU, CENTRE, MASK = FROC_CRITERIA = ("iou", "centre", "mask")

#: Of ``size_limits_mm``: split the lesions at the median of their diameters.
MEDIAN = "median"

_AGES = f"whole years from 1 to {OLDEST_YEARS}, increasing"
_SHARES = ("score threshold", "IoU threshold", "confidence level")


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """What a study assumes; all of it is written beside the numbers.

    Attributes:
        score_threshold: findings below it do not make an image positive, [0, 1].
        iou_threshold: IoU from which a matched lesion is hit, (0, 1].
        rule: how the images of a patient become one answer: ``"any"`` image positive; ``"max"`` or ``"mean"`` of the
            image scores at or above the threshold.
        require_located: a patient with a tumour counts as found only if one of its lesions is hit on some image. Of the
            measures of patients, sensitivity, specificity, accuracy, balanced accuracy and kappa go by this; predictive
            values, F1, MCC, classes and areas by the plain call.
        froc_criterion: what hits a lesion in the FROC curve: ``"iou"``, ``"centre"`` or ``"mask"``.
        surface_tolerance_px: tolerance of the normalised surface Dice, px; ``surface_tolerance_mm`` in mm.
        n_resamples: bootstrap resamples of cases.
        seed: of the bootstrap, 0 or more.
        level: confidence level of the intervals, (0, 1).
        temperature: divides the logit of the score before it is judged as a probability (Guo et al. 2017); None: as is.
        min_group: subgroups with fewer images (of a lesion's field: lesions) are left out.
        subgroup_fields: fields to divide by; None: every field the data has.
        age_limits: years at which a new age group begins, increasing.
        size_limits_mm: longest diameters of lesions, mm, at which a new group of ``size_mm`` begins, increasing;
            MEDIAN: at their median; None: no groups by size in mm.

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
    age_limits: tuple[int, ...] = AGE_GROUP_STARTS
    size_limits_mm: tuple[float, ...] | str | None = None

    def __post_init__(self) -> None:
        years, sizes = self.age_limits, self.size_limits_mm
        increasing = isinstance(sizes, tuple) and _increasing(sizes) and sizes[0] > 0 and sizes[-1] < math.inf
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
            ("age limits", years, _increasing(years) and years[0] > 0 and years[-1] <= OLDEST_YEARS, _AGES),
            ("size limits (mm)", sizes, sizes in (None, MEDIAN) or increasing, f"above 0, increasing, or {MEDIAN}"),
        ]
        for what, got, sound, expected in checks:
            if not sound:
                remedy = percent_hint(got) if what in _SHARES else None
                raise ConfigError(f"{what} out of range", got=got, expected=expected, remedy=remedy)


def _increasing(limits: Sequence[float]) -> bool:
    """Whether there are limits, each above the one before."""
    return bool(limits) and all(low < high for low, high in itertools.pairwise(limits))
