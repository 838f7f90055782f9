"""Two sets of findings on the same images, paired: differences with intervals and p values.

The results of both are joined into one measure set of 2C cases, the first C of the one, the last C of the other.
Weights then say which of the two is asked: drawing cases for both at once gives the interval of the difference, and
letting the two results of a case change places gives the permutation test. So whatever is a Measure can be compared.
Not here: reading the files, and readers' marks (``segtumor.annotations.reader_marks``).
Letters: B resamples, P permutations, C cases.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from segtumor.arrays import Floats
from segtumor.cases import case_of
from segtumor.errors import DataError
from segtumor.evaluation.comparison.paired_patients import paired_patient_test
from segtumor.evaluation.comparison.rank_scale import FINDINGS, by_finding_rank, by_image_rank, ranked_by
from segtumor.evaluation.comparison.rank_scale import IMAGES as IMAGE_RANKS
from segtumor.evaluation.facts.facts import with_marking
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.measures.measure import CALIBRATION, DETECTION, IMAGES, PATIENTS, SURFACE, Measure
from segtumor.evaluation.study.intervals import bootstrap_interval, contributing
from segtumor.evaluation.study.remarks import comparison_remarks
from segtumor.evaluation.study.study import measures_of
from segtumor.evaluation.study.values import StudyRemark
from segtumor.progress import StepProgress, silent
from segtumor.statistics.bootstrap import block_spans, case_weights, leave_one_out_rows
from segtumor.statistics.hypothesis import holm
from segtumor.statistics.interval import Interval, Method, undefined_interval
from segtumor.structures.lesions import ImageResult

PERMUTATION = "permutation of cases"
#: A permuted difference this close to the observed one counts as equally extreme: sums differ in their last digits.
_TIE = 1e-9


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparisonRow:
    """One measure of both.

    Attributes:
        name, label, group, unit, higher_is_better, in_percent: as in Measure.
        first, second: its values, NaN if undefined.
        n_first, n_second: units that define them.
        difference: first less second.
        low, high, method: interval of the difference, from resampling cases.
        p_value: two-sided, that the difference is 0, NaN where that is undefined; ``p_holm`` adjusted for all rows.
    """

    name: str
    label: str
    group: str
    unit: str
    first: float
    second: float
    n_first: int
    n_second: int
    difference: float
    low: float
    high: float
    method: Method
    p_value: float
    p_holm: float
    test: str
    higher_is_better: bool = True
    in_percent: bool = False


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Rows by measure, the two names, how many cases and images were paired, and what was assumed, in sentences."""

    rows: tuple[ComparisonRow, ...]
    names: tuple[str, str]
    n_cases: int
    n_images: int
    remarks: tuple[str, ...]


def compare(
    first: Iterable[ImageResult],
    second: Iterable[ImageResult],
    class_names: Sequence[str],
    settings: StudySettings | None = None,
    *,
    names: tuple[str, str] = ("first", "second"),
    only: Callable[[Measure], bool] | None = None,
    n_permutations: int = 10_000,
    progress: StepProgress | None = None,
) -> Comparison:
    """Compare two sets of findings on the same images.

    Args:
        first, second: ImageResults with the same truths, in any order.
        only: function of a Measure, whether to compare it and adjust for it; None: all that both define.

    Raises:
        DataError: the images differ, or there are none.
    """
    settings, progress = settings or StudySettings(), progress or silent
    first = with_marking(tuple(first))
    second = with_marking(_in_order_of(first, list(second)))
    joined = measures_of(_joined(first, second), class_names, settings)
    n_cases = len(joined.cases) // 2
    sets = [measures_of(results, class_names, settings) for results in (first, second)]
    alone = [one.measures for one in sets]
    common = {name: m for name, m in joined.measures.items() if name in alone[0] and name in alone[1]}
    measures = {name: measure for name, measure in common.items() if only is None or only(measure)}
    values = _values(measures, [np.ones((1, n_cases))])
    replicates = _values(measures, _draws(n_cases, settings, progress))
    spans = progress("leaving out", block_spans(n_cases, n_cases))
    jackknife = _values(measures, (leave_one_out_rows(*span, n_cases) for span in spans))
    exchangeable = _on_common_scales(measures, first, second, class_names, settings)
    observed = _values(exchangeable, [np.ones((1, n_cases))])
    swapped = _permuted(exchangeable, n_cases, n_permutations, settings.seed, progress)
    rows = []
    for name in measures:
        n_contributing = min(contributing(one[name]) for one in alone)
        interval = _interval(values[name], replicates[name], jackknife[name], n_contributing, settings.level)
        p_value, test = _p_value(observed[name], swapped[name])
        special = paired_patient_test(name, *(one.patients for one in sets))
        if special is not None and np.isfinite(values[name]).all():
            p_value, test = special.p_value, special.name
        rows.append(_row(measures[name], alone, values[name], interval, p_value, test))
    adjusted = holm([row.p_value for row in rows])
    rows = [dataclasses.replace(row, p_holm=float(p)) for row, p in zip(rows, adjusted, strict=True)]
    remarks = _remarks([one.remarks for one in sets], names, n_cases)
    rough = comparison_remarks([row.method for row in rows], settings)
    return Comparison(tuple(rows), (names[0], names[1]), n_cases, len(first), (*remarks, *rough))


