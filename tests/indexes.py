"""Small indexes for tests."""

import numpy as np

from segtumor.retrieval.index import Index

MODEL = {"weights_sha256": "ab", "short_edge_px": 32, "window_percentiles": (0.5, 99.5)}


def index_of(embeddings, labels, cases=None, *, calls=None, hashes=None, root="nowhere", names=None):
    """An Index; where nothing is said, every image is a case of its own and called rightly."""
    n = len(embeddings)
    return Index(
        embeddings=np.asarray(embeddings, dtype=np.float32),
        file_names=names or [f"{i}.png" for i in range(n)],
        cases=cases or [f"c{i}" for i in range(n)],
        labels=list(labels),
        calls=calls or list(labels),
        pixel_sha256=hashes or [f"h{i}" for i in range(n)],
        class_names=("benign", "malignant"),
        model=MODEL,
        image_root=str(root),
    )


def random_index(n=60, d=8, seed=0, n_cases=None):
    """Three classes whose embeddings differ a little."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(["normal", "benign", "malignant"], size=n, p=(0.5, 0.35, 0.15)).tolist()
    shift = {"normal": 0, "benign": 1, "malignant": 2}
    embeddings = rng.normal(size=(n, d)) + np.eye(d)[[shift[label] for label in labels]]
    cases = [f"c{i % n_cases}" for i in range(n)] if n_cases else None
    return index_of(embeddings, labels, cases)
