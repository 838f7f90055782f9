"""Sets of results, each awkward in its own way, and all that is measured on them as plain JSON values."""

import math

import numpy as np
from awkward_results import awkward_results

from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult, Lesion
from segtumor.structures.masks import rle_from_mask
from segtumor.synthesis.phantoms.generator import make_phantoms

THREE, TWO, ONE = ("benign", "malignant", "uncertain"), ("benign", "malignant"), ("tumor",)


def awkward_sets(random_cases, build):
    """{name: (ImageResults, class names, score threshold, IoU threshold)}; the arguments are fixtures."""
    seeded = np.random.default_rng
    return {
        "mixed": (awkward_results(seeded(1), 12), THREE, 0.5, 0.5),
        "tied": (awkward_results(seeded(2), 10, n_scores=1, no_masks=0), THREE, 0.25, 0.3),
        "many": (awkward_results(seeded(3), 3, n_scores=1000, most_findings=400)[:2], THREE, 0.9, 0.5),
        "boxes": (awkward_results(seeded(4), 6, no_masks=1), THREE, 0.5, 0.5),
        "cases": (random_cases(seeded(5), 12), TWO, 0.5, 0.5),
        "cases of boxes": (random_cases(seeded(6), 8, mask=False), TWO, 0.3, 0.2),
        "labels without lesions": (_labelled(build), TWO, 0.5, 0.5),
        "one class": (_labelled(build), ONE, 0.5, 0.5),
        "nothing": ([], TWO, 0.5, 0.5),
        "normal images": ([build.image(), build.image([], [build.finding(0, 0.6, 1, 1, 3, 3)])], TWO, 0.5, 0.5),
        "missed": ([build.image([build.lesion(1, 0, 0, 4, 4)])], TWO, 0.5, 0.5),
        "phantoms": (_phantoms(), TWO, 0.4, 0.5),
    }


def _labelled(build):
    """Labels that say tumor, normal or something else, with and without a lesion of the first class or a crowd."""
    labels = ("benign", "malignant", "normal", "tumor", "other", None)
    images = [
        build.image([], [build.finding(0, 0.7, 1, 1, 3, 3)] * (i % 2), image_label=x) for i, x in enumerate(labels)
    ]
    images += [
        build.image([build.lesion(0, 0, 0, 4, 4)], [build.finding(0, 0.7, 0, 0, 4, 4)], image_label=x) for x in labels
    ]
    return [*images, build.image([build.lesion(0, 0, 0, 8, 8, crowd=True)], [build.finding(0, 0.9, 2, 2, 5, 5)])]


def _phantoms():
    """Outlines of phantoms, found a little beside where they are."""
    rng, results = np.random.default_rng(8), []
    for case in make_phantoms(10, seed=3, size_px=96):
        for view in case.views:
            lesions = [_lesion(100 * len(results) + i, lesion) for i, lesion in enumerate(view.lesions)]
            findings = [_found(rng, lesion) for lesion in view.lesions if rng.random() < 0.8]
            findings += [_found(rng, lesion) for lesion in view.lesions if rng.random() < 0.3]
            attributes = {"case_id": case.case_id, "image_label": case.image_label, "age": case.age, "sex": case.sex}
            attributes |= {"site": list(case.site), "view": view.view, "spacing_mm": list(view.spacing_mm)}
            truth = AnnotatedImage(len(results), f"{len(results)}.png", view.pixels.shape, tuple(lesions), attributes)
            results.append(ImageResult(truth, tuple(sorted(findings, key=lambda finding: -finding.score))))
    return results


def _lesion(lesion_id, lesion):
    box_xyxy, rle = _box_and_rle(lesion.mask)
    return Lesion(lesion_id, TWO.index(lesion.label), box_xyxy, rle, float(lesion.mask.sum()))


def _found(rng, lesion):
    mask = np.roll(lesion.mask, rng.integers(-3, 4, 2), axis=(0, 1))
    box_xyxy, rle = _box_and_rle(mask)
    p = float(rng.integers(1, 100) / 100)
    return Finding(int(p < 0.5), max(p, 1 - p), box_xyxy, rle, (p, 1 - p))


def _box_and_rle(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    corners = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    return tuple(map(float, corners)), rle_from_mask(mask)


def plain(value):
    """The value as JSON keeps it: NaN is None, floats have 13 digits."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return None if math.isnan(value) else float(f"{value:.13g}")
    return value.item() if isinstance(value, np.generic) else value


def table(rows):
    """Rows (dicts) with the same keys, in one order, as [columns, *rows]."""
    assert len({tuple(row) for row in rows}) <= 1
    return [list(rows[0]), *(plain(list(row.values())) for row in rows)] if rows else []
