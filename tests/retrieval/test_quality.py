import numpy as np
import pytest
from indexes import index_of, random_index

from segtumor.errors import DataError
from segtumor.retrieval.index import UNKNOWN
from segtumor.retrieval.quality import retrieval, vote

#: Two groups at opposite sides; the last image lies in the wrong one.
POINTS = [[5, 1], [5, 0], [5, -1], [-5, 1], [-5, 0], [-5, -0.5]]
LABELS = ["normal", "normal", "normal", "benign", "benign", "normal"]


def test_a_table_by_eye():
    index = index_of(POINTS, LABELS)
    every, benign, normal = retrieval(index, index, k=2)
    assert (every.label, benign.label, normal.label) == (None, "benign", "normal")
    # The first three see two normal ones each; the two benign ones see each other and the stray one, the stray one two
    # benign ones.
    assert benign.precision == 0.5 and normal.precision == 3 / 4
    assert every.precision == (3 * 1 + 2 * 0.5 + 0) / 6
    # Chance: of 5 others, 3 are normal for a normal one, 1 is benign for a benign one.
    assert benign.precision_chance == pytest.approx(1 / 5) and normal.precision_chance == pytest.approx(3 / 5)
    assert every.accuracy_chance == 4 / 6 and benign.accuracy_chance == 0 and normal.accuracy_chance == 1
    assert (every.n_images, every.n_cases) == (6, 6)


@pytest.mark.parametrize(
    ("labels", "winner"), [("aab", "a"), ("abb", "b"), ("abc", "a"), ("baab", "b"), ("c", "c"), ("bccaa", "c")]
)
def test_a_vote_goes_to_the_nearest_of_equals(labels, winner):
    assert vote(list(labels)) == winner


def test_scikit_learn_votes_alike():
    from sklearn.neighbors import KNeighborsClassifier

    index, queries = random_index(120, 6), random_index(50, 6, seed=1)
    queries = index_of(queries.embeddings, queries.labels, [f"q{i}" for i in range(50)])
    mean = index.embeddings.mean(axis=0)
    oracle = KNeighborsClassifier(1, metric="cosine").fit(index.embeddings - mean, index.labels)
    accuracy = oracle.score(queries.embeddings - mean, queries.labels)
    (every, *_) = retrieval(queries, index, k=1)
    assert every.accuracy == every.precision == pytest.approx(accuracy)
    assert 0 <= every.precision_interval.low <= every.precision <= every.precision_interval.high <= 1


def test_noise_is_at_chance_and_order_above():
    rng = np.random.default_rng(0)
    noise = index_of(rng.normal(size=(400, 20)), rng.choice(["normal", "benign"], size=400).tolist())
    (every, *_) = retrieval(noise, noise)
    assert every.precision_interval.low < every.precision_chance < every.precision_interval.high
    (every, *_) = retrieval(random_index(300), random_index(300))
    assert every.precision_interval.low > every.precision_chance


def test_images_of_a_case_do_not_find_each_other():
    """Twins in one case: with the case known they are no help; as cases of their own they would be perfect."""
    rng = np.random.default_rng(0)
    points = np.repeat(rng.normal(size=(40, 8)), 2, axis=0)
    labels = np.repeat(rng.choice(["normal", "benign"], size=40), 2).tolist()
    twins = index_of(points, labels, [f"c{i // 2}" for i in range(80)])
    alone = index_of(points, labels)
    assert retrieval(alone, alone, k=1)[0].accuracy == 1
    assert retrieval(twins, twins, k=1)[0].accuracy < 0.8
    assert retrieval(twins, twins, k=1)[0].n_cases == 40


def test_unknown_classes_are_left_out():
    index = index_of([*POINTS, [5, 0.5]], [*LABELS, UNKNOWN])
    assert retrieval(index, index, k=2)[0].precision == retrieval(index_of(POINTS, LABELS), index, k=2)[0].precision
    unknown = index_of(POINTS[:2], [UNKNOWN] * 2)
    with pytest.raises(DataError, match="no image of known class"):
        retrieval(unknown, index)


def test_a_lonely_case_is_said():
    index = index_of(POINTS, LABELS, ["a"] * 6)
    with pytest.raises(DataError, match="no image of another case"):
        retrieval(index, index)
