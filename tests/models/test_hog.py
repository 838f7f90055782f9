"""Histograms of oriented gradients and what is fitted to them: by eye, and by a second implementation."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from segtumor.errors import ConfigError
from segtumor.models.classifiers.fitted import build_fitted, fit_calibration
from segtumor.models.classifiers.hog import Hog

pytestmark = pytest.mark.model

SETTINGS = {"cost": 1.0, "hidden": 30, "trees": 5, "leaves": 8}


def hog(**options):
    return Hog(**{"side_px": 8, "cell_px": 4, "orientations": 4, "smoothing_px": [0.0], **options})


def images(pixels):
    return torch.as_tensor(np.asarray(pixels), dtype=torch.float32).expand(1, 3, -1, -1)


@pytest.mark.parametrize(
    ("degrees", "votes"),
    [
        (0, [0, 0.5, 0.5, 0]),  # rising to the right: between the second and the third bin, of -90 to 90 degrees
        (90, [0.5, 0, 0, 0.5]),  # rising downwards: between the last bin and the first
        (22.5, [0, 0, 1, 0]),
        (202.5, [0, 0, 1, 0]),  # falling where that rises
        (-67.5, [1, 0, 0, 0]),
    ],
)
def test_slopes_by_eye(degrees, votes):
    row, column = np.mgrid[:12, :12]
    slope = np.deg2rad(degrees)
    cells = hog(side_px=12).histograms(images(np.cos(slope) * column + np.sin(slope) * row)[:, :1])
    assert cells.shape == (1, 4, 3, 3)
    # Two pixels apart, values differ by 2. At the border, where the outermost pixel is repeated, it is otherwise.
    np.testing.assert_allclose(cells[0, :, 1, 1].numpy(), 2 * np.asarray(votes), atol=1e-3)


def plain_hog(pixels, cell, bins):
    """The definition, pixel by pixel."""
    size = len(pixels)
    padded = np.pad(pixels, 1, mode="edge")
    cells = np.zeros((size // cell, size // cell, bins))
    for y in range(size):
        for x in range(size):
            across, down = padded[y + 1, x + 2] - padded[y + 1, x], padded[y + 2, x + 1] - padded[y, x + 1]
            place = (np.arctan2(down, across) % np.pi + np.pi / 2) % np.pi / np.pi * bins - 0.5
            low = int(np.floor(place))
            for number, share in ((low, 1 - place + low), (low + 1, place - low)):
                cells[y // cell, x // cell, number % bins] += share * np.hypot(across, down) / cell**2
    blocks = []
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        end = len(cells) - 1
        blocks.append(cells[corner[0] : corner[0] + end, corner[1] : corner[1] + end])
    blocks = np.concatenate(blocks, axis=2)
    for limit in (0.2, None):
        blocks = blocks / np.linalg.norm(blocks, axis=2, keepdims=True)
        blocks = blocks.clip(max=limit) if limit else blocks
    return blocks.transpose(2, 0, 1).ravel()


def test_a_second_implementation_agrees():
    pixels = np.random.default_rng(0).random((24, 24)).astype(np.float32)
    features = hog(side_px=24, cell_px=8, orientations=9)
    found = features(images(pixels))
    assert found.shape == (1, features.count) == (1, 4 * 9 * 2 * 2)
    np.testing.assert_allclose(found[0].numpy(), plain_hog(pixels, 8, 9), atol=1e-4)


def test_brightness_and_contrast_hardly_matter_and_levels_are_joined():
    pixels = np.random.default_rng(0).random((16, 16)).astype(np.float32)
    one, several = hog(side_px=16), hog(side_px=16, smoothing_px=[0.0, 2.0])
    torch.testing.assert_close(one(images(pixels)), one(images(3 * pixels - 1)), atol=1e-4, rtol=0)
    joined = several(images(pixels))
    assert joined.shape[1] == 2 * one.count == several.count
    torch.testing.assert_close(joined[:, : one.count], one(images(pixels)))
    assert not torch.allclose(joined[:, one.count :], one(images(pixels)), atol=0.01)
    flat = several(images(np.full((16, 16), 7.0)))
    assert torch.isfinite(flat).all()


def test_cells_must_fill_the_image():
    for cell in (3, 8):
        with pytest.raises(ConfigError, match=r"MODEL\.HOG\.CELL_PX"):
            hog(cell_px=cell)


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    classes = np.repeat([0, 1, 2], [60, 40, 20])
    features = rng.normal(size=(120, 6)) + np.eye(6)[classes] * 2
    return features.astype(np.float32), classes, rng.uniform(0.5, 2, 120)


def fitted(name, data, **options):
    features, classes, weights = data
    scorer = build_fitted(name, num_features=6, num_outputs=options.get("outputs", 3), settings=SETTINGS)
    scorer.fit(features, classes, weights, seed=0)
    with torch.no_grad():
        return scorer, scorer(torch.from_numpy(features)).numpy()


def test_scores_are_those_of_scikit_learn(data):
    features, classes, weights = data
    machine = LinearSVC(C=1.0, dual=True, random_state=0).fit(features, classes, sample_weight=weights)
    np.testing.assert_allclose(fitted("svm", data)[1], machine.decision_function(features), atol=1e-4)
    forest = RandomForestClassifier(5, max_leaf_nodes=8, random_state=0).fit(features, classes, sample_weight=weights)
    np.testing.assert_allclose(fitted("forest", data)[1], forest.predict_proba(features), atol=1e-6)


def test_the_extreme_learning_machine_is_the_minimum_of_its_loss(data):
    """Ridge in closed form: no step away from it, in any direction, costs less."""
    scorer, scores = fitted("elm", data)
    features, classes, weights = data
    targets = np.where(classes[:, None] == np.arange(3), 1.0, -1.0)

    def cost(output):
        hidden = scorer.hidden(torch.from_numpy(features)).sigmoid().detach().double().numpy()
        errors = weights[:, None] * (hidden @ output.T - targets) ** 2
        return errors.sum() * SETTINGS["cost"] + (output**2).sum()

    best, rng = scorer.output.weight.detach().double().numpy(), np.random.default_rng(2)
    assert all(cost(best) < cost(best + rng.normal(size=best.shape) * 0.01) for _ in range(20))
    assert (scores.argmax(axis=1) == classes).mean() > 0.8


@pytest.mark.parametrize("name", ["svm", "elm", "forest"])
def test_a_class_that_was_never_seen_scores_nothing_and_is_never_called(name, data):
    features, classes, weights = data
    some = classes < 2
    two = features[some], classes[some], weights[some]
    _, scores = fitted(name, two)
    assert (scores[:, 2] == 0).all() and np.ptp(scores[:, 0]) > 0
    linear = torch.nn.Linear(3, 3)
    fit_calibration(linear, scores.astype(np.float64), two[1], two[2])
    with torch.no_grad():
        probabilities = linear(torch.from_numpy(scores)).softmax(1).numpy()
    assert probabilities[:, 2].max() < 1e-6
    assert ((probabilities.argmax(1) == two[1]).mean()) > 0.8


def test_calibration_agrees_with_logistic_regression_where_there_are_two_classes(data):
    """Scores s and -s: a slope for both and two biases are Platt's slope and bias."""
    features, classes, weights = data
    one = features[:, 0] * 3.0
    scores, two = np.column_stack([one, -one]).astype(np.float64), (classes > 0).astype(np.int64)
    linear = torch.nn.Linear(2, 2)
    fit_calibration(linear, scores, two, weights)
    with torch.no_grad():
        own = linear(torch.from_numpy(scores).float()).softmax(1).numpy()
    theirs = LogisticRegression(C=1e4).fit(scores[:, 1:], two, sample_weight=weights).predict_proba(scores[:, 1:])
    np.testing.assert_allclose(own, theirs, atol=2e-3)


def test_scores_that_mislead_are_not_turned_round(data):
    _, classes, weights = data
    wrong = np.eye(3)[(classes + 1) % 3]
    linear = torch.nn.Linear(3, 3)
    fit_calibration(linear, wrong, classes, weights)
    assert (torch.diagonal(linear.weight) > 0).all()
    with torch.no_grad():
        probabilities = linear(torch.from_numpy(wrong).float()).softmax(1)
    frequencies = np.bincount(classes, weights) / weights.sum()
    np.testing.assert_allclose(probabilities.numpy(), np.tile(frequencies, (len(classes), 1)), atol=0.01)


@pytest.mark.parametrize("name", ["svm", "elm", "forest"])
def test_fitting_again_forgets_what_was_before(name, data):
    scorer, scores = fitted(name, data)
    features, classes, weights = data
    scorer.fit(features[::2], classes[::-2].copy(), weights[::2], seed=3)
    scorer.fit(*data, seed=0)
    with torch.no_grad():
        np.testing.assert_array_equal(scorer(torch.from_numpy(features)).numpy(), scores)
