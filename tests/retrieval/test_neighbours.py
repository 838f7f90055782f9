import numpy as np
import pytest
from indexes import index_of, random_index

from segtumor.retrieval.neighbours import Neighbours

#: Four directions about their mean, which is 0: right, up, left, down.
COMPASS = [[1, 0], [0, 1], [-1, 0], [0, -1]]


def nearest(neighbours, embedding, k, **options):
    (direction,) = neighbours.directions_of(np.array([embedding], dtype=np.float32))
    return neighbours.nearest(direction, k, **options)


def test_distances_are_one_less_cosine():
    neighbours = Neighbours(index_of(COMPASS, ["normal"] * 4))
    assert [row for row, _ in nearest(neighbours, [3, 1], 4)] == [0, 1, 3, 2]
    cosines = np.array([3, 1, -1, -3]) / np.sqrt(10)
    np.testing.assert_allclose([d for _, d in nearest(neighbours, [3, 1], 4)], 1 - cosines, atol=1e-6)


@pytest.mark.parametrize("shift", [(0, 0), (100, 50)])
def test_what_all_share_does_not_matter(shift):
    neighbours = Neighbours(index_of(np.array(COMPASS) + shift, ["normal"] * 4))
    found = nearest(neighbours, np.array([1, 2]) + shift, 2)
    assert [row for row, _ in found] == [1, 0] and found[0][1] == pytest.approx(1 - 2 / np.sqrt(5), abs=1e-5)


def test_one_image_of_a_case_and_none_of_the_own():
    neighbours = Neighbours(index_of(COMPASS, ["normal"] * 4, ["a", "a", "b", "c"]))
    assert [row for row, _ in nearest(neighbours, [3, 1], 4)] == [0, 3, 2]
    assert [row for row, _ in nearest(neighbours, [3, 1], 4, own_cases={"a"})] == [3, 2]
    assert [row for row, _ in nearest(neighbours, [3, 1], 1, own_cases={"a", "c"})] == [2]
    assert nearest(neighbours, [3, 1], 5, own_cases={"a", "b", "c"}) == []


def test_the_mean_itself_is_equally_far_from_all():
    assert {d for _, d in nearest(Neighbours(index_of(COMPASS, ["normal"] * 4)), [0, 0], 4)} == {1.0}


def test_scikit_learn_finds_the_same():
    from sklearn.neighbors import NearestNeighbors

    index, queries = random_index(80, 6), random_index(20, 6, seed=1)
    mean = index.embeddings.mean(axis=0)
    oracle = NearestNeighbors(n_neighbors=5, metric="cosine").fit(index.embeddings - mean)
    distances, rows = oracle.kneighbors(queries.embeddings - mean)
    neighbours = Neighbours(index)
    found = [nearest(neighbours, embedding, 5) for embedding in queries.embeddings]
    assert [[row for row, _ in one] for one in found] == rows.tolist()
    np.testing.assert_allclose([[d for _, d in one] for one in found], distances, atol=1e-6)
