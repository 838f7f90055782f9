"""The values that a study consists of: estimates, tests, rows, plain values. No computation, but for ``to_frame``."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from segtumor.arrays import Ints
from segtumor.evaluation.facts.cases import CaseTable
from segtumor.evaluation.facts.image_level import Calls
from segtumor.evaluation.facts.matching import MatchedImage
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.measures.measure import Measure
from segtumor.evaluation.measures.resampled_ap import PrecisionRecall
from segtumor.evaluation.study.stages import StageRow
from segtumor.statistics.interval import Method

if TYPE_CHECKING:
    from pandas import DataFrame

MISSED, BACKGROUND = "missed", "background"
#: A row of a table: plain values, None where there is none.
Row = dict[str, Any]


class StudyRemark(str):
    """A sentence for the reader of a study. What it is about is its ``code``, by which programs choose, never the text;
    "" where nobody chooses."""

    code: str

    def __new__(cls, text: str, code: str = "") -> "StudyRemark":
        remark = super().__new__(cls, text)
        remark.code = code
        return remark

    def named(self, name: str) -> "StudyRemark":
        """The same of one of several sets."""
        return StudyRemark(f"{name}: {self}", self.code)


@dataclass(frozen=True)
class Confusion:
    """Hits by true and predicted class, with what has no partner.

    Attributes:
        counts: (C + 1, C + 1) for C classes. Row i < C: true class i, by predicted class; the last column counts missed
            lesions. The last row, background, counts false positives by predicted class; its last cell is meaningless
            and 0.
    """

    counts: Ints
    class_names: tuple[str, ...]

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows."""
        return (*self.class_names, BACKGROUND)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return (*self.class_names, MISSED)


@dataclass(frozen=True)
class Evaluation:
    """What was measured, without intervals.

    Attributes:
        metrics: nested dict of plain values as in ``metrics.json``; undefined values are NaN.
        curves: {"bbox" or "segm": {class name: PrecisionRecall}}.
        confusion: hits by class, missed lesions and false positives.
    """

    metrics: dict[str, Any]
    per_lesion: list[Row]
    per_image: list[Row]
    curves: dict[str, dict[str, PrecisionRecall]]
    confusion: Confusion


@dataclass(frozen=True)
class MeasureSet:
    """Measures of the same cases, by name, the patients' Calls, and what was assumed or is undefined, in sentences."""

    measures: Mapping[str, Measure]
    cases: CaseTable
    patients: Calls
    remarks: tuple[StudyRemark, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One measure with its uncertainty.

    Attributes:
        name: short name, as in ``metrics.json``.
        group: ``measures.GROUPS``: "overlap", "surface", "lesions", "detection", "images", "patients", "calibration".
        unit: what ``n`` counts: "lesions", "images", "patients", "findings".
        value: NaN if undefined.
        low, high: limits of the confidence interval, NaN if undefined.
        method: how the interval was found, or why there is none.
        n: units that define the value.
        successes: of a proportion, how many of ``n``; else None.
        n_cases: cases resampled; fewer may hold what is measured, which ``method`` says where they are few.
        n_defined: resamples in which the measure is defined.
        wilson_low, wilson_high: Wilson's limits of a proportion, which take units to be independent; else NaN.
        in_percent: 0 to 100 (average precision) instead of 0 to 1.
    """

    name: str
    label: str
    group: str
    unit: str
    value: float
    low: float
    high: float
    method: Method
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
        evaluation: the metrics without intervals, as ``evaluate`` gives them.
        images: MatchedImages, in the order of the results.
        per_lesion, per_image, per_case: rows (dicts); missing values are None.
        curves: {"roc_image", "roc_patient": RocCurve, "pr_image", "pr_patient": PrCurve, "froc": Froc, "reliability",
            "reliability_patient": Reliability, "referral", "referral_by_uncertainty", "decision":
            ``measures.referral.Curve``}; an undefined curve is left out.
        confusions: {"image_class", "patient_class": (names, (K + 1, K + 1) int counts, rows true)}; first is normal.
            Of the plain calls, wherever the finding lies.
        stages: "tumour or not, then which", of images; empty where the model judges no whole images, or the classes
            are fewer than two.
        remarks: what was assumed or is undefined, in sentences; the code of a StudyRemark says what it is about.
    """

    settings: StudySettings
    evaluation: Evaluation
    class_names: tuple[str, ...]
    images: tuple[MatchedImage, ...]
    cases: CaseTable
    estimates: tuple[Estimate, ...]
    subgroups: tuple[SubgroupEstimate, ...]
    tests: tuple[GroupTest, ...]
    per_lesion: list[Row]
    per_image: list[Row]
    per_case: list[Row]
    curves: dict[str, Any]
    confusions: dict[str, tuple[tuple[str, ...], Ints]]
    remarks: tuple[str, ...]
    stages: tuple[StageRow, ...] = ()

    @property
    def marks_lesions(self) -> bool:
        """Whether the model says anywhere where lesions are; a classifier does not."""
        return not self.images or any(image.marks_lesions for image in self.images)

    @property
    def judges_images(self) -> bool:
        """Whether the model gives probabilities of whole images, rather than findings alone."""
        return any(image.judges_image for image in self.images)

    def to_frame(self) -> "DataFrame":
        """The estimates as a table, a row for each measure.

        Returns:
            a pandas.DataFrame, its index the ``name`` of the measure, its columns the other attributes of Estimate:
            label, group, unit, value, low, high, method, n, successes, n_cases, n_defined, wilson_low, wilson_high,
            higher_is_better, in_percent. Values are proportions from 0 to 1, percent where ``in_percent``, or in the
            unit that the name ends with; NaN if undefined.
        """
        import pandas

        columns = [field.name for field in fields(Estimate)]
        rows = [[getattr(estimate, name) for name in columns] for estimate in self.estimates]
        frame = pandas.DataFrame(rows, columns=columns).set_index("name")
        return frame.astype({"successes": "Int64"})  # whole numbers where there are any
