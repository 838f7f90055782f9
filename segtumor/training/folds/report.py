"""The results of a cross-validation: each fold, their mean and spread, and the pooled predictions with intervals.

Everything is measured on the folds' predictions files, so that a cross-validation that was continued, or one whose
folds were trained elsewhere, gives the same numbers. Not here: the arithmetic (``segtumor.evaluation.folds``,
``segtumor.evaluation.study.study``) and printing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import segtumor
from segtumor.annotations.coco import load_coco
from segtumor.annotations.json_input import parse_json, read_bytes
from segtumor.annotations.predictions.document import read_predictions
from segtumor.datasets.splits.cross_validation import Fold
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.folds import HEADLINE, REMARKS, FoldResult, Spread, pool_predictions, spreads
from segtumor.evaluation.study.remarks import unpredicted_remarks
from segtumor.evaluation.study.study import measures_of, study
from segtumor.evaluation.study.values import Estimate, Study
from segtumor.files import write_csv, write_json
from segtumor.reporting.files.study_files import write_study
from segtumor.reporting.provenance import study_provenance
from segtumor.runs import PREDICTIONS
from segtumor.structures.lesions import ImageResult
from segtumor.structures.readings import image_result
from segtumor.training.folds.folder import FOLD, FOLDS, POOLED, REPORT, TABLE, fold_folder
from segtumor.training.folds.plan import Plan

SCHEMA_VERSION = 1
#: Of ``crossval.csv``.
Row = dict[str, Any]
_COUNTS = ("images", "cases", "lesions")


@dataclass(frozen=True)
class CrossValidation:
    """What a cross-validation found.

    Attributes:
        spreads: {measure: Spread over the folds}.
        study: of the pooled predictions; its estimates have intervals that resample cases, and its remarks begin with
            what limits a cross-validation.
    """

    folds: tuple[FoldResult, ...]
    spreads: Mapping[str, Spread]
    study: Study

    @property
    def pooled(self) -> dict[str, Estimate]:
        """{measure: Estimate} of the measures that are compared between folds."""
        estimates = {estimate.name: estimate for estimate in self.study.estimates}
        return {name: estimates[name] for name in self.spreads}


def report(
    plan: Plan,
    output: str | Path,
    predictions: Sequence[Path],
    *,
    settings: StudySettings | None = None,
    progress: Any = None,
) -> CrossValidation:
    """Measure every fold and the pooled predictions, whose paths are in the order of the folds, and write ``pooled/``,
    ``crossval.csv`` and ``crossval.json``.

    Raises:
        DataError: predictions and folds do not fit.
        OutputError: a file cannot be written.
    """
    output, settings = Path(output), settings or StudySettings()
    pooled_results, failed_ids = _pool(plan, output / POOLED, predictions)
    whole = study(pooled_results, plan.class_names, settings, progress=progress, n_images_failed=len(failed_ids))
    failed = unpredicted_remarks([r.truth for r in pooled_results], plan.class_names, failed_ids=failed_ids)
    whole = replace(whole, remarks=(*REMARKS, *failed, *plan.remarks, *whole.remarks))
    names = [name for name in HEADLINE if name in {estimate.name for estimate in whole.estimates}]
    folds = tuple(
        _fold_result(plan, fold, output, path, names=names, settings=settings)
        for fold, path in zip(plan.folds, predictions, strict=True)
    )
    result = CrossValidation(folds, spreads(folds), whole)
    _write_pooled(plan, result, output)
    write_csv(output / TABLE, table_rows(result), ["fold", *_COUNTS, *result.spreads])
    write_json(output / REPORT, report_document(result, plan.options))
    return result


def table_rows(result: CrossValidation) -> list[Row]:
    """Rows of ``crossval.csv``: each fold, then mean, sd, folds in which it is defined, pooled, and its limits."""
    rows = [_row(f.fold, (f.n_images, f.n_cases, f.n_lesions), f.values) for f in result.folds]
    sums = [sum(row[name] for row in rows) for name in _COUNTS]
    statistics = {"mean": "mean", "sd": "sd", "folds_defined": "n_folds"}
    for title, field in statistics.items():
        rows.append(_row(title, ("", "", ""), {name: getattr(s, field) for name, s in result.spreads.items()}))
    for title, field in {"pooled": "value", "pooled_low": "low", "pooled_high": "high"}.items():
        rows.append(_row(title, sums, {name: getattr(e, field) for name, e in result.pooled.items()}))
    return rows


def report_document(result: CrossValidation, options: Mapping[str, Any]) -> dict[str, Any]:
    """``crossval.json``: options, folds, and for each measure its spread and its pooled estimate."""
    return {
        "schema_version": SCHEMA_VERSION,
        "segtumor_version": segtumor.__version__,
        "notice": segtumor.NOTICE,
        "remarks": list(result.study.remarks),
        "options": dict(options),
        "settings": vars(result.study.settings),
        "folds": [{**vars(fold), "values": dict(fold.values)} for fold in result.folds],
        "measures": {
            name: {
                "label": estimate.label,
                "mean": result.spreads[name].mean,
                "sd": result.spreads[name].sd,
                "n_folds": result.spreads[name].n_folds,
                "pooled": {key: getattr(estimate, key) for key in ("value", "low", "high", "method", "n", "unit")},
            }
            for name, estimate in result.pooled.items()
        },
    }


def _pool(plan: Plan, folder: Path, predictions: Sequence[Path]) -> tuple[list[ImageResult], Any]:
    """Write the pooled annotations and predictions; returns ``_results`` of these files."""
    fold_of = {i: fold.number for fold in plan.folds for i in fold.test}
    images = [{**image, "fold": fold_of[i]} for i, image in enumerate(plan.merged.images)]
    truth = {
        "info": {**plan.merged.info, "part": "pooled", "split_sha256": plan.split.sha256},
        "images": images,
        "annotations": plan.merged.annotations,
        "categories": plan.merged.categories,
    }
    documents = [parse_json(read_bytes(path), path) for path in predictions]
    write_json(folder / "annotations.json", truth, indent=None)
    write_json(folder / PREDICTIONS, pool_predictions(documents, plan.file_names), indent=None)
    return _results(folder / "annotations.json", folder / PREDICTIONS)


def _write_pooled(plan: Plan, result: CrossValidation, output: Path) -> None:
    folder = output / POOLED
    files = {"annotations": folder / "annotations.json", "predictions": folder / PREDICTIONS}
    write_study(
        result.study,
        folder,
        evaluation=files,
        provenance=_provenance(plan, output, files),
        extra_tables=[("Folds", f"{REMARKS[0]} {REMARKS[1]}", *fold_table(result))],
        title="Cross-validation, all folds pooled",
    )


def _provenance(plan: Plan, output: Path, files: Mapping[str, Path]) -> dict[str, Any]:
    """Of the pooled files, with the folds as their split and the weights of every fold."""
    tables = study_provenance(annotations=files["annotations"], predictions=files["predictions"])
    tables["Files"] = {name: value for name, value in tables["Files"].items() if not name.startswith("weights")}
    tables["Split"] = {
        "split_kind": plan.split.kind,
        "split_seed": plan.split.seed,
        "split_sha256": plan.split.sha256,
        "annotations": f"all {len(plan.folds)} folds",
    }
    start = _document(output / FOLDS)
    weights = {"started from": start.get("init_from") or "random weights"} if start else {}
    for fold in plan.folds:
        finished = _document(fold_folder(output, fold.number) / FOLD)
        weights[f"fold {fold.number}"] = {name: finished.get(name) for name in ("weights", "weights_sha256")}
    return {**tables, "Weights": weights}


def _document(path: Path) -> Any:
    return parse_json(read_bytes(path), path) if path.is_file() else {}


def fold_table(result: CrossValidation) -> tuple[list[str], list[list[str]]]:
    """(header, rows of text) of a CrossValidation: a measure per row, with its value in each fold, mean, SD, and the
    pooled value with its interval; first what was tested on."""
    interval = f"{100 * result.study.settings.level:g}% interval"
    header = ["measure", *(f"fold {f.fold}" for f in result.folds), "mean", "SD", "pooled", interval]
    rows = []
    for name in _COUNTS:
        counts = [getattr(fold, f"n_{name}") for fold in result.folds]
        rows.append([name, *map(str, counts), "", "", str(sum(counts)), ""])
    for name, spread in result.spreads.items():
        estimate = result.pooled[name]
        limits = "undefined" if math.isnan(estimate.low) else f"{estimate.low:.3f} to {estimate.high:.3f}"
        values = [*(fold.values[name] for fold in result.folds), spread.mean, spread.sd, estimate.value]
        label = f"{estimate.label}, %" if estimate.in_percent else estimate.label
        rows.append([label, *map(_number, values), limits])
    return header, rows


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _results(annotations: Path, predictions: Path) -> tuple[list[ImageResult], Any]:
    """The ImageResults of two files, and the ids of the images that could not be predicted."""
    truth = load_coco(annotations, check_files=False)
    found = read_predictions(
        predictions,
        truth.annotated_images,
        class_names=truth.taxonomy.names,
        category_id_of_class=truth.category_id_of_class,
    )
    results = [image_result(image, found.readings[image.image_id]) for image in truth.annotated_images]
    return results, found.failed_ids


def _fold_result(
    plan: Plan, fold: Fold, output: Path, predictions: Path, *, names: Sequence[str], settings: StudySettings
) -> FoldResult:
    annotations = fold_folder(output, fold.number) / "annotations" / "test.json"
    results, _ = _results(annotations, predictions)
    measured = measures_of(results, plan.class_names, settings).measures
    counts = plan.summaries[fold.number]["test"]
    values = {name: measured[name].value if name in measured else math.nan for name in names}
    images, cases, lesions = (counts[name] for name in _COUNTS)
    return FoldResult(fold.number, images, cases, lesions, values)


def _row(title: str | int, counts: Sequence[Any], values: Mapping[str, Any]) -> Row:
    return {"fold": title, **dict(zip(_COUNTS, counts, strict=True)), **values}
