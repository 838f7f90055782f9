"""The files of a multi-reader multi-case study: ``mrmc.md``, ``mrmc.json`` and tables.

Not here: the analysis (``segtumor.evaluation.readers.crossed``).
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from segtumor import NOTICE
from segtumor.evaluation.measures.measure import IMAGES, LESIONS, PATIENTS, Measure
from segtumor.evaluation.readers.crossed import CrossedStudy
from segtumor.evaluation.readers.crossed_measure import CrossedMeasure
from segtumor.reporting.files.outputs import Content, Table, document, write_files
from segtumor.reporting.files.rjafroc_file import CASES, WORKBOOK, rjafroc_contents
from segtumor.statistics.obuchowski_rockette import FIXED_CASES, FIXED_READERS, RANDOM_ALL, Contrast
from segtumor.texts import UNDEFINED, counted, is_undefined, markdown_table, markdown_text, p_text, percent_text

_VALUES, _MEANS, _DIFFERENCES, _TESTS = ("mrmc_values.csv", "mrmc_means.csv", "mrmc_differences.csv", "mrmc_tests.csv")
MRMC_FILES = (_VALUES, _MEANS, _DIFFERENCES, _TESTS, WORKBOOK, CASES, "mrmc.json", "mrmc.md")
_CONTRAST = ("estimate", "standard_error", "df", "low", "high")
#: For whom each inference holds.
APPLIES_TO = {
    RANDOM_ALL: "for readers and cases like these",
    FIXED_READERS: "for these readers and cases like these",
    FIXED_CASES: "for readers like these and these cases",
}


def write_mrmc(
    study: CrossedStudy, folder: str | Path, *, level: float, provenance: Mapping[str, Any], rjafroc: bool = False
) -> list[Path]:
    """Write a CrossedStudy; ``rjafroc``: with the workbook for RJafroc. Raises DataError as ``rjafroc_contents``."""
    contents: dict[str, Content] = {
        _VALUES: Table([*_values(study)], ("measure", "modality", "reader", "value")),
        _MEANS: Table([*_means(study)], ("measure", "inference", "modality", *_CONTRAST)),
        _DIFFERENCES: Table(
            [*_differences(study)], ("measure", "inference", "reader", "first", "second", *_CONTRAST, "p_value")
        ),
        _TESTS: Table([*_tests(study)], [*next(_tests(study))]),
        **(rjafroc_contents(study) if rjafroc else {}),
        "mrmc.json": document(provenance=provenance, level=level, **_document(study)),
        "mrmc.md": "\n".join([*_lines(study, level), NOTICE, ""]),
    }
    return write_files(folder, contents, earlier=MRMC_FILES)


def inference_header(level: float) -> tuple[str, ...]:
    """Heads of ``inference_cells``."""
    return ("inference", "difference", f"estimate ({percent_text(level)} interval)", "F", "df", "p")


def inference_cells(study: CrossedStudy, one: CrossedMeasure) -> list[tuple[str, ...]]:
    """Rows of text: each inference and pair of modalities."""
    rows: list[tuple[str, ...]] = []
    for analysis in one.analyses:
        for (i, k), contrast in analysis.differences.items():
            pair = f"{study.modalities[i]} less {study.modalities[k]}"
            alone = len(analysis.differences) == 1
            f = analysis.f if alone else (contrast.estimate / contrast.standard_error) ** 2
            df = f"{analysis.df1 if alone else 1:.0f}, {_df_text(analysis.df2)}"
            p = p_text(contrast.p_value, undefined="–")
            rows.append((analysis.inference, pair, _contrast_text(contrast, sign=True), _number(f, 2), df, p))
    return rows


def value_header(study: CrossedStudy, level: float) -> tuple[str, ...]:
    """Heads of ``value_cells``."""
    return ("modality", *study.readers, f"mean ({percent_text(level)} interval)")


def value_cells(study: CrossedStudy, one: CrossedMeasure) -> list[tuple[str, ...]]:
    """Rows of text: each modality with the value of every reader, and the mean for similar readers and cases."""
    return [
        (modality, *(f"{value:.3f}" for value in values), _contrast_text(_bounded(one.measure, mean)))
        for modality, values, mean in zip(study.modalities, one.values, one.analyses[0].modalities, strict=True)
    ]


def _lines(study: CrossedStudy, level: float) -> Iterator[str]:
    yield from ("# Multi-reader multi-case study", "")
    names = f"{', '.join(study.modalities)}; readers {', '.join(study.readers)}"
    yield (
        f"{markdown_text(names)}: {counted(study.n_images, 'images')} of {counted(len(study.case_ids), 'cases')}, read "
        "by every reader under every modality. Obuchowski and Rockette's analysis with Hillis' degrees of freedom."
    )
    yield ""
    yield from (f"- {inference}: {text}" for inference, text in APPLIES_TO.items())
    yield from (f"- {markdown_text(remark)}" for remark in study.remarks)
    yield ""
    for one in study.measures:
        yield from (f"## {markdown_text(one.measure.label)}, `{one.measure.name}`", "")
        yield from (*markdown_table(value_header(study, level), value_cells(study, one)), "")
        yield from (*markdown_table(inference_header(level), inference_cells(study, one)), "")
        yield _about(one)
        yield ""


def _about(one: CrossedMeasure) -> str:
    parts = dataclasses.asdict(one.components)
    shown = ", ".join(f"{name} {value:.3g}" for name, value in parts.items() if not is_undefined(value))
    adjusted = p_text(one.p_holm, undefined=UNDEFINED)
    cases = counted(one.n_cases, "cases")
    return f"{one.covariance} over {cases}; {shown}. p adjusted for all measures (Holm): {adjusted}."


def _values(study: CrossedStudy) -> Iterator[dict[str, Any]]:
    for one in study.measures:
        for modality, row in zip(study.modalities, one.values.tolist(), strict=True):
            for reader, value in zip(study.readers, row, strict=True):
                yield {"measure": one.measure.name, "modality": modality, "reader": reader, "value": value}


def _means(study: CrossedStudy) -> Iterator[dict[str, Any]]:
    for one in study.measures:
        for analysis in one.analyses:
            for modality, mean in zip(study.modalities, analysis.modalities, strict=True):
                about = {"measure": one.measure.name, "inference": analysis.inference, "modality": modality}
                yield {**about, **_contrast(_bounded(one.measure, mean))}


def _differences(study: CrossedStudy) -> Iterator[dict[str, Any]]:
    for one in study.measures:
        found = [(a.inference, "", pair, contrast) for a in one.analyses for pair, contrast in a.differences.items()]
        alone = [("one reader", study.readers[j], pair, contrast) for (j, *pair), contrast in one.by_reader.items()]
        for inference, reader, (i, k), contrast in (*found, *alone):
            about = {"measure": one.measure.name, "inference": inference, "reader": reader}
            pair = {"first": study.modalities[i], "second": study.modalities[k]}
            yield {**about, **pair, **_contrast(contrast), "p_value": contrast.p_value}


def _tests(study: CrossedStudy) -> Iterator[dict[str, Any]]:
    for one in study.measures:
        for analysis in one.analyses:
            test = {name: getattr(analysis, name) for name in ("inference", "f", "df1", "df2", "p_value")}
            p_holm = one.p_holm if analysis.inference == RANDOM_ALL else float("nan")
            about = {"measure": one.measure.name, "n_cases": one.n_cases, "covariance": one.covariance}
            yield {**about, **test, "p_holm": p_holm, **dataclasses.asdict(one.components)}


def _document(study: CrossedStudy) -> dict[str, Any]:
    return {
        "modalities": list(study.modalities),
        "readers": list(study.readers),
        "n_images": study.n_images,
        "n_cases": len(study.case_ids),
        "remarks": list(study.remarks),
        "values": [*_values(study)],
        "means": [*_means(study)],
        "differences": [*_differences(study)],
        "tests": [*_tests(study)],
    }


def _contrast(contrast: Contrast) -> dict[str, float]:
    return {name: getattr(contrast, name) for name in _CONTRAST}


def _bounded(measure: Measure, mean: Contrast) -> Contrast:
    """The mean with its limits within [0, 1], where the measure is."""
    within = measure.group in (IMAGES, PATIENTS, LESIONS) and not measure.in_percent
    if not within or any(part in measure.name for part in ("kappa", "mcc", "false_positives")):
        return mean
    low, high = (value if is_undefined(value) else min(max(value, 0.0), 1.0) for value in (mean.low, mean.high))
    return dataclasses.replace(mean, low=low, high=high)


def _contrast_text(contrast: Contrast, *, sign: bool = False) -> str:
    form = "+.3f" if sign else ".3f"
    if is_undefined(contrast.low):
        return f"{contrast.estimate:{form}} (no interval)"
    return f"{contrast.estimate:{form}} ({contrast.low:{form}} to {contrast.high:{form}})"


def _number(value: float, digits: int) -> str:
    return UNDEFINED if is_undefined(value) else f"{value:.{digits}f}"


def _df_text(df: float) -> str:
    return "∞" if df == float("inf") else _number(df, 1)
