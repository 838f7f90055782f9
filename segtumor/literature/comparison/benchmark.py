"""Measure a model's results as a protocol counts and set them beside the published numbers.

Not here: reading files (``pairing``, ``leak``), and writing (``files``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segtumor.evaluation.facts.cases import case_table
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.pairing import Pairing
from segtumor.evaluation.study.values import Estimate
from segtumor.literature.comparison import measuring
from segtumor.literature.comparison.comparability import IMAGE, LESION, PATIENT, MeasuredOn
from segtumor.literature.comparison.leak import Training, centers_of, find_leak, n_lesions, split_kind
from segtumor.literature.comparison.table import ComparedNumber, comparison_table
from segtumor.literature.entry import Entry
from segtumor.literature.protocols import Protocol
from segtumor.structures.lesions import ImageResult
from segtumor.texts import counted, percent_text


@dataclass(frozen=True)
class Benchmark:
    """Our numbers beside the published ones, and what a reader must know first, in sentences."""

    rows: Sequence[ComparedNumber]
    sentences: tuple[str, ...]


def measured_on(
    protocol: Protocol, pairing: Pairing, settings: StudySettings, *, annotations: str | Path, training: Training | None
) -> tuple[MeasuredOn, Sequence[ImageResult]]:
    """(what the numbers are measured on, the results that share no case with training).

    Args:
        settings: of the study; what the protocol fixes is replaced.
        annotations: path of the truth, beside which the split is described.
    """
    results, truth = measuring.counted(protocol, pairing.results), pairing.truth
    used = measuring.settings_of(protocol, settings)
    leak, clean = (None, results) if training is None else find_leak(results, training, truth.taxonomy.names)
    truths = [result.truth for result in results]
    tested = MeasuredOn(
        dataset=str(truth.info.get("description") or ""),
        split_kind=split_kind(truth.info, annotations),
        centers=centers_of([truth.attributes for truth in truths]),
        n={IMAGE: len(results), PATIENT: len(case_table(truths)), LESION: n_lesions(results)},
        training=training,
        leak=leak,
        iou_threshold=used.iou_threshold,
        froc_criterion=used.froc_criterion,
    )
    return tested, clean


def benchmark(
    protocol: Protocol,
    entries: Mapping[str, Entry],
    pairing: Pairing,
    settings: StudySettings,
    tested: MeasuredOn,
    clean: Sequence[ImageResult],
    *,
    progress: measuring.Progress | None = None,
) -> Benchmark:
    """Measure, and compare with what is published.

    Args:
        tested, clean: of ``measured_on``.

    Raises:
        DataError: nothing to measure on.
    """
    names = pairing.truth.taxonomy.names
    ours, remarks = measuring.measure(protocol, pairing.results, names, settings, progress=progress)
    leak_free: list[Estimate] = []
    if tested.leak is not None and tested.leak.n_images and clean:
        leak_free, _ = measuring.measure(protocol, clean, names, settings, progress=progress)
    rows = comparison_table(protocol, entries, tested, ours, leak_free)
    return Benchmark(rows, (*_sentences(protocol, settings, tested), *pairing.sentences, *remarks))


def _sentences(protocol: Protocol, settings: StudySettings, tested: MeasuredOn) -> Iterator[str]:
    used, n = measuring.settings_of(protocol, settings), tested.n
    images = "tumour images" if protocol.only_tumor_images else "images"
    yield (
        f"Measured on {counted(n[IMAGE], images)} of {counted(n[PATIENT], 'cases')}, "
        f"{counted(n[LESION], 'lesions')}: {tested.dataset or 'data without description'}."
    )
    yield f"Split: {tested.split_kind}; the protocol's test part: {protocol.split}."
    if tested.leak is None:
        yield "What the model was trained on is not known: give --training to count shared cases."
    else:
        yield tested.leak.sentence
    yield (
        f"Score threshold {used.score_threshold:g}, IoU threshold {used.iou_threshold:g}, patient rule {used.rule}"
        f"{', lesion must be located' if used.require_located else ''}; {percent_text(used.level)} intervals, "
        f"{used.n_resamples} resamples of cases, seed {used.seed}."
    )
    yield from protocol.notes
