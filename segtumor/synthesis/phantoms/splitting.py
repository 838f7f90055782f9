"""Split of phantom cases into train, val and test: whole cases, labels in proportion, drawn from the seed."""

from collections.abc import Sequence

import numpy as np

from segtumor.errors import ConfigError

PARTS = ("train", "val", "test")


def split_labels(labels: Sequence[str], fractions: Sequence[float], seed: int) -> list[str]:
    """The part of each case, by shares of train, val and test, of which one may be 0.

    Cases are shuffled within their label, the labels laid end to end, and each case goes to the part that is then
    furthest behind its share; so every label, and the whole, is divided as asked to within one case or so. Raises
    ConfigError for bad shares, or too few cases to give each part one.
    """
    shares = np.asarray(fractions, dtype=np.float64)
    if shares.shape != (3,) or not np.all(shares >= 0) or abs(shares.sum() - 1) > 1e-6:
        raise ConfigError(
            "fractions of train, val and test", where="fractions", got=list(fractions), expected="three, adding up to 1"
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, 0, 0)))
    counts = np.zeros(3)
    parts = [""] * len(labels)
    for case in _order(labels, rng):
        part = int(np.argmax(shares * (counts.sum() + 1) - counts))
        counts[part] += 1
        parts[case] = PARTS[part]
    empty = [name for name, share, count in zip(PARTS, shares, counts, strict=True) if share > 0 and count == 0]
    if empty:
        raise ConfigError(
            f"too few cases: none is left for {' and '.join(empty)}", where="cases", got=len(labels),
            remedy="Ask for more cases, or give that part the fraction 0",
        )  # fmt: skip
    return parts


def _order(labels: Sequence[str], rng: np.random.Generator) -> list[int]:
    names = sorted(set(labels))
    members = [[i for i, label in enumerate(labels) if label == name] for name in names]
    return [int(case) for group in members for case in rng.permutation(group)]
