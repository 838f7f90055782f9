import sys

import numpy as np
import pytest
from indexes import random_index

from segtumor.errors import ConfigError, InstallationError
from segtumor.retrieval.neighbours import Neighbours
from segtumor.retrieval.projection import principal_components, tsne


def test_scikit_learn_has_the_same_components():
    from sklearn.decomposition import PCA

    directions = Neighbours(random_index(50, 7)).directions
    points, theirs = principal_components(directions), PCA(2, svd_solver="full").fit_transform(directions)
    np.testing.assert_allclose(np.abs(points), np.abs(theirs), atol=1e-9)
    assert points[:, 0].var() >= points[:, 1].var()


def test_a_line_stays_a_line_and_a_point_a_point():
    line = np.outer([-1.0, 0.0, 1.0], [3.0, 4.0])
    np.testing.assert_allclose(principal_components(line), [[-5, 0], [0, 0], [5, 0]], atol=1e-12)
    np.testing.assert_array_equal(principal_components(np.ones((1, 4))), [[0, 0]])
    np.testing.assert_array_equal(principal_components(np.ones((3, 1))), np.zeros((3, 2)))


def test_the_sign_does_not_depend_on_the_order_of_images():
    directions = Neighbours(random_index(30)).directions
    np.testing.assert_allclose(
        principal_components(directions[::-1])[::-1], principal_components(directions), atol=1e-9
    )


def test_tsne_keeps_groups_together_and_repeats():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.eye(2, 5) * 10, 15, axis=0) + rng.normal(size=(30, 5))
    points = tsne(groups)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (distances.argmin(axis=1) // 15 == np.arange(30) // 15).all()
    np.testing.assert_array_equal(points, tsne(groups))


def test_what_tsne_needs_is_said(monkeypatch):
    with pytest.raises(ConfigError, match="too few images"):
        tsne(np.eye(3))
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)  # as Python marks what must not be imported
    with pytest.raises(InstallationError, match="sklearn"):
        tsne(np.eye(5))