def means_something(
    measure: Measure, *, masks: bool = True, classes: bool = True, confidence: bool = True, boxes: bool = True
) -> bool:
    """Whether a Measure says something about findings that may lack masks, classes, a confidence, or even boxes."""
    of_masks = measure.group == SURFACE or measure.name.startswith(
        ("mask_", "image_dice", "image_iou", "image_missed_whole", "pixel_")
    )
    of_classes = measure.group == DETECTION or "_class_" in measure.name
    of_scores = measure.group in (DETECTION, CALIBRATION) or any(part in measure.name for part in ("_auc", "froc"))
    of_boxes = measure.group not in (IMAGES, PATIENTS, CALIBRATION)
    pairs = ((of_masks, masks), (of_classes, classes), (of_scores, confidence), (of_boxes, boxes))
    return all(given or not needed for needed, given in pairs)


def without_masks(results: Iterable[ImageResult]) -> list[ImageResult]:
    """ImageResults whose findings are boxes, so that they are judged as a reader's boxes are."""
    return [
        dataclasses.replace(result, findings=tuple(dataclasses.replace(f, rle=None) for f in result.findings))
        for result in results
    ]


def _in_order_of(first: Sequence[ImageResult], second: Sequence[ImageResult]) -> list[ImageResult]:
    by_id = {result.truth.image_id: result for result in second}
    ids = [result.truth.image_id for result in first]
    if not ids:
        raise DataError("no images to compare on")
    if set(ids) != set(by_id) or len(ids) != len(by_id):
        raise DataError("the two were not found on the same images", got=f"{len(ids)} and {len(by_id)} images")
    return [by_id[image_id] for image_id in ids]


def _joined(first: Sequence[ImageResult], second: Sequence[ImageResult]) -> list[ImageResult]:
    offset = 1 + max(result.truth.image_id for result in first) - min(0, *(r.truth.image_id for r in first))
    return [*first, *(_renamed(result, offset) for result in second)]


def _renamed(result: ImageResult, offset: int) -> ImageResult:
    attributes = dict(result.truth.attributes)
    case = case_of(attributes)
    if case is not None:
        attributes["case_id"] = f"{case} (second)"
    truth = dataclasses.replace(result.truth, image_id=result.truth.image_id + offset, attributes=attributes)
    return dataclasses.replace(result, truth=truth)


def _on_common_scales(
    measures: Mapping[str, Measure],
    first: Sequence[ImageResult],
    second: Sequence[ImageResult],
    class_names: Sequence[str],
    settings: StudySettings,
) -> dict[str, Measure]:
    """The measures again, those that only rank on scores that both models share: their results may change places."""
    kinds = {name: ranked_by(measure, settings) for name, measure in measures.items()}
    common = dict(measures)
    if FINDINGS in kinds.values():
        ranked = measures_of(_joined(*by_finding_rank(first, second)), class_names, settings).measures
        common |= {name: ranked[name] for name, kind in kinds.items() if kind == FINDINGS}
    if IMAGE_RANKS in kinds.values():
        plain = dataclasses.replace(settings, require_located=False)  # a rank has no place, and needs none
        ranked = measures_of(_joined(*by_image_rank(first, second, len(class_names))), class_names, plain).measures
        common |= {name: ranked[name] for name, kind in kinds.items() if kind == IMAGE_RANKS}
    return common


