"""All readers at once: readers times modalities on the same cases, by Obuchowski and Rockette's analysis.

A modality is how the images were read, such as alone and with the model; or the model itself, which then answers alike
under every reader. For two modalities of which one is such a model, the analysis is that of the readers' differences
from it, with one degree of freedom less than readers. Figures of merit are Measures of cases, so that their error
covariances come from leaving out cases. Not here: the analysis (``statistics.obuchowski_rockette``), files.
Letters: T modalities, R readers, C cases.
"""

import dataclasses
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from segtumor.annotations.reader_marks import ReaderMarks
from segtumor.errors import ConfigError, DataError
from segtumor.evaluation.comparison.comparison import means_something
from segtumor.evaluation.facts.image_level import Calls
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.readers.crossed_measure import (
    COVARIANCES,
    JACKKNIFE,
    CrossedMeasure,
    MeasuredCell,
    crossed_measure,
    measured_cell,
)
from segtumor.evaluation.readers.free_response import AFROC, FREE_RESPONSE, WAFROC, FreeResponse
from segtumor.evaluation.readers.raters import Rater, read_by_all, reader_rater
from segtumor.progress import StepProgress, silent
from segtumor.statistics.hypothesis import holm
from segtumor.structures.lesions import ImageResult

#: What is compared unless the user names measures.
USUAL = ("patient_auc", "patient_sensitivity", "patient_specificity", WAFROC, AFROC)
#: Modality of a table without that column.
READERS = "readers"
_NAMED = 5

#: {(modality, reader): what was said}.
Cells = Mapping[tuple[str, str], Rater]


@dataclass(frozen=True, kw_only=True)
class CrossedStudy:
    """What a multi-reader multi-case study comes to.

    Attributes:
        marks: of each cell, for other programs; None where a reader drew no boxes.
        calls: what was said of the patients, of each cell.
    """

    modalities: tuple[str, ...]
    readers: tuple[str, ...]
    n_images: int
    case_ids: tuple[str, ...]
    measures: tuple[CrossedMeasure, ...]
    remarks: tuple[str, ...]
    calls: Mapping[tuple[str, str], Calls]
    marks: Mapping[tuple[str, str], FreeResponse] | None


def crossed_cells(
    marks: Sequence[ReaderMarks], truth: Iterable[ImageResult], model: Rater | None = None
) -> dict[tuple[str, str], Rater]:
    """The cells of a design in which every reader has every modality.

    Args:
        truth: results with the truth of each image.
        model: becomes a modality of its name, alike for all readers.

    Raises:
        DataError: one modality only, one of the model's name, or a reader who lacks one, naming them.
    """
    results = list(truth)
    cells = {(one.modality or READERS, one.name): reader_rater(one, results) for one in marks}
    modalities, readers = (tuple(dict.fromkeys(key[i] for key in cells)) for i in (0, 1))
    wanted = [(modality, reader) for modality in modalities for reader in readers]
    missing = [f"{reader} ({modality})" for modality, reader in wanted if (modality, reader) not in cells]
    if missing:
        what = "the design is not crossed: every reader must read under every modality"
        raise DataError(what, got=f"nothing of {', '.join(missing[:_NAMED])}")
    if model is not None:
        if model.name in modalities:
            remedy = "Give the model another name with --name"
            raise DataError("a modality has the model's name", got=model.name, remedy=remedy)
        cells |= {(model.name, reader): model for reader in readers}
    if len({modality for modality, _ in cells}) < 2:
        remedy = "Add a column modality to the table, or give the model's --predictions to compare readers with it"
        raise DataError("there is one modality only", got=modalities[0], expected="two or more", remedy=remedy)
    return cells


