"""What every interval and every test of this room returns. Not here: how they are computed."""

from dataclasses import dataclass
from typing import ClassVar

from segtumor.errors import DataError

#: Kinds of ``Method`` that programs choose by.
BCA, PERCENTILE, CLOPPER_PEARSON, DEGENERATE, UNDEFINED = (
    "bca",
    "percentile",
    "clopper-pearson",
    "degenerate",
    "undefined:",
)


class Method(str):
    """How an interval was found, in words as tables have them. Programs choose by its parts, never by the text.

    Attributes:
        kind: its first word; one of the constants above, or another.
        detail: what follows; of UNDEFINED the reason.
    """

    kind: str
    detail: str

    def __new__(cls, kind: str, detail: str = "") -> "Method":
        method = super().__new__(cls, f"{kind} {detail}".rstrip())
        method.kind, method.detail = kind, detail
        return method


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low, high: its ends, ``low <= high``; both NaN where undefined.
        method: how it was found, or of kind UNDEFINED.
        level: nominal coverage, in (0, 1).
    """

    low: float
    high: float
    method: Method
    level: float = 0.95


@dataclass(frozen=True)
class TestResult:
    """A test of a hypothesis.

    Attributes:
        statistic: what it looked at, in the test's own unit; NaN where undefined.
        p_value: two-sided, in [0, 1]; NaN where undefined.
        n: observations that the test used.
        note: the variant taken, what the p-value relies on, or why there is none; may be empty.
    """

    __test__: ClassVar[bool] = False  # or pytest would collect it for its name

    name: str
    statistic: float
    p_value: float
    n: int
    note: str = ""


def undefined_interval(reason: str, level: float = 0.95) -> Interval:
    """An undefined interval; ``reason`` is a phrase such as "one case"."""
    return Interval(float("nan"), float("nan"), Method(UNDEFINED, reason), level)


def undefined_test(name: str, n: int, reason: str) -> TestResult:
    """The result of a test that could not be done."""
    return TestResult(name, float("nan"), float("nan"), n, reason)


def check_level(level: float) -> None:
    """DataError unless the level lies strictly between 0 and 1."""
    if not 0 < level < 1:
        raise DataError("level of confidence cannot be used", got=level, expected="a number between 0 and 1, as 0.95")
