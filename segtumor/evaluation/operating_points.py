"""The operating points of a model as it keeps them: thresholds chosen on validation, in a file beside its weights.

    operating_points.json   in the folder of a training run, or of an export made of it

Each says for what it was chosen and what it reached there, on the images that chose it: elsewhere it reaches less. The
file names these images by the hash of their annotations, so that nobody judges a point by what chose it. Not here: the
choice of a score (``facts.operating_points``).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.facts.cases import case_table
from segtumor.evaluation.facts.image_level import image_calls
from segtumor.evaluation.facts.operating_points import Goals, choose_thresholds, sensitivity_and_specificity
from segtumor.files import read_ordinary, sha256_of_file
from segtumor.runs import OPERATING_POINTS
from segtumor.runtime.fields import Rule, Several, WrongFieldError, fields_of
from segtumor.statistics.conformal import class_thresholds
from segtumor.structures.lesions import ImageResult

SCHEMA_VERSION = 1
#: Whether prediction sets keep the risk over all images or in each class.
MARGINAL, BY_CLASS = SET_KINDS = ("marginal", "by-class")
_REMEDY = "Choose them again: segtumor evaluate --choose-operating-points, on the validation part"

_Text = Annotated[str, Rule(str, "a text")]
_Share = Annotated[float, Rule(float, "0 to 1", 0, 1)]
_Count = Annotated[int, Rule(int, "a whole number", 0)]
_Shares = Annotated[tuple[float, ...], Several(Rule(float, "0 to 1", 0, 1))]


@dataclass(frozen=True)
class OperatingPoint:
    """A score from which on images or findings count.

    Attributes:
        key: by which it is asked for, one of ``facts.operating_points.KEYS``.
        name: what it was chosen for, such as "sensitivity 0.90".
        of: "image" or "finding".
        score_threshold: [0, 1].
        sensitivity, specificity: of the images that chose it, [0, 1]; of findings, of images that have one.
    """

    key: _Text
    name: _Text
    of: _Text
    score_threshold: _Share
    sensitivity: _Share
    specificity: _Share


@dataclass(frozen=True)
class OperatingPoints:
    """What a model keeps.

    Attributes:
        class_names: K names, without normal.
        risk: of a prediction set without the true class, (0, 1).
        marginal_sets, by_class_sets: (K + 1,) thresholds of ``statistics.conformal.prediction_sets``, normal first.
        n_images, n_cases: that chose them.
        annotations_sha256: of the annotations of these.
        weights_sha256: of the weights that are meant; "" if unknown, as of an ensemble.
    """

    class_names: Annotated[tuple[str, ...], Several(Rule(str, "a text"))]
    points: Annotated[tuple[OperatingPoint, ...], Several(fields_of(OperatingPoint), least=0)]
    risk: _Share
    marginal_sets: _Shares
    by_class_sets: _Shares
    n_images: _Count
    n_cases: _Count
    annotations_sha256: _Text
    weights_sha256: Annotated[str, Rule(str, "a text")] = ""

    def point(self, key: str) -> OperatingPoint:
        """The point of a key.

        Raises:
            ConfigError: there is none.
        """
        found = {point.key: point for point in self.points}
        if key not in found:
            what = "the model has no such operating point"
            raise ConfigError(what, where="--operating-point", got=key, expected=", ".join(found) or "none at all")
        return found[key]

    def sets(self, kind: str) -> tuple[float, ...]:
        """The thresholds of prediction sets of a kind, one of SET_KINDS.

        Raises:
            ConfigError: another kind, or the model keeps none.
        """
        known = {MARGINAL: self.marginal_sets, BY_CLASS: self.by_class_sets}
        if kind not in known:
            raise ConfigError("unknown kind", where="--prediction-sets", got=kind, expected=", ".join(SET_KINDS))
        if not known[kind]:
            raise ConfigError(
                "the model has no thresholds of prediction sets", where="--prediction-sets", remedy=_REMEDY
            )
        return known[kind]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the file."""
        values = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        return {name: value for name, value in values.items() if value != ""}


