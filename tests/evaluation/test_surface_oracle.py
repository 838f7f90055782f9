"""Surface distances and free-response curves beside MONAI's, where the definitions are the same."""

import warnings

import numpy as np
import pytest
from monai.metrics import (
    compute_average_surface_distance,
    compute_fp_tp_probs_nd,
    compute_froc_curve_data,
    compute_froc_score,
    compute_hausdorff_distance,
    compute_surface_dice,
)

from segtumor.evaluation.facts.surface import surface_distances
from segtumor.evaluation.measures.froc import FROC_RATES, froc
from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult, Lesion
from segtumor.structures.masks import rle_from_mask

pytestmark = pytest.mark.model


def blobs(rng, size_hw, n=3):
    """A union of ellipses, some cut by the image border."""
    rows, columns = np.mgrid[: size_hw[0], : size_hw[1]]
    mask = np.zeros(size_hw, dtype=bool)
    for _ in range(n):
        center, radii = rng.uniform(0, 1, 2) * size_hw, rng.uniform(1, 9, 2)
        mask |= ((rows - center[0]) / radii[0]) ** 2 + ((columns - center[1]) / radii[1]) ** 2 <= 1
    return mask


def of_monai(first, second, tolerance, spacing):
    import torch

    pair = [torch.from_numpy(mask)[None, None].float() for mask in (first, second)]
    options = {"include_background": True, "spacing": spacing}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MONAI's own, on empty masks
        return [
            float(compute_hausdorff_distance(*pair, **options)),
            float(compute_hausdorff_distance(*pair, percentile=95, **options)),
            float(compute_average_surface_distance(*pair, symmetric=True, **options)),
            float(compute_surface_dice(*pair, class_thresholds=[tolerance], **options)),
        ]


def ours(first, second, tolerance, spacing):
    found = surface_distances(rle_from_mask(first), rle_from_mask(second), tolerance=tolerance, spacing=spacing)
    return [found.hausdorff, found.hausdorff_95, found.average, found.normalized_dice]


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 0.2), (0.143, 0.143)])
def test_surface_distances_equal_monai(spacing):
    rng = np.random.default_rng(3)
    for tolerance in (0.7, 2.0) * 20:
        size_hw = tuple(rng.integers(20, 60, 2))
        first, second = blobs(rng, size_hw), blobs(rng, size_hw)
        expected = of_monai(first, second, tolerance, spacing)
        assert ours(first, second, tolerance, spacing) == pytest.approx(expected, rel=1e-6)  # MONAI: single precision


def test_empty_masks_are_where_monai_differs():
    empty, full = np.zeros((4, 4), dtype=bool), np.ones((4, 4), dtype=bool)
    monai = of_monai(empty, full, 1.0, (1.0, 1.0))
    assert monai == pytest.approx([np.inf, np.nan, np.inf, 0], nan_ok=True)
    assert ours(empty, full, 1.0, (1.0, 1.0)) == pytest.approx([np.nan, np.nan, np.nan, 0], nan_ok=True)
    assert np.isnan(of_monai(empty, empty, 1.0, (1.0, 1.0))).all()
    assert ours(empty, empty, 1.0, (1.0, 1.0)) == pytest.approx([np.nan, np.nan, np.nan, 1], nan_ok=True)


def scene(rng, image_id):
    """Up to three lesions apart from each other and up to nine findings, as an ImageResult and as MONAI's arrays."""
    labels = np.zeros((40, 40), dtype=np.int64)
    for label in range(1, rng.integers(1, 5)):
        row, column = divmod(label - 1, 2)
        top, left = 20 * row + rng.integers(0, 8), 20 * column + rng.integers(0, 8)
        labels[top : top + rng.integers(2, 12), left : left + rng.integers(2, 12)] = label
    lesions = tuple(
        Lesion(label, 0, (0.0, 0.0, 1.0, 1.0), rle_from_mask(labels == label), 1.0)
        for label in range(1, labels.max() + 1)
    )
    points = rng.integers(0, 40, (rng.integers(0, 10), 2))  # (row, column)
    scores = rng.integers(1, 64, len(points)) / 64  # some tied; exact in MONAI's single precision
    findings = tuple(
        Finding(0, float(score), (c - 1.0, r - 1.0, c + 2.0, r + 2.0), None)
        for (r, c), score in zip(points, scores, strict=True)
    )
    return ImageResult(AnnotatedImage(image_id, "", (40, 40), lesions), findings), (scores, points, labels)


@pytest.mark.parametrize("seed", range(5))
def test_froc_equals_monai(seed):
    rng = np.random.default_rng(seed)
    scenes = [scene(rng, image_id) for image_id in range(1, 13)]
    counted = [compute_fp_tp_probs_nd(*arrays) for _, arrays in scenes]
    # MONAI gives a lesion that nothing hits the score 0, and leaves out the lowest threshold: a score of 0 that no
    # finding has serves for both.
    false, true = (np.concatenate([[0.0] * (side == 1), *(c[side] for c in counted)]) for side in (0, 1))
    rates, sensitivity = compute_froc_curve_data(false, true, sum(c[2] for c in counted), len(scenes))
    found = froc([result for result, _ in scenes], criterion="mask", interpolate=True)
    assert found.false_positives_per_image.tolist() == pytest.approx(rates[::-1].tolist())
    assert found.sensitivity.tolist() == pytest.approx(sensitivity[::-1].tolist())
    assert found.mean == pytest.approx(compute_froc_score(rates, sensitivity, eval_thresholds=FROC_RATES))
    assert froc([result for result, _ in scenes], criterion="mask").mean <= found.mean
