"""Findings drawn on a radiograph, readable on a 256 px and on a 4,000 px image.

Small images are enlarged and very large ones reduced; a header names the file and the colours, a footer says how sizes
are measured. Each finding has a translucent fill, its contour on top, and a label with class, score and size. Frame:
x to the right, y down, px of the original image for findings and px of the picture for everything drawn. Not here:
writing the picture to a file, and choosing what to show beyond a score threshold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from segtumor import NOTICE
from segtumor.arrays import Box
from segtumor.escaping import printable, shortened
from segtumor.reporting.files.findings_files import box_extent_mm, box_extent_px
from segtumor.reporting.pictures.heat_panel import draw_heat, side_by_side
from segtumor.reporting.pictures.overlay_labels import leader_line, place_labels
from segtumor.reporting.pictures.overlay_view import Font, OverlayBase, View, overlay_base
from segtumor.structures.lesions import Finding, Lesion
from segtumor.structures.masks import mask_contours
from segtumor.structures.readings import ImageProbabilities, Reading, image_class
from segtumor.system.opencv import cv2
from segtumor.taxonomy import NORMAL, color_rgb

FILL_OPACITY = 0.25
# With labels on more of the picture than this, only numbers are written: the lesions are what one wants to see.
MAX_LABELLED_SHARE = 0.25

_INK, _PAPER, _NEUTRAL, _WARNING = (240, 240, 240), (24, 24, 24), (170, 170, 170), (255, 184, 77)
# Longer names of classes leave no room for the radiograph; findings.csv has them whole.
_LONGEST_NAME = 24
#: Where what belongs to no place is written.
_CORNER: Box = (0.0, 0.0, 0.0, 0.0)


Pixels: TypeAlias = NDArray[np.floating] | OverlayBase
Color: TypeAlias = tuple[int, int, int]
Picture: TypeAlias = NDArray[np.uint8]


def draw_reading(pixels: Pixels, reading: Reading, **options: Any) -> Picture:
    """One radiograph with what a model says about it; pixels, options and picture as ``draw_overlay``.

    Beside it, where the reading has heat maps (``explain``), each of them over the radiograph; the maps of a U-Net's
    classes are none: they are what its findings are made of.
    """
    base = pixels if isinstance(pixels, OverlayBase) else overlay_base(pixels)
    heats = {name: heat for name, heat in reading.maps.items() if name not in reading.class_names}
    shown = [finding for finding in reading.findings if finding.score >= options["score_threshold"]]
    placed = [finding for finding in shown if finding.is_placed]
    overlay = draw_overlay(
        base,
        reading.findings,
        reading.class_names,
        image_probabilities=reading.image_probabilities,
        spacing_mm=reading.spacing_mm,
        spacing_source=reading.spacing_source,
        **options,
    )
    return side_by_side(
        [overlay, *(draw_heat(base, heat, name, placed, reading.class_names) for name, heat in heats.items())]
    )


def draw_overlay(
    pixels: Pixels,
    findings: Sequence[Finding],
    class_names: Sequence[str],
    *,
    score_threshold: float,
    image_probabilities: ImageProbabilities | None = None,
    note: str | None = None,
    notes: Sequence[str] = (),
    file_name: str | None = None,
    spacing_mm: tuple[float, float] | None = None,
    spacing_source: str | None = None,
    true_lesions: Sequence[Lesion] = (),
    synthetic: bool = False,
) -> Picture:
    """One radiograph with its findings.

    Args:
        pixels: (H, W) float in [0, 1], or what ``overlay_base`` makes of them, which is far smaller to keep.
        findings: of this image; a label's number is the position from 1, as in findings.csv.
        score_threshold: findings below it are not drawn; named where nothing is left.
        image_probabilities: of the whole image, normal first; in the footer, and where no finding is drawn the class
            and its probability as a label.
        notes: sentences that limit what the findings mean, such as "the image is blank": first in the footer, in
            another colour, and where nothing is found beside that.
        spacing_mm: (row, column) in mm; sizes are in mm if given, else in px.
        spacing_source: where the spacing comes from; shown in the footer.
        true_lesions: drawn dashed, for evaluation.

    Returns:
        (H', W', 3) uint8 RGB, long side of the picture between 768 and 2,000 px, header and footer added.
    """
    base = pixels if isinstance(pixels, OverlayBase) else overlay_base(pixels)
    view = View.of(base.image_hw)
    shown = [(number, f) for number, f in enumerate(findings, start=1) if f.score >= score_threshold]
    picture = view.framed(base.gray)
    _draw_regions(picture, view, [f for _, f in shown if f.is_placed], true_lesions, class_names)
    labels = [_Label.of_finding(view, number, f, class_names, spacing_mm, spacing_source) for number, f in shown]
    if not shown:
        labels = [_label_of_image(view, class_names, image_probabilities, score_threshold, has_notes=bool(notes))]
    picture, crowded = _draw_labels(picture, view, labels)
    header = _strip(view, [_title(file_name, synthetic)], legend=_legend(shown, class_names, true_lesions))
    sentences = _footer_sentences(note, shown, crowded, spacing_mm, spacing_source)
    if image_probabilities is not None:
        sentences = [_image_sentence(image_probabilities, class_names), *sentences]
    footer = _strip(view, sentences, notes=notes)
    return np.concatenate([header, picture, footer])


def size_text(
    finding: Finding, spacing_mm: tuple[float, float] | None = None, spacing_source: str | None = None
) -> str:
    """Width x height of a finding's box: "34 x 21 px", or "5 x 3 mm at detector" if the spacing is known."""
    if not finding.is_placed:
        return "no place given"
    width, height = box_extent_px(finding) if spacing_mm is None else box_extent_mm(finding, spacing_mm)
    return f"{width:.0f} x {height:.0f} {_unit(spacing_mm, spacing_source)}"


