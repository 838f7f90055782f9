"""One figure of merit of every reader under every modality, with the error covariances that the cases give it.

Not here: which readers and modalities there are (``crossed``), and the analysis (``statistics.obuchowski_rockette``).
Letters: T modalities, R readers, C cases.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segtumor.arrays import Floats, Ints
from segtumor.evaluation.facts.cases import case_table
from segtumor.evaluation.facts.facts import facts_of
from segtumor.evaluation.facts.image_level import Calls
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.measures.measure import Measure
from segtumor.evaluation.readers.free_response import FreeResponse, free_response_measures, free_response_of
from segtumor.evaluation.readers.raters import Rater
from segtumor.evaluation.study.study import measures_of
from segtumor.statistics.bootstrap import leave_one_out_rows
from segtumor.statistics.error_covariance import delong_covariance, jackknife_covariance
from segtumor.statistics.obuchowski_rockette import (
    INFERENCES,
    Contrast,
    CrossedAnalysis,
    VarianceComponents,
    crossed_analysis,
    reader_differences,
    variance_components,
)

JACKKNIFE, DELONG = COVARIANCES = ("jackknife", "delong")
_AUC = "patient_auc"


@dataclass(frozen=True, kw_only=True)
class CrossedMeasure:
    """One figure of merit.

    Attributes:
        measure: of the first cell, for its name and label.
        values: (T, R).
        n_cases: cases that define it, and that were left out in turn.
        covariance: JACKKNIFE or DELONG.
        analyses: one for each of INFERENCES; ``p_holm`` the first one's p adjusted for all measures.
        by_reader: as ``reader_differences``.
    """

    measure: Measure
    values: Floats
    n_cases: int
    covariance: str
    components: VarianceComponents
    analyses: tuple[CrossedAnalysis, ...]
    by_reader: Mapping[tuple[int, int, int], Contrast]
    p_holm: float = float("nan")


@dataclass(frozen=True, kw_only=True)
class MeasuredCell:
    """What is known of one cell: of its measures, patients and marks."""

    measures: Mapping[str, Measure]
    calls: Calls
    marks: FreeResponse
    case_ids: tuple[str, ...]


def measured_cell(
    rater: Rater, image_ids: frozenset[int], class_names: Sequence[str], settings: StudySettings
) -> MeasuredCell:
    """The MeasuredCell of a rater on some images; marks of any score count in free response."""
    results = [result for image_id, result in rater.results.items() if image_id in image_ids]
    results.sort(key=lambda result: result.truth.image_id)  # cases in the same order in every cell
    everything = facts_of(results, class_names, dataclasses.replace(settings, score_threshold=0.0))
    marks = free_response_of(everything)
    found = measures_of(results, class_names, settings)
    more = {measure.name: measure for measure in free_response_measures(marks)}
    case_ids = case_table([result.truth for result in results]).case_ids
    return MeasuredCell(measures={**found.measures, **more}, calls=found.patients, marks=marks, case_ids=case_ids)


def crossed_measure(
    name: str, grid: Sequence[Sequence[MeasuredCell]], model: int | None, settings: StudySettings, covariance: str
) -> CrossedMeasure | None:
    """One measure over (T, R) cells; None where it, or it without one of the cases, is undefined.

    ``model`` is the index of the model's modality, if there is one.
    """
    measures = [[cell.measures[name] for cell in row] for row in grid]
    first = measures[0][0]
    values = np.array([[measure.value for measure in row] for row in measures])
    chosen = np.unique(np.concatenate([contributing_cases(measure) for row in measures for measure in row]))
    rows = leave_one_out_rows(0, first.n_cases, first.n_cases)[chosen]
    by_delong = covariance == DELONG and name == _AUC
    if by_delong:
        errors = delong_covariance([[cell.calls.score for cell in row] for row in grid], grid[0][0].calls.tumor)
    else:
        left_out = np.array([[measure.resample(rows) for measure in row] for row in measures])
        if len(chosen) < 2 or not (np.isfinite(left_out).all() and np.isfinite(values).all()):
            return None
        errors = jackknife_covariance(np.moveaxis(left_out, -1, 0))
    return CrossedMeasure(
        measure=first,
        values=values,
        n_cases=len(chosen),
        covariance=DELONG if by_delong else JACKKNIFE,
        components=variance_components(*_of(_jointly_tested(len(values), model), values, errors)),
        analyses=tuple(_analysis(values, errors, model, kind, settings.level) for kind in INFERENCES),
        by_reader=reader_differences(values, errors, level=settings.level),
    )


def _analysis(values: Floats, errors: Floats, model: int | None, inference: str, level: float) -> CrossedAnalysis:
    """The analysis of (T, R) values.

    The variance between readers is pooled over modalities, and a model has none: beside two or more modalities of
    readers it is therefore left out of their test, and compared with each of them alone.
    """

    def of(chosen: Sequence[int]) -> CrossedAnalysis:
        return crossed_analysis(*_of(chosen, values, errors), inference=inference, level=level)

    together = _jointly_tested(len(values), model)
    joint = of(together)
    differences = {(together[i], together[k]): contrast for (i, k), contrast in joint.differences.items()}
    if model is not None and model not in together:
        pairs = [(min(i, model), max(i, model)) for i in together]
        differences |= {pair: of(pair).differences[0, 1] for pair in pairs}
    means = [of([i]).modalities[0] for i in range(len(values))]
    return dataclasses.replace(joint, modalities=tuple(means), differences=dict(sorted(differences.items())))


def _jointly_tested(n_modalities: int, model: int | None) -> list[int]:
    """Indices of the modalities whose equality is tested: all, but for a model beside two or more of readers."""
    return [i for i in range(n_modalities) if n_modalities == 2 or i != model]


def _of(chosen: Sequence[int], values: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Values and error covariances of some modalities."""
    rows = list(chosen)
    return values[rows], errors[rows][:, :, rows]


def contributing_cases(measure: Measure) -> Ints:
    """(C',) indices of the cases that a measure rests on: of a proportion those that hold a unit of its denominator, as
    the tumours of a sensitivity; of everything else all."""
    everyone = np.arange(measure.n_cases)
    if measure.successes is None:
        return everyone
    return everyone[np.isfinite(measure.resample(np.eye(measure.n_cases)))]
