"""Radiographs of tumours that a model or a reader missed: what each of them said, side by side, with the true lesions.

Not here: who missed what (``segtumor.evaluation.readers``), drawing findings (``overlay``), reading image files.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtumor.errors import DataError
from segtumor.evaluation.facts.cases import case_table
from segtumor.evaluation.readers.raters import Panel, Rater
from segtumor.evaluation.readers.reader_study import ReaderStudy
from segtumor.reporting.pages.study_examples import MAX_WIDTH_PX, jpeg_bytes
from segtumor.reporting.pictures.heat_panel import side_by_side
from segtumor.reporting.pictures.overlay import draw_overlay
from segtumor.structures.lesions import AnnotatedImage

BY_READERS, BY_MODEL, BY_BOTH = "missed_by_readers", "missed_by_model", "missed_by_both"
KINDS = (BY_READERS, BY_MODEL, BY_BOTH)
MOST_PICTURES = 60


@dataclass(frozen=True)
class MissedImage:
    """An image of a patient whose tumour was missed: by readers (one or more), by the model, or by both."""

    kind: str
    truth: AnnotatedImage


def missed_images(panel: Panel, study: ReaderStudy) -> list[MissedImage]:
    """The images with lesions, which everybody read, of the patients that somebody missed; by kind, then as annotated.

    Raises:
        DataError: the raters are people only.
    """
    if panel.model is None:
        raise DataError("pictures of what model and readers missed need a model")
    model = panel.model
    kinds = {case["case_id"]: _kind(case["missed_by"], model.name) for case in study.cases if case["missed_by"]}
    truths = [result.truth for image_id, result in model.results.items() if image_id in panel.common_ids]
    cases = case_table(truths)
    named = [(truth, cases.case_ids[case]) for truth, case in zip(truths, cases.case_of_image, strict=True)]
    found = [MissedImage(kinds[name], truth) for truth, name in named if name in kinds and truth.lesions]
    return sorted(found, key=lambda missed: KINDS.index(missed.kind))


def draw_missed(
    panel: Panel, missed: list[MissedImage], read_pixels: Callable[[int], NDArray[np.float32]]
) -> Iterator[tuple[str, bytes]]:
    """(name of the file, JPEG) of each image, at most MOST_PICTURES: a column for each rater, true lesions dashed.

    Args:
        read_pixels: function of an image id giving pixels (H, W) float in [0, 1]; its errors are passed on.

    Raises:
        DataError: an image is of another size than annotated.
    """
    numbers = dict.fromkeys(KINDS, 0)
    for one in missed[:MOST_PICTURES]:
        pixels = read_pixels(one.truth.image_id)
        if pixels.shape != tuple(one.truth.size_hw):
            expected = f"{tuple(one.truth.size_hw)} px, as annotated"
            raise DataError("image of another size", where=one.truth.file_name, got=pixels.shape, expected=expected)
        columns = [_column(panel, rater, one.truth, pixels) for rater in panel.raters]
        numbers[one.kind] += 1
        picture = jpeg_bytes(side_by_side(columns), max_width_px=MAX_WIDTH_PX * len(columns))
        yield f"{one.kind}_{numbers[one.kind]:03d}.jpg", picture


def _column(panel: Panel, rater: Rater, truth: AnnotatedImage, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    result = rater.results[truth.image_id]
    # Marks without class have the number of the first one, whose name would claim too much.
    names = panel.class_names if rater.with_classes else ("tumour",) * len(panel.class_names)
    return draw_overlay(
        pixels,
        result.findings,
        names,
        image_probabilities=result.image_probabilities,
        score_threshold=panel.settings.score_threshold,
        file_name=f"{rater.name}: {truth.file_name}",
        true_lesions=truth.lesions,
    )


def _kind(missed_by: list[str], model_name: str) -> str:
    if model_name not in missed_by:
        return BY_READERS
    return BY_MODEL if len(missed_by) == 1 else BY_BOTH


def counts_by_kind(missed: list[MissedImage]) -> Mapping[str, int]:
    """How many images of each kind, in the order of KINDS."""
    return {kind: sum(one.kind == kind for one in missed) for kind in KINDS}