def _draws(n_cases: int, settings: StudySettings, progress: StepProgress) -> Iterator[Floats]:
    rng = np.random.default_rng(settings.seed)
    spans = progress("resampling", block_spans(settings.n_resamples, n_cases))
    return (case_weights(n_cases, stop - start, rng=rng) for start, stop in spans)


def _values(measures: Mapping[str, Measure], blocks: Iterable[Floats]) -> dict[str, Floats]:
    """{name: (rows, 2)}: value of the first and of the second in each row of the blocks of (B, C) weights."""
    return _both(measures, ((np.hstack([w, 0 * w]), np.hstack([0 * w, w])) for w in blocks))


def _permuted(
    measures: Mapping[str, Measure], n_cases: int, n_permutations: int, seed: int, progress: StepProgress
) -> dict[str, Floats]:
    rng = np.random.default_rng([seed, 1])  # other draws than the bootstrap's
    spans = progress("permuting", block_spans(n_permutations, n_cases))
    swaps = (rng.integers(0, 2, size=(stop - start, n_cases)).astype(np.float64) for start, stop in spans)
    return _both(measures, ((np.hstack([1 - s, s]), np.hstack([s, 1 - s])) for s in swaps))


def _both(measures: Mapping[str, Measure], pairs_of_weights: Iterable[tuple[Floats, Floats]]) -> dict[str, Floats]:
    found: dict[str, list[Floats]] = {name: [] for name in measures}
    for first, second in pairs_of_weights:
        for name, measure in measures.items():
            found[name].append(np.column_stack([measure.resample(first), measure.resample(second)]))
    return {name: np.concatenate(parts) if parts else np.empty((0, 2)) for name, parts in found.items()}


def _difference(pairs: Floats) -> Floats:
    return np.asarray(pairs[:, 0] - pairs[:, 1])


def _interval(values: Floats, replicates: Floats, jackknife: Floats, n_cases: int, level: float) -> Interval:
    if len(jackknife) < 2:
        return undefined_interval("one case", level)
    value, replicates, jackknife = (_difference(pairs) for pairs in (values, replicates, jackknife))
    return bootstrap_interval(float(value[0]), replicates, jackknife, n_cases=n_cases, level=level)


def _p_value(values: Floats, permuted: Floats) -> tuple[float, str]:
    """Phipson and Smyth 2010: the observed arrangement is one of the permutations."""
    observed, differences = abs(_difference(values)[0]), np.abs(_difference(permuted))
    defined = differences[np.isfinite(differences)]
    if not np.isfinite(observed) or not len(defined):
        return float("nan"), "undefined"
    return float((1 + np.sum(defined >= observed - _TIE)) / (1 + len(defined))), PERMUTATION


def _row(
    measure: Measure,
    alone: Sequence[Mapping[str, Measure]],
    values: Floats,
    interval: Interval,
    p_value: float,
    test: str,
) -> ComparisonRow:
    return ComparisonRow(
        **measure.about,
        first=float(values[0, 0]),
        second=float(values[0, 1]),
        n_first=alone[0][measure.name].n,
        n_second=alone[1][measure.name].n,
        difference=float(_difference(values)[0]),
        low=interval.low,
        high=interval.high,
        method=interval.method,
        p_value=p_value,
        p_holm=float("nan"),
        test=test,
    )


def _remarks(remarks: Sequence[tuple[StudyRemark, ...]], names: tuple[str, str], n_cases: int) -> tuple[str, ...]:
    """Those of both sets; what is said of one alone carries its name."""
    own = [f"{n_cases} cases: too few for intervals and tests to mean much"] if n_cases < 10 else []
    first, second = remarks
    shared = [text for text in first if text in second]
    sides = zip(names, remarks, strict=True)
    named = [remark.named(name) for name, own_remarks in sides for remark in own_remarks if remark not in shared]
    return tuple(dict.fromkeys([*own, *shared, *named]))
