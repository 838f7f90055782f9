"""The cases a reader of a study should look at: its worst failures, and some of its best outlines.

Chosen by numbers alone, ties by image id, so that the same study shows the same cases. Not here: drawing findings
(``overlay``), reading image files.
"""

import io
import itertools
import logging
from dataclasses import dataclass

import numpy as np
from PIL import Image

from segtumor.errors import SegtumorError
from segtumor.reporting.pictures.overlay import draw_overlay
from segtumor.structures.masks import dice_from_iou
from segtumor.system.opencv import cv2

_LOG = logging.getLogger(__name__)
MAX_WIDTH_PX = 512
_JPEG_QUALITY = 82


@dataclass(frozen=True)
class Example:
    """An image worth looking at: its MatchedImage, why it was chosen (``title``) and what to see (``caption``)."""

    image: object
    title: str
    caption: str


def choose_examples(study, n_worst=6, n_best=4):
    """Choose images to show; none twice.

    The worst are taken in turn from three lists: the largest lesions that were missed, the hit or touched lesions of
    lowest Dice, and the false positives of highest score. Then the lesions of highest Dice.

    Returns:
        list of Examples, the worst first; fewer than asked for where there are not as many.
    """
    worst_lists = [_missed(study), _touched(study, highest=False), _false_positives(study)]
    in_turn = (example for row in itertools.zip_longest(*worst_lists) for example in row if example is not None)
    worst = _first_of_each_image(in_turn, n_worst, used := set())
    return worst + _first_of_each_image(_touched(study, highest=True), n_best, used)


def draw_examples(study, examples, read_pixels):
    """The pictures of Examples.

    Args:
        study: the Study they were chosen from.
        examples: from ``choose_examples``.
        read_pixels: function of an image id giving pixels (H, W) float in [0, 1]; where it fails, as with a damaged
            file or for want of a decoder or of memory, the example is kept without picture, says so and is logged.

    Returns:
        list of {"title", "caption", "png"}: a JPEG at most 512 px wide, or None.
    """
    return [
        {"title": e.title, "caption": caption, "png": picture}
        for e in examples
        for caption, picture in [_picture(study, e, read_pixels)]
    ]


def _picture(study, example, read_pixels):
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
    return example.caption, _jpeg(drawn)


def _not_shown(example, reason) -> str:
    """The caption of an example without picture."""
    _LOG.warning("not shown in the report: %s: %s", example.image.truth.file_name, reason)
    return f"{example.caption} The image cannot be shown: {reason}"


def _jpeg(picture):
    height, width = picture.shape[:2]
    if width > MAX_WIDTH_PX:
        size_wh = MAX_WIDTH_PX, max(1, round(height * MAX_WIDTH_PX / width))
        picture = cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _pairs(study):
    """(MatchedImage, lesion, Match or None) of every lesion."""
    return [
        (image, lesion, match)
        for image in study.images
        for lesion, match in zip(image.lesions, image.matches, strict=True)
    ]


def _missed(study):
    found = [(image, lesion) for image, lesion, match in _pairs(study) if match is None]
    found.sort(key=lambda pair: (-pair[1].area_px, pair[0].truth.image_id))
    for image, lesion in found:
        name = study.class_names[lesion.class_id]
        yield Example(
            image,
            "Missed lesion",
            f"{_where(image)}: no finding is paired with a {name} lesion of {lesion.area_px:.0f} px² (dashed).",
        )


def _touched(study, *, highest):
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


def _false_positives(study):
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


def _first_of_each_image(examples, count, used):
    chosen = []
    for example in examples:
        if len(chosen) >= count:
            break
        if example.image.truth.image_id not in used:
            used.add(example.image.truth.image_id)
            chosen.append(example)
    return chosen


def _where(image):
    return image.truth.file_name
