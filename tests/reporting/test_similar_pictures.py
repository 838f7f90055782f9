"""The strip of similar images, and the map of an embedding."""

import numpy as np
import pytest
from fake_study import CLASSES, fake_study, index_of_study
from matplotlib.colors import to_rgb

from segtumor.errors import DataError
from segtumor.reporting.figures.canvas import class_color
from segtumor.reporting.figures.embedding import embedding_figure
from segtumor.reporting.pages.study_figures import embedding_study_figure
from segtumor.reporting.pictures.similar_strip import with_similar
from segtumor.structures.readings import Similar

PICTURE = np.zeros((400, 300, 3), dtype=np.uint8)


def similar(n, label="benign", case="c1"):
    return [Similar(f"{i}.png", case, label, 0.1 * i) for i in range(n)]


@pytest.mark.parametrize("shape", [(50, 50), (200, 20), (3, 300), (1, 1)])
@pytest.mark.parametrize("n", [1, 5, 9])
def test_a_strip_has_a_tile_for_each(n, shape):
    strip = with_similar(PICTURE, similar(n), [np.ones(shape, dtype=np.float32)] * n)
    assert strip.dtype == np.uint8 and strip.shape[1] > 300
    np.testing.assert_array_equal(strip[:400, :300], PICTURE)
    side = strip.shape[1] - 300
    tiles = strip[: n * side, 300:].reshape(n, side, side, 3)
    assert all((tile[: side // 2] == 255).any() for tile in tiles)


def test_the_picture_alone_without_any():
    assert with_similar(PICTURE, [], []) is PICTURE


def test_a_picture_that_is_gone_leaves_its_words():
    absent, shown = (with_similar(PICTURE, similar(1), [t]) for t in (None, np.ones((9, 9), dtype=np.float32)))
    side = absent.shape[1] - 300
    words = slice(side - side // 6, side)
    np.testing.assert_array_equal(absent[words, 300:], shown[words, 300:])
    assert absent[words, 300:].max() > 200 > absent[: side // 2, 300:].max()


def test_names_of_any_script_are_written():
    with_similar(PICTURE, similar(1, "osteo\u202ecid\x1b", "膝" * 90), [None])


def test_a_map_has_a_colour_for_each_class_and_a_cross_for_each_wrong_call():
    points = np.arange(12.0).reshape(6, 2)
    labels = ["normal", "benign", "malignant", "benign", "tumour of unknown class", "normal"]
    figure = embedding_figure(points, labels, [*labels[:3], "malignant", None, "normal"], CLASSES, method="pca")
    (axes,) = figure.axes
    drawn = {group.get_label(): group for group in axes.collections}
    assert list(drawn) == [
        *("normal, n = 2", "benign, n = 2", "malignant, n = 1", "tumour of unknown class, n = 1", "called wrongly")
    ]
    assert to_rgb(drawn["malignant, n = 1"].get_facecolor()[0][:3]) == pytest.approx(class_color(1))
    np.testing.assert_array_equal(drawn["called wrongly"].get_offsets(), points[[3, 4]])
    assert "6 images, 2 called wrongly" in figure.get_suptitle()


def test_the_map_of_a_study_has_its_calls():
    study = fake_study()
    made = embedding_study_figure(study, index_of_study(study))
    assert made.section == "embedding" and "principal components" in made.caption
    tumours = sum(row["tumor_true"] for row in study.per_image)
    assert f"12 images, {tumours} called wrongly" in made.draw().get_suptitle()  # everything is called normal there
    with pytest.raises(DataError, match="lacks images of this evaluation"):
        embedding_study_figure(study, index_of_study(study, without=1))