def choose_points(
    results: Sequence[ImageResult],
    class_names: Sequence[str],
    goals: Goals,
    *,
    annotations_sha256: str,
    weights_sha256: str = "",
    iou_threshold: float = 0.5,
) -> OperatingPoints:
    """Choose on ImageResults of a validation set.

    Args:
        annotations_sha256, weights_sha256: see ``OperatingPoints``.
        iou_threshold: from which on a finding hits a lesion, (0, 1].

    Raises:
        DataError: no image with a tumour, or no normal one.
    """
    thresholds = choose_thresholds(results, class_names, goals, iou_threshold=iou_threshold)
    cases = case_table([result.truth for result in results])
    calls = image_calls(results, class_names, cases, score_threshold=0.5)
    of_calls = calls.class_scores, calls.true_class, calls.case_of
    marginal, by_class = (class_thresholds(*of_calls, risk=goals.risk, by_class=each) for each in (False, True))
    return OperatingPoints(
        class_names=tuple(class_names),
        points=tuple(
            OperatingPoint(t.key, t.name, t.of, t.score, *sensitivity_and_specificity(results, class_names, t))
            for t in thresholds
        ),
        risk=goals.risk,
        marginal_sets=tuple(marginal.tolist()),
        by_class_sets=tuple(by_class.tolist()),
        n_images=len(results),
        n_cases=len(cases),
        annotations_sha256=annotations_sha256,
        weights_sha256=weights_sha256,
    )


def read_points(
    path: str | Path, *, class_names: Sequence[str] | None = None, weights_sha256: str | None = None
) -> OperatingPoints:
    """Read the file, or that in a folder.

    Args:
        class_names: of the model that is to use them; None does not compare.
        weights_sha256: of its weights; None does not compare.

    Raises:
        ConfigError: there is none, or it belongs to other classes or weights.
        DataError: it is damaged.
    """
    path = Path(path)
    path = path / OPERATING_POINTS if path.is_dir() else path
    found = _parsed(path)
    pairs: dict[str, tuple[Any, Any]] = {
        "classes": (None if class_names is None else tuple(class_names), found.class_names),
        "weights (SHA-256)": (weights_sha256, found.weights_sha256 or weights_sha256),
    }
    for what, (ours, theirs) in pairs.items():
        if ours is not None and ours != theirs:
            problem = f"operating points of other {what}"
            raise ConfigError(problem, where=path, got=str(theirs), expected=str(ours), remedy=_REMEDY)
    return found


def used_threshold(key: str, default: float, weights: Path) -> float:
    """The score from which on findings and images count: that of a key, kept beside the weights, or without a key the
    ``default``. Errors as ``read_points``."""
    if not key:
        return default
    return read_points(weights.parent, weights_sha256=sha256_of_file(weights)).point(key).score_threshold


def _parsed(path: Path) -> OperatingPoints:
    try:
        values = json.loads(read_ordinary(path))
    except FileNotFoundError as error:
        raise ConfigError("no operating points", where=path, remedy=_REMEDY) from error
    except (OSError, ValueError, RecursionError) as error:  # UnicodeDecodeError is one
        raise DataError("cannot be read as JSON", where=path, remedy=_REMEDY) from error
    try:
        if isinstance(values, dict) and values.pop("schema_version", None) != SCHEMA_VERSION:
            raise WrongFieldError("schema_version", "is not right", expected=str(SCHEMA_VERSION))
        found: OperatingPoints = fields_of(OperatingPoints).read(values, "")
        for field in ("marginal_sets", "by_class_sets"):
            if len(getattr(found, field)) != len(found.class_names) + 1:
                raise WrongFieldError(field, "is not right", expected="a threshold of normal and of each class")
    except WrongFieldError as error:
        problem = f"{error.field} {error.what}"
        raise DataError(problem, where=path, got=error.got, expected=error.expected, remedy=_REMEDY) from error
    return found


def point_rows(points: OperatingPoints) -> list[tuple[str, ...]]:
    """Rows of a table for people: key, what for, of what, score, sensitivity, specificity."""
    return [
        (p.key, p.name, p.of, *(f"{value:.3f}" for value in (p.score_threshold, p.sensitivity, p.specificity)))
        for p in points.points
    ]


def refuse_chosen_on(points: OperatingPoints, annotations_sha256: str, *, where: str) -> None:
    """Raise ConfigError if the points were chosen on these annotations: they would be judged by what chose them."""
    if points.annotations_sha256 == annotations_sha256:
        raise ConfigError(
            "the operating point was chosen on these annotations, where it looks better than it is",
            where=where,
            expected="annotations of another part, such as the test part",
        )