@dataclass(frozen=True)
class _Label:
    """Lines of text in a small panel, with the colour and the box (px of the picture) they belong to."""

    lines: tuple[str, ...]
    color: tuple[int, int, int]
    anchor_xyxy: np.ndarray
    short: str | None = None

    @classmethod
    def of_finding(
        cls,
        view: View,
        number: int,
        finding: Finding,
        class_names: Sequence[str],
        spacing_mm: tuple[float, float] | None,
        spacing_source: str | None,
    ) -> "_Label":
        box_xyxy = finding.box_xyxy if finding.is_placed else _CORNER
        lines = (
            f"#{number} {shortened(class_names[finding.class_id], _LONGEST_NAME)} {finding.score:.2f}",
            size_text(finding, spacing_mm, spacing_source),
        )
        return cls(lines, color_rgb(finding.class_id, class_names), view.box(box_xyxy), f"#{number}")

    def shortened(self) -> "_Label":
        return _Label((self.short or "",), self.color, self.anchor_xyxy)

    def size_wh(self, font: Font) -> tuple[float, float]:
        pad = font.size // 2
        return max(font.getlength(line) for line in self.lines) + 3 * pad, len(self.lines) * _line_px(font) + pad

    def area(self, font: Font) -> float:
        return math.prod(self.size_wh(font))

    def draw(self, canvas: ImageDraw.ImageDraw, box_xyxy: Box, font: Font) -> None:
        x0, y0, x1, y1 = box_xyxy
        pad = font.size // 2
        canvas.rectangle((x0, y0, x1 - 1, y1 - 1), fill=_PAPER)
        canvas.rectangle((x0, y0, x0 + pad // 2, y1 - 1), fill=self.color)
        for row, line in enumerate(self.lines):
            canvas.text((x0 + 1.5 * pad, y0 + pad / 2 + row * _line_px(font)), line, font=font, fill=_INK)


def _label_of_image(
    view: View,
    class_names: Sequence[str],
    image_probabilities: ImageProbabilities | None,
    score_threshold: float,
    *,
    has_notes: bool,
) -> _Label:
    """What is written where no finding is drawn: the class of the image, or that nothing was found."""
    color = _WARNING if has_notes else _NEUTRAL
    lines = [f"no finding above {score_threshold:.2f}"]
    if image_probabilities is not None:
        chosen = image_class((), score_threshold, image_probabilities)
        name = shortened((NORMAL, *class_names)[chosen], _LONGEST_NAME)
        lines = [f"{name} {image_probabilities[chosen]:.2f}", "whole image"]
        color = color_rgb(chosen - 1, class_names) if chosen else color
    return _Label((*lines, *(["but see the note below"] if has_notes else [])), color, view.box(_CORNER))


def _draw_regions(
    picture: Picture,
    view: View,
    findings: Sequence[Finding],
    true_lesions: Sequence[Lesion],
    class_names: Sequence[str],
) -> None:
    """Fills first and contours after them, so that no contour lies under another finding's fill."""
    thickness, dash_px = max(2, view.font_px // 8), 2 * view.font_px // 3
    outlines = []  # (lines, whether each closes on itself, colour)
    for finding in findings:
        region, color = view.region(finding), np.array(color_rgb(finding.class_id, class_names))
        _blend(picture, *region, color)
        outlines.append((_contours(*region), True, color.tolist()))
    for lesion in true_lesions:
        color = np.array(color_rgb(lesion.class_id, class_names))
        outlines.append((_dashes(_contours(*view.region(lesion)), dash_px), False, color.tolist()))
    for width, rim in ((thickness + 2, _PAPER), (thickness, None)):  # the dark rim shows it on bright bone too
        for lines, closed, color in outlines:
            cv2.polylines(picture, lines, closed, rim or color, width, cv2.LINE_AA)


def _blend(picture: Picture, region: NDArray[np.bool_], top: int, left: int, color: NDArray[np.int_]) -> None:
    """Lay ``color`` over the picture where ``region``; by a table of the 256 levels, since a region may be large."""
    table = np.rint((1 - FILL_OPACITY) * np.arange(256)[:, None] + FILL_OPACITY * color).astype(np.uint8)
    part = picture[top : top + region.shape[0], left : left + region.shape[1]]
    for channel in range(3):
        level = part[..., channel]
        level[region] = table[level[region], channel]


def _contours(region: NDArray[np.bool_], top: int, left: int) -> list[NDArray[np.int_]]:
    return [contour + np.array([left, top]) for contour in mask_contours(region)] if region.size else []


def _dashes(contours: Sequence[NDArray[np.int_]], length_px: int) -> list[NDArray[np.int_]]:
    """Every other stretch of ``length_px`` points of each contour."""
    return [
        contour[start : start + length_px] for contour in contours for start in range(0, len(contour), 2 * length_px)
    ]


def _draw_labels(picture: Picture, view: View, labels: list[_Label]) -> tuple[Picture, bool]:
    """Write the labels; returns the picture and whether it was too crowded for more than numbers."""
    boxes, crowded = _place(view, labels), False
    if None in boxes or sum(label.area(view.font) for label in labels) > MAX_LABELLED_SHARE * math.prod(view.canvas_wh):
        labels, crowded = [label.shortened() for label in labels], True
        boxes = _place(view, labels)
    image = Image.fromarray(picture)
    canvas = ImageDraw.Draw(image)
    pairs = [(label, box) for label, box in zip(labels, boxes, strict=True) if box is not None]
    for label, box in pairs:
        canvas.line(leader_line(box, label.anchor_xyxy), fill=label.color, width=max(1, view.font_px // 12))
    for label, box in pairs:
        label.draw(canvas, box, view.font)
    return np.asarray(image), crowded


def _place(view: View, labels: Sequence[_Label]) -> list[Box | None]:
    sizes_wh = [label.size_wh(view.font) for label in labels]
    return place_labels([label.anchor_xyxy for label in labels], sizes_wh, view.canvas_wh)


def _title(file_name: str | None, synthetic: bool) -> str:
    return (
        " | ".join(([printable(file_name)] if file_name else []) + (["SYNTHETIC IMAGE"] if synthetic else []))
        or "radiograph"
    )


def _legend(
    shown: Sequence[tuple[int, Finding]], class_names: Sequence[str], true_lesions: Sequence[Lesion]
) -> list[tuple[str, Color | None]]:
    """(text, colour) of each class, or of those that occur where there are many."""
    occurring = {f.class_id for _, f in shown} | {lesion.class_id for lesion in true_lesions}
    class_ids = range(len(class_names)) if len(class_names) <= 4 else sorted(occurring)
    entries: list[tuple[str, Color | None]] = [
        (shortened(class_names[class_id], _LONGEST_NAME), color_rgb(class_id, class_names)) for class_id in class_ids
    ]
    crowds = any(lesion.iscrowd for lesion in true_lesions)
    true = "dashed: true lesion or crowd region" if crowds else "dashed: true lesion"
    return [*entries, (true, None)] if true_lesions else entries


def _unit(spacing_mm: tuple[float, float] | None, spacing_source: str | None) -> str:
    """px, or mm with what is known of its source: radiographs name it, such as "mm at detector"."""
    if spacing_mm is None:
        return "px"
    source = spacing_source or "source unknown"
    return source if source.startswith("mm") else f"mm ({source})"


def _image_sentence(image_probabilities: ImageProbabilities, class_names: Sequence[str]) -> str:
    names = [shortened(name, _LONGEST_NAME) for name in (NORMAL, *class_names)]
    pairs = zip(names, image_probabilities, strict=True)
    return f"Whole image: {', '.join(f'{name} {probability:.2f}' for name, probability in pairs)}."


def _footer_sentences(
    note: str | None,
    shown: Sequence[tuple[int, Finding]],
    crowded: bool,
    spacing_mm: tuple[float, float] | None,
    spacing_source: str | None,
) -> list[str]:
    sentences = [note] if note else []
    if shown:
        sentences.append(f"Size: width x height of the box in {_unit(spacing_mm, spacing_source)}.")
    if crowded:
        sentences.append("Little room: class, score and size of each number are in findings.csv.")
    return [*sentences, NOTICE]


def _strip(
    view: View,
    sentences: Sequence[str],
    legend: Sequence[tuple[str, Color | None]] = (),
    notes: Sequence[str] = (),
) -> Picture:
    """A band of text as wide as the picture, (h, W', 3) uint8: notes and sentences, wrapped, then the legend."""
    font, pad, width = view.font, view.font_px // 2, view.canvas_wh[0] - view.font_px
    colored = [*((f"Note: {printable(note)}", _WARNING) for note in notes), *((text, _INK) for text in sentences)]
    lines = [(line, ink) for sentence, ink in colored for line in _wrap(sentence, font, width)]
    swatch = view.font_px
    rows: list[tuple[float, int, str, Color | None]] = []
    x: float = pad
    y = pad + len(lines) * _line_px(font)
    for text, color in legend:
        needed = (1.5 * swatch if color else 0) + font.getlength(text)
        if x > pad and x + needed > pad + width:
            x, y = pad, y + _line_px(font)
        rows.append((x, y, text, color))
        x += needed + 1.5 * swatch
    image = Image.new("RGB", (view.canvas_wh[0], int((rows[-1][1] + _line_px(font) if rows else y) + pad)), _PAPER)
    canvas = ImageDraw.Draw(image)
    for row, (line, ink) in enumerate(lines):
        canvas.text((pad, pad + row * _line_px(font)), line, font=font, fill=ink)
    for x, y, text, color in rows:
        if color:
            canvas.rectangle((x, y + swatch // 8, x + swatch, y + swatch), fill=color)
        canvas.text((x + (1.5 * swatch if color else 0), y), text, font=font, fill=_INK)
    return np.asarray(image)


def _wrap(text: str, font: Font, width: float) -> list[str]:
    """Lines no wider than ``width`` px, broken at spaces, or inside a word that is too long by itself."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if font.getlength(joined) <= width:
            lines[-1] = joined
            continue
        lines.append("")
        for character in word:
            if font.getlength(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return [line for line in lines if line]


def _line_px(font: Font) -> int:
    return int(1.3 * font.size)
