"""The cases a reader of a study should look at: its worst failures, and some of its best outlines.

Chosen by numbers alone, ties by image id, so that the same study shows the same cases. Not here: drawing findings
(``overlay``), reading image files.
"""

import io
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segtumor.errors import SegtumorError
from segtumor.evaluation.facts.matching import Match, MatchedImage
from segtumor.evaluation.study.values import Study
from segtumor.reporting.pictures.overlay import draw_overlay
from segtumor.structures.lesions import Lesion
from segtumor.structures.masks import dice_from_iou
from segtumor.system.opencv import cv2

_LOG = logging.getLogger(__name__)
MAX_WIDTH_PX = 512
_JPEG_QUALITY = 82


#: Calls of whole images, as ``_calls`` takes them.
_WRONG_CALLS = (
    ("Missed tumour", True, False, False, 1),
    ("Confident false alarm", False, True, False, -1),
    ("Wrong class", True, True, False, -1),
)
_RIGHT_CALL = ("Correct call", True, True, True, -1)


@dataclass(frozen=True)
class Example:
    """An image worth looking at, why it was chosen (``title``) and what to see (``caption``)."""

    image: MatchedImage
    title: str
    caption: str


def choose_examples(study: Study, n_worst: int = 6, n_best: int = 4) -> list[Example]:
    """Choose images to show; none twice.

    The worst are taken in turn from three lists: the largest lesions that were missed, the hit or touched lesions of
    lowest Dice, and the false positives of highest score. Then the lesions of highest Dice. Of a model that marks no
    lesions, the lists are tumours called normal, normal images called tumours, and wrong classes; then correct calls.

    Returns:
        the worst first; fewer than asked for where there are not as many.
    """
    if study.marks_lesions:
        worst_lists = [_missed(study), _touched(study, highest=False), _false_positives(study)]
        best = _touched(study, highest=True)
    else:
        worst_lists = [_calls(study, *which) for which in _WRONG_CALLS]
        best = _calls(study, *_RIGHT_CALL)
    in_turn = (example for row in itertools.zip_longest(*worst_lists) for example in row if example is not None)
    used: set[int] = set()
    worst = _first_of_each_image(in_turn, n_worst, used)
    return worst + _first_of_each_image(best, n_best, used)


def draw_examples(
    study: Study, examples: Iterable[Example], read_pixels: Callable[[int], NDArray[np.float32]]
) -> list[dict[str, Any]]:
    """The pictures of examples.

    Args:
        read_pixels: function of an image id giving pixels (H, W) float in [0, 1]; where it fails, as with a damaged
            file a missing decoder or too little memory, the example is kept without picture, says so and is logged.

    Returns:
        list of {"title", "caption", "png"}: a JPEG at most 512 px wide, or None.
    """
    return [
        {"title": e.title, "caption": caption, "png": picture}
        for e in examples
        for caption, picture in [_picture(study, e, read_pixels)]
    ]


def _picture(
    study: Study, example: Example, read_pixels: Callable[[int], NDArray[np.float32]]
) -> tuple[str, bytes | None]:
    image = example.image
    try:
        pixels = read_pixels(image.truth.image_id)
    except (SegtumorError, OSError, MemoryError) as error:
        return _not_shown(example, str(error) or "out of memory"), None
    if pixels.shape != tuple(image.truth.size_hw):
        return _not_shown(example, f"it is {pixels.shape} px, annotated as {tuple(image.truth.size_hw)}."), None
    drawn = draw_overlay(
        pixels,
        image.findings,
        study.class_names,
        score_threshold=study.settings.score_threshold,
        file_name=image.truth.file_name,
        true_lesions=image.truth.lesions,
    )
    return example.caption, jpeg_bytes(drawn)


def _not_shown(example: Example, reason: str) -> str:
    """The caption of an example without picture."""
    _LOG.warning("not shown in the report: %s: %s", example.image.truth.file_name, reason)
    return f"{example.caption} The image cannot be shown: {reason}"


def jpeg_bytes(picture: NDArray[np.uint8], *, max_width_px: int = MAX_WIDTH_PX) -> bytes:
    """A picture (H, W, 3) uint8 RGB as JPEG, reduced to ``max_width_px`` if it is wider."""
    height, width = picture.shape[:2]
    size_wh = max_width_px, max(1, round(height * max_width_px / width))
    shown = cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA) if width > max_width_px else picture
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(shown)).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _pairs(study: Study) -> list[tuple[MatchedImage, Lesion, Match | None]]:
    """(image, lesion, its match) of every lesion."""
    return [
        (image, lesion, match)
        for image in study.images
        for lesion, match in zip(image.lesions, image.matches, strict=True)
    ]


def _missed(study: Study) -> Iterator[Example]:
    found = [(image, lesion) for image, lesion, match in _pairs(study) if match is None]
    found.sort(key=lambda pair: (-pair[1].area_px, pair[0].truth.image_id))
    for image, lesion in found:
        name = study.class_names[lesion.class_id]
        yield Example(
            image,
            "Missed lesion",
            f"{_where(image)}: no finding is paired with a {name} lesion of {lesion.area_px:.0f} px² (dashed).",
        )


def _touched(study: Study, *, highest: bool) -> Iterator[Example]:
    found = [(image, lesion, match) for image, lesion, match in _pairs(study) if match is not None]
    found.sort(key=lambda row: (-row[2].iou if highest else row[2].iou, row[0].truth.image_id))
    for image, lesion, match in found:
        true, predicted = (study.class_names[item.class_id] for item in (lesion, match.finding))
        yield Example(
            image,
            "Highest Dice" if highest else "Lowest Dice",
            f"{_where(image)}: Dice {float(dice_from_iou(match.iou)):.3f} of a lesion of class {true}; found as "
            f"{predicted} with score {match.finding.score:.2f}.",
        )


def _false_positives(study: Study) -> Iterator[Example]:
    found = [(image, finding) for image in study.images for finding in image.false_positives]
    found.sort(key=lambda pair: (-pair[1].score, pair[0].truth.image_id))
    for image, finding in found:
        other = "another lesion" if image.lesions else "a crowd region elsewhere"
        of = f"an image with {other}" if image.truth.lesions else "an image without a lesion"
        yield Example(
            image,
            "Confident false positive",
            f"{_where(image)}: a finding of class {study.class_names[finding.class_id]} with score "
            f"{finding.score:.2f} on {of} hits nothing.",
        )


def _calls(study: Study, title: str, tumor: bool, called: bool, right_class: bool, sign: int) -> Iterator[Example]:
    """Images by truth and call of a tumour and by their class; the highest (-1) or lowest (1) score first."""
    pairs = [
        (image, row)
        for image, row in zip(study.images, study.per_image, strict=True)
        if (row["tumor_true"], row["tumor_predicted"]) == (tumor, called)
        and (row["true_class"] == row["predicted_class"]) == right_class
    ]
    pairs.sort(key=lambda pair: (sign * pair[1]["score"], pair[0].truth.image_id))
    for image, row in pairs:
        true, predicted = row["true_class"], row["predicted_class"]
        yield Example(
            image, title, f"{_where(image)}: {true}, called {predicted}; score of a tumour {row['score']:.2f}."
        )


def _first_of_each_image(examples: Iterable[Example], count: int, used: set[int]) -> list[Example]:
    chosen: list[Example] = []
    for example in examples:
        if len(chosen) >= count:
            break
        if example.image.truth.image_id not in used:
            used.add(example.image.truth.image_id)
            chosen.append(example)
    return chosen


def _where(image: MatchedImage) -> str:
    return image.truth.file_name
