"""A study as one HTML page that explains itself: numbers with intervals, figures, failures, and what was assumed.

Self-contained: pictures are embedded, nothing is fetched, nothing runs. The same study gives the same bytes; there is
no date. Not here: writing it (``study_files``), choosing examples (``study_examples``).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from segtumor import NOTICE, __version__
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.study.class_table import class_rows
from segtumor.evaluation.study.values import Estimate, Study
from segtumor.reporting.pages.page import data_url, environment
from segtumor.reporting.pages.study_figures import FOREST_MEASURES, embedding_study_figure, study_figures, subgroups_of
from segtumor.reporting.provenance import NOT_OF_SPLIT
from segtumor.reporting.words.checklists import checklists, filled
from segtumor.reporting.words.estimates import (
    capital,
    count_text,
    interval_text,
    method_text,
    shown_estimates,
    spread_text,
    value_cell,
    wilson_text,
)
from segtumor.reporting.words.metric_texts import metric_text
from segtumor.reporting.words.study_terms import field_text, froc_criterion_text, rule_text, term_texts
from segtumor.reporting.words.summary import summary_sentences
from segtumor.retrieval.index import Index
from segtumor.texts import UNDEFINED, counted, is_undefined, p_text, percent_text

#: Measures that are looked at first, in this order; those a study lacks are left out.
HEADLINE = (
    *("mask_ap50", "mask_ap", "box_ap50", "dice", "dice_matched"),
    *("hausdorff_95_px", "hausdorff_95_mm", "normalized_surface_dice"),
    *("lesion_recall", "lesion_precision", "froc_mean", "false_positives_per_image"),
    *("image_sensitivity", "image_specificity", "image_auc", "image_class_balanced_accuracy"),
    *("patient_sensitivity", "patient_specificity", "patient_auc", "patient_class_balanced_accuracy"),
    *("image_brier", "image_brier_calibrated", "image_ece", "image_ece_calibrated"),
)
NOT_RECORDED = "not recorded"
_SETTINGS_OF_LESIONS = ("IoU threshold of a hit", "hit in the FROC curve", "tolerance of the surface Dice")
#: (heading, note, header, rows of cells).
ExtraTable = tuple[str, str, Sequence[str], Iterable[Sequence[str]]]
_GROUPS = {
    "detection": "Detection",
    "overlap": "Overlap",
    "surface": "Distances of outlines",
    "lesions": "Lesions",
    "images": "Images",
    "patients": "Patients",
    "calibration": "Calibration",
}


def study_page(
    study: Study,
    *,
    title: str,
    provenance: Mapping[str, Mapping[str, Any]],
    examples: Sequence[Mapping[str, Any]] = (),
    extra_tables: Sequence[ExtraTable] = (),
    embedding: Index | None = None,
) -> str:
    """A page as text.

    Args:
        provenance: {heading: {name: value}}: command line, configuration, hashes, versions; None is "not recorded".
        examples: dicts of ``title``, ``caption`` and ``png`` (bytes of a PNG or JPEG, or None), as
            ``study_examples.draw_examples`` gives them.
        embedding: index of the study's images, for a map of them; None draws none.

    Raises:
        DataError: it is of other images.
    """
    figures = study_figures(study) + ([embedding_study_figure(study, embedding)] if embedding else [])
    facts = _facts(study, provenance, examples)
    shown = shown_estimates(study)
    return (
        environment()
        .get_template("study.html")
        .render(
            title=title,
            notice=NOTICE,
            version=__version__,
            marks_lesions=study.marks_lesions,
            level=percent_text(study.settings.level),
            summary=summary_sentences(study),
            headline=_headline(study),
            count_example=_count_example(study),
            extra_tables=[*_class_tables(study), *_stage_table(study), *extra_tables],
            groups=_groups(study),
            figures={
                section: [(f, data_url(f.png())) for f in figures if f.section == section]
                for section in (
                    *("curves", "calibration", "decisions", "confusion", "overlap"),
                    *("subgroups", "embedding"),
                )
            },
            subgroups=_subgroup_table(study),
            tests=_test_rows(study),
            examples=[(e["title"], e["caption"], data_url(e["png"]) if e["png"] else None) for e in examples],
            settings=_settings_rows(study.settings, marks_lesions=study.marks_lesions),
            provenance=_provenance_tables(provenance),
            remarks=study.remarks,
            terms=term_texts(study),
            definitions=[
                (capital(e.label), e.name, metric_text(e.name, located=study.settings.require_located)) for e in shown
            ],
            checklists=[(title, filled(items, facts)) for title, items in checklists()],
        )
    )


def _class_tables(study: Study) -> Iterator[ExtraTable]:
    """Precision, recall and F1 of the classes of images and patients."""
    note = (
        "Precision: right among those called so. Recall: called so among those that are. The macro mean counts every "
        "class that occurs alike, the weighted mean by how many there are."
    )
    for key, (names, counts) in study.confusions.items():
        unit = key.partition("_")[0]
        rows = [[r.name, *map(_share, (r.precision, r.recall, r.f1)), str(r.n_true)] for r in class_rows(names, counts)]
        yield f"Classes of {unit}s", note, ("class", "precision", "recall", "F1", f"{unit}s"), rows


def _stage_table(study: Study) -> Iterator[ExtraTable]:
    """Tumour or not, then which."""
    note = (
        "The first step is judged by its precision, recall (sensitivity) and F1 of tumours, the others by their means "
        "over the classes that occur. Which tumour it is, is the most probable class other than normal."
    )
    header = ("step", "accuracy", "precision", "recall", "F1", "images")
    if study.stages:
        shown = [(r.stage, (r.accuracy, r.precision, r.recall, r.f1), r.n) for r in study.stages]
        yield "Tumour or not, then which", note, header, [[s, *map(_share, v), str(n)] for s, v, n in shown]


def _share(value: float) -> str:
    return UNDEFINED if is_undefined(value) else f"{value:.3f}"


def headline(study: Study, also: Iterable[str] = ()) -> list[Estimate]:
    """The estimates that are looked at first, and others by name, if they are defined for the kind of model."""
    known = {estimate.name: estimate for estimate in shown_estimates(study)}
    return [known[name] for name in (*HEADLINE, *also) if name in known]


def _headline(study: Study) -> list[dict[str, str]]:
    return [_row(estimate, study.settings.n_resamples) for estimate in headline(study)]


def _count_example(study: Study) -> str:
    """A count of successes in the headline, such as "7 of 12 lesions"; "" if none does."""
    return next((count_text(estimate) for estimate in headline(study) if estimate.successes is not None), "")


def _groups(study: Study) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """(heading, rows) of the estimates by group."""
    shown = shown_estimates(study)
    for name in dict.fromkeys([*_GROUPS, *(estimate.group for estimate in shown)]):
        rows = [_row(e, study.settings.n_resamples) for e in shown if e.group == name]
        if rows:
            yield _GROUPS.get(name, name), rows


def _row(estimate: Estimate, n_resamples: int) -> dict[str, str]:
    return {
        "label": capital(estimate.label),
        "value": value_cell(estimate),
        "interval": interval_text(estimate),
        "count": count_text(estimate),
        "method": method_text(estimate, n_resamples),
        "wilson": wilson_text(estimate),
    }


def _subgroup_table(study: Study) -> tuple[list[str], list[tuple[str, str, list[str]]]]:
    """Header and rows: a row per field and level, a column per measure."""
    known = {estimate.name: estimate for estimate in shown_estimates(study)}
    names = [name for name in FOREST_MEASURES if name in known and subgroups_of(study, name)]
    cells = {(s.field, s.level, s.estimate.name): s.estimate for s in study.subgroups}
    levels = dict.fromkeys((s.field, s.level) for s in study.subgroups if s.estimate.name in names)
    rows = [
        (field_text(field), level, [_cell(cells.get((field, level, name))) for name in names])
        for field, level in levels
    ]
    return [capital(known[name].label) for name in names], rows


def _cell(estimate: Estimate | None) -> str:
    if estimate is None or not estimate.n:
        return "–"
    if is_undefined(estimate.value):
        return value_cell(estimate)
    return f"{value_cell(estimate)} ({spread_text(estimate)}), {counted(estimate.n, estimate.unit)}"


def _test_rows(study: Study) -> list[dict[str, Any]]:
    labels = {estimate.name: capital(estimate.label) for estimate in study.estimates}
    undefined = labels.keys() - {estimate.name for estimate in shown_estimates(study)}
    return [
        {
            "field": field_text(test.field),
            "measure": labels.get(test.measure, test.measure),
            "test": test.test,
            "statistic": UNDEFINED if is_undefined(test.statistic) else f"{test.statistic:.3f}",
            "p": p_text(test.p_value),
            "p_holm": p_text(test.p_holm),
            "n_groups": test.n_groups,
            "note": test.note,
        }
        for test in study.tests
        if test.measure not in undefined
    ]


def _settings_rows(settings: StudySettings, *, marks_lesions: bool) -> list[tuple[str, Any]]:
    located = "; with a tumour it counts as found only where a lesion is hit" if settings.require_located else ""
    temperature = (
        "none: scores as the model gives them" if settings.temperature is None else f"{settings.temperature:.3f}"
    )
    rows: list[tuple[str, Any]] = [
        ("score threshold", f"{settings.score_threshold:.3f}"),
        ("IoU threshold of a hit", f"{settings.iou_threshold:.2f}"),
        ("patient", f"{rule_text(settings.rule)}{located}"),
        ("hit in the FROC curve", froc_criterion_text(settings)),
        (
            "tolerance of the surface Dice",
            f"{settings.surface_tolerance_px:g} px; {settings.surface_tolerance_mm:g} mm",
        ),
        ("confidence level", percent_text(settings.level)),
        ("resamples of cases", settings.n_resamples),
        ("seed of the resampling", settings.seed),
        ("temperature of the scores", temperature),
        ("subgroups shown with", f"at least {counted(settings.min_group, 'images')} (of fields of lesions: lesions)"),
    ]
    return [row for row in rows if marks_lesions or row[0] not in _SETTINGS_OF_LESIONS]


def _provenance_tables(
    provenance: Mapping[str, Mapping[str, Any]],
) -> list[tuple[str, list[tuple[str, str]]]]:
    """(heading, rows) with values as text; what is nested deeper becomes rows of dotted names."""
    return [(heading, list(_flat(content))) for heading, content in provenance.items()]


def _flat(content: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(content, (list, tuple)) and any(isinstance(item, dict) for item in content):
        content = {str(number): item for number, item in enumerate(content, start=1)}
    if not isinstance(content, dict):
        yield prefix, _text(content)
        return
    for name, value in content.items():
        yield from _flat(value, f"{prefix}.{name}" if prefix else str(name))


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and is_undefined(value)):
        return NOT_RECORDED
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _facts(
    study: Study, provenance: Mapping[str, Mapping[str, Any]], examples: Sequence[Mapping[str, Any]]
) -> set[str]:
    """What the page holds, for the checklists."""
    values = {text for _, rows in _provenance_tables(provenance) for _, text in rows}
    recorded = [name.rpartition(".")[2] for _, rows in _provenance_tables(provenance) for name, text in rows
                if text != NOT_RECORDED]  # fmt: skip
    held: dict[str, Collection[Any]] = {"subgroups": study.subgroups, "tests": study.tests, "examples": examples}
    held["temperature"] = [] if study.settings.temperature is None else [study.settings.temperature]
    for subject in ("annotations", "weights", "split"):
        held[subject] = [name for name in recorded if name.startswith(subject) and name.endswith("sha256")]
    if NOT_OF_SPLIT in values:
        held["split"] = []
    held["configuration"] = [heading for heading, content in provenance.items() if content and "onfig" in heading]
    return {name for name, content in held.items() if content}
