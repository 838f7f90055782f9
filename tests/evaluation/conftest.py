"""Builders shared by the tests of this room: rectangles as lesions and findings, and random scenes as COCO JSON."""

from dataclasses import replace

import numpy as np
import pytest

from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult, Lesion
from segtumor.structures.masks import rle_from_mask

SIZE_HW = (10, 10)


def _rectangle(box_xyxy, size_hw=SIZE_HW):
    mask = np.zeros(size_hw, dtype=bool)
    x0, y0, x1, y1 = box_xyxy
    mask[y0:y1, x0:x1] = True
    return mask


class Builder:
    """Makes lesions, findings and images on a 10 x 10 px radiograph."""

    size_hw = SIZE_HW

    def __init__(self):
        self._n = 0

    def lesion(self, class_id, *box_xyxy, mask=True, crowd=False):
        self._n += 1
        area = float((box_xyxy[2] - box_xyxy[0]) * (box_xyxy[3] - box_xyxy[1]))
        rle = rle_from_mask(_rectangle(box_xyxy)) if mask else None
        return Lesion(self._n, class_id, tuple(map(float, box_xyxy)), rle, area, crowd)

    def finding(self, class_id, score, *box_xyxy, mask=True):
        rle = rle_from_mask(_rectangle(box_xyxy)) if mask else None
        return Finding(class_id, score, tuple(map(float, box_xyxy)), rle)

    def image(self, lesions=(), findings=(), **attributes):
        self._n += 1
        truth = AnnotatedImage(self._n, f"{self._n}.png", SIZE_HW, tuple(lesions), attributes)
        return ImageResult(truth, tuple(sorted(findings, key=lambda f: -f.score)))


@pytest.fixture
def build():
    return Builder()


@pytest.fixture
def three_images(build):
    """Three images that one can check by eye; see test_classification for the sums."""
    first = build.image(
        [build.lesion(0, 0, 0, 4, 4), build.lesion(1, 6, 6, 10, 10)],
        [
            build.finding(1, 0.9, 0, 0, 4, 4),  # hits the benign lesion exactly, with the wrong class
            build.finding(1, 0.8, 6, 6, 10, 8),  # half of the malignant one: IoU 8/16, Dice 16/24
            build.finding(0, 0.4, 0, 8, 2, 10),  # below the threshold
        ],
        case_id="a",
        image_label="malignant",
        view=["frontal", "oblique"],
    )
    second = build.image(
        [build.lesion(1, 0, 0, 4, 4), build.lesion(0, 7, 7, 9, 9)],  # the second one is missed
        [build.finding(0, 0.7, 2, 2, 6, 6)],  # IoU 4/28, Dice 8/32: no hit
        case_id="b",
        image_label="malignant",
    )
    third = build.image([], [build.finding(0, 0.6, 1, 1, 3, 3), build.finding(1, 0.3, 5, 5, 6, 6)], case_id="c")
    return [first, second, third]


def _ellipse(rng, size_hw):
    height, width = size_hw
    rows, columns = np.mgrid[:height, :width]
    center = rng.uniform(0, 1, 2) * size_hw
    radii = rng.choice([6.0, 20.0, 60.0]) * rng.uniform(0.6, 1.4, 2)
    return ((rows - center[0]) / radii[0]) ** 2 + ((columns - center[1]) / radii[1]) ** 2 <= 1


def _box_xywh(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)]


def _annotation(image_id, class_id, mask):
    return {
        "image_id": image_id,
        "category_id": (3, 7)[class_id],  # neither contiguous nor from 1
        "bbox": _box_xywh(mask),
        "segmentation": rle_from_mask(mask),
    }


@pytest.fixture
def random_coco():
    """A function (rng, n_images) -> (COCO annotations, COCO results): overlaps, crowds, both classes, tied scores."""

    def make(rng, n_images):
        size_hw, images, annotations, results = (150, 180), [], [], []
        for image_id in range(11, 11 + n_images):
            images.append({"id": image_id, "file_name": f"{image_id}.png", "height": 150, "width": 180})
            for _ in range(rng.integers(0, 4)):
                mask, class_id = _ellipse(rng, size_hw), int(rng.integers(2))
                extra = {"id": len(annotations) + 1, "area": int(mask.sum()), "iscrowd": int(rng.random() < 0.15)}
                annotations.append({**_annotation(image_id, class_id, mask), **extra})
                for _ in range(rng.integers(0, 4)):  # shifted copies, so that many pairs overlap
                    moved = np.roll(mask, rng.integers(-6, 7, 2), axis=(0, 1))
                    guess = class_id if rng.random() < 0.7 else 1 - class_id
                    results.append({**_annotation(image_id, guess, moved), "score": float(rng.integers(1, 20) / 20)})
            for _ in range(rng.integers(0, 3)):
                guess = _annotation(image_id, int(rng.integers(2)), _ellipse(rng, size_hw))
                guess["bbox"] = [float(value) for value in guess["bbox"] + rng.random(4)]  # no whole pixels
                results.append({**guess, "score": float(rng.random())})
        categories = [{"id": 3, "name": "benign"}, {"id": 7, "name": "malignant"}]
        return {"images": images, "annotations": annotations, "categories": categories}, results

    return make


def _some_box(rng):
    """Corners on the 10 x 10 px radiograph, at least 2 px wide and high."""
    (x0, y0), (width, height) = rng.integers(0, 7, 2), rng.integers(2, 6, 2)
    return x0, y0, min(x0 + width, 10), min(y0 + height, 10)


def _near(rng, box_xyxy):
    """The box, or one moved by a pixel."""
    moved = np.clip(np.array(box_xyxy) + rng.integers(-1, 2) * np.array([1, 0, 1, 0]), 0, 10)
    return tuple(moved) if moved[0] < moved[2] else box_xyxy


@pytest.fixture
def random_cases(build):
    """A function (rng, n_cases, mask=True) -> ImageResults of cases with one to three images: normal ones and tumors,
    hits, misses and false positives, crowds, tied scores, and attributes of which some are missing."""

    def one_image(rng, case_id, normal, mask):
        boxes = [_some_box(rng) for _ in range(0 if normal else rng.integers(0, 3))]
        lesions = [build.lesion(int(rng.integers(2)), *box, mask=mask, crowd=rng.random() < 0.1) for box in boxes]
        found = [_near(rng, box) for box in boxes if rng.random() < 0.8]
        found += [_some_box(rng) for _ in range(rng.integers(0, 3))]
        findings = []
        for box in found:
            finding = build.finding(int(rng.integers(2)), float(rng.integers(1, 20) / 20), *box, mask=mask)
            p = float(rng.integers(0, 11) / 10)
            findings.append(replace(finding, probabilities=(p, 1 - p) if rng.random() < 0.7 else ()))
        attributes = {
            "case_id": case_id,
            "spacing_mm": [0.5, 0.25] if rng.random() < 0.7 else None,
            "age": int(rng.integers(5, 80)) if rng.random() < 0.9 else None,
            "sex": str(rng.choice(["F", "M"])),
            "view": list(rng.choice(["frontal", "lateral"], rng.integers(1, 3), replace=False)),
        }
        if not lesions:
            attributes["image_label"] = str(rng.choice(["normal", "normal" if normal else "benign"]))
        return build.image(lesions, findings, **attributes)

    def make(rng, n_cases, mask=True):
        images = []
        for c in range(n_cases):
            normal = rng.random() < 0.4
            images += [one_image(rng, f"case {c}", normal, mask) for _ in range(rng.integers(1, 4))]
        return images

    return make