def crossed_study(
    cells: Cells,
    class_names: Sequence[str],
    settings: StudySettings,
    *,
    measures: Sequence[str] = (),
    covariance: str = JACKKNIFE,
    progress: StepProgress = silent,
) -> CrossedStudy:
    """Compare modalities over all readers, on the images that everybody read under each.

    Args:
        cells: of ``crossed_cells``.
        measures: names of measures, or of FREE_RESPONSE; empty: USUAL.
        covariance: DELONG for the area under the ROC curve of patients; everything else is jackknifed.

    Raises:
        DataError: no image was read by all.
        ConfigError: an unknown measure or covariance, or none that can be compared.
    """
    if covariance not in COVARIANCES:
        raise ConfigError("covariance is unknown", got=covariance, expected=" or ".join(COVARIANCES))
    common = read_by_all(cells.values())
    if not common:
        raise DataError("no image was read by every reader under every modality")
    modalities, readers = (tuple(dict.fromkeys(key[i] for key in cells)) for i in (0, 1))
    raters = {id(rater): rater for rater in cells.values()}  # a model is measured once
    once = {i: measured_cell(rater, common, class_names, settings) for i, rater in progress("raters", raters.items())}
    measured = {key: once[id(rater)] for key, rater in cells.items()}
    first = next(iter(measured.values()))
    names, remarks = _chosen(measures, cells, first)
    model = next((i for i, name in enumerate(modalities) if cells[name, readers[0]].is_model), None)
    compared = []
    for name in progress("measures", names):
        grid = [[measured[modality, reader] for reader in readers] for modality in modalities]
        one = crossed_measure(name, grid, model, settings, covariance)
        compared += [] if one is None else [one]
        remarks += [f"Not compared, since undefined for a reader or without one of the cases: {name}."] * (one is None)
    if not compared:
        raise ConfigError("no measure can be compared", got=", ".join(names) or "none", where="--measures")
    adjusted = holm([one.analyses[0].p_value for one in compared])
    free = all(rater.with_boxes and rater.with_confidence for rater in cells.values())
    return CrossedStudy(
        modalities=modalities,
        readers=readers,
        n_images=len(common),
        case_ids=first.case_ids,
        measures=tuple(dataclasses.replace(one, p_holm=float(p)) for one, p in zip(compared, adjusted, strict=True)),
        remarks=tuple([*remarks, *_on_numbers(cells, readers, common, first)]),
        calls={key: one.calls for key, one in measured.items()},
        marks={key: one.marks for key, one in measured.items()} if free else None,
    )


def _chosen(asked: Sequence[str], cells: Cells, first: MeasuredCell) -> tuple[list[str], list[str]]:
    """Names of the measures that mean something for all cells, and sentences about those asked for that do not."""
    for name in asked:
        if name not in first.measures:
            near = difflib.get_close_matches(name, first.measures, n=3, cutoff=0.4) or sorted(first.measures)
            raise ConfigError("no such measure", where="--measures", got=name, expected=", ".join(near))
    raters = list(cells.values())
    given = {
        "classes": all(rater.with_classes for rater in raters),
        "confidence": all(rater.with_confidence for rater in raters),
        "boxes": all(rater.with_boxes for rater in raters),
    }
    images = all(rater.with_images for rater in raters)

    def sensible(name: str) -> bool:
        measure = first.measures[name]
        of_images = name.startswith("image_") and not images
        needs = name not in FREE_RESPONSE or (given["confidence"] and given["boxes"])
        return means_something(measure, masks=False, **given) and needs and not of_images

    left_out = [name for name in asked or USUAL if not sensible(name)]
    remarks = []
    if left_out:
        what = "not every reader gave a confidence, classes or boxes, as they need"
        remarks = [f"Not compared, since {what}: {', '.join(left_out)}."]
    return [name for name in asked or USUAL if name not in left_out], remarks


def _on_numbers(cells: Cells, readers: Sequence[str], common: frozenset[int], first: MeasuredCell) -> Iterator[str]:
    most = max(len(rater.results) for rater in cells.values())
    if most > len(common):
        yield f"On the {len(common)} images that everybody read under every modality; somebody read {most}."
    if len(readers) == 1:
        yield "One reader: what holds for other readers cannot be said; only the analysis of fixed readers is defined."
    elif len(readers) < 4:
        yield f"{len(readers)} readers are few: intervals for similar readers are wide and of uncertain coverage."
    n_tumor = int(first.calls.tumor.sum())
    if min(n_tumor, len(first.calls) - n_tumor) < 10:
        yield f"{n_tumor} patients with and {len(first.calls) - n_tumor} without tumour: too few to mean much."
    if any(rater.is_model for rater in cells.values()):
        yield "The model answers alike under every reader: its mean varies with the cases alone."
        if len(cells) > 2 * len(readers):
            yield "Differences from the model are of two modalities each; the joint test is of the readers' modalities."
