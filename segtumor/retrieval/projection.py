"""Embeddings as points of a plane. Letters: N images, D features."""

from collections.abc import Callable, Mapping

import numpy as np

from segtumor.arrays import Floats
from segtumor.errors import ConfigError, needed

#: Neighbours that t-SNE keeps together, at most.
_PERPLEXITY = 30.0


def principal_components(directions: Floats) -> Floats:
    """(N, D) -> (N, 2) along the two axes of largest variance (Pearson 1901), centred; 0 where there is no second one.

    An axis points where its largest entry is positive, so that two runs give one picture.
    """
    centred = directions - directions.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2]
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    points = np.zeros((len(directions), 2))
    points[:, : len(axes)] = centred @ (axes * np.sign(largest)[:, None]).T
    return points


def tsne(directions: Floats, *, seed: int = 0) -> Floats:
    """(N, D) -> (N, 2) by t-SNE (van der Maaten & Hinton 2008) of scikit-learn, from the principal components.

    Which points are neighbours means something, distances between groups do not.

    Raises:
        InstallationError: scikit-learn is not installed.
        ConfigError: fewer than four images.
    """
    with needed("sklearn", "scikit-learn is not installed", remedy="Type: python -m pip install scikit-learn"):
        from sklearn.manifold import TSNE
    if len(directions) < 4:
        raise ConfigError("too few images for t-SNE", where="--map", got=len(directions), expected="4 or more")
    perplexity = min(_PERPLEXITY, (len(directions) - 1) / 3)
    found = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(directions)
    points: Floats = np.asarray(found, dtype=np.float64)
    return points


#: By name. Directions (N, D) to points (N, 2).
MAPS: Mapping[str, Callable[[Floats], Floats]] = {"pca": principal_components, "tsne": tsne}
