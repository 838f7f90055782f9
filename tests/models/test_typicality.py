"""Unlikeness against the Gaussian that it stands for, written out."""

import pytest
import torch

from segtumor.models.detectors.typicality import Typicality

pytestmark = pytest.mark.model


def drawn(count, seed, *, width=100, scale=1.0):
    """Values that vary much along the first two of ``width`` directions, turned at random, and little along others."""
    generator = torch.Generator().manual_seed(seed)
    turn, _ = torch.linalg.qr(torch.randn(width, width, generator=torch.Generator().manual_seed(99)))
    deviations = torch.full((width,), 0.1)
    deviations[:2] = 5.0
    return scale * torch.randn(count, width, generator=generator) * deviations @ turn + 3.0


def fitted(width=100):
    typicality = Typicality(width)
    typicality.fit(drawn(400, 0, width=width), drawn(200, 1, width=width))
    return typicality


def test_until_it_is_fitted_nothing_is_unlike():
    assert Typicality(10)(torch.full((1, 10), 1e6)).item() < 1


def test_the_limit_leaves_one_validation_image_in_forty_above():
    assert (fitted()(drawn(200, 1)) > 1).sum().item() == pytest.approx(5, abs=1)


def test_other_images_are_like_and_others_are_not():
    typicality = fitted()
    assert (typicality(drawn(400, 2)) > 1).float().mean() < 0.1
    assert (typicality(drawn(400, 3, scale=3.0)) > 1).all()
    assert (typicality(torch.zeros(1, 100)) > 1).all()
    off_the_plane = drawn(1, 2)
    off_the_plane[0, ::2] += 1.0  # ten standard deviations of what hardly varies, a fraction of those of what does
    assert (typicality(off_the_plane) > 1).all()


def test_the_distance_is_that_of_the_whole_covariance():
    training, images = drawn(400, 0, width=30), drawn(5, 7, width=30, scale=2.0)
    typicality = Typicality(30)
    typicality.fit(training, images)
    centred = ((images - training.mean(dim=0)) / training.std(dim=0)).double()
    standard = ((training - training.mean(dim=0)) / training.std(dim=0)).double()
    inverse = torch.linalg.inv(standard.T @ standard / (len(training) - 1))
    expected = torch.einsum("ni,ij,nj->n", centred, inverse, centred).sqrt()
    # 30 values have 30 axes, fewer than are kept: nothing is left over.
    assert typicality.distance(images).tolist() == pytest.approx(expected.tolist(), rel=1e-3)
