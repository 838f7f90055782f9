"""Classifiers of features that are fitted at once: linear SVM, extreme learning machine, random forest.

Each is a module whose weights ``fit`` sets, so that checkpoints, inference and exports take it as any other. SVM and
forest are fitted by scikit-learn, of which only the numbers are kept: nothing is pickled, and inference does without
it. ``fit_calibration`` makes probabilities of their scores. Not here: features (``hog``).
Letters: N images, F features, K + 1 classes with normal; H hidden values, T trees of at most L leaves.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import nn

from segtumor.arrays import Floats, Floats32, Ints
from segtumor.system.imports import import_optional

_MAX_DEPTH = 24
#: Hardly any regularisation: there are K + 2 numbers to fit in a calibration.
_RIDGE = 0.01
_LEAST_SLOPE = 1e-3
#: Logit of a class that was never seen.
_NEVER = -20.0


class Fitted(nn.Module):
    """Scores of each class, higher where it is likelier: (N, F) -> (N, K + 1); 0 for a class that was never seen.

    Attributes:
        library: module that ``fit`` needs, which not everybody has; "" for none.
    """

    library = ""

    def fitting_library(self) -> Any:
        """The module ``library``, or None.

        Raises:
            InstallationError: it is not installed.
        """
        return import_optional(self.library, extra="classical", title="scikit-learn") if self.library else None

    def fit(self, features: Floats32, classes: Ints, weights: Floats, *, seed: int) -> None:
        """Set the weights anew; nothing of an earlier fit is left.

        Args:
            features: (N, F).
            classes: (N,) in 0..K, at least two of them.
            weights: (N,), how much each image counts.
            seed: of everything random.

        Raises:
            InstallationError: as ``fitting_library``.
        """
        raise NotImplementedError


class LinearSvm(Fitted):
    """One linear support vector machine for each class against the rest (Dalal & Triggs 2005 have one of two classes).

    Args:
        cost: C, weight of the (squared hinge) errors against the width of the margin.
    """

    library = "sklearn.svm"

    def __init__(self, *, num_features: int, num_outputs: int, cost: float) -> None:
        super().__init__()
        self.cost = cost
        self.linear = nn.Linear(num_features, num_outputs)

    def fit(self, features: Floats32, classes: Ints, weights: Floats, *, seed: int) -> None:
        """See ``Fitted``; LIBLINEAR's dual solver (Fan et al. 2008)."""
        machine = self.fitting_library().LinearSVC(C=self.cost, dual=True, random_state=seed)
        with warnings.catch_warnings():  # where it stops short of the tolerance, it is as good as it gets in that time
            warnings.filterwarnings("ignore", message="Liblinear failed to converge")
            machine.fit(features, classes, sample_weight=weights)
        _set_linear(self.linear, machine)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """See ``Fitted``."""
        scores: torch.Tensor = self.linear(features)
        return scores


class ExtremeLearningMachine(Fitted):
    """A random hidden layer, never trained, and a linear one in closed form (Huang et al. 2006, "Extreme learning
    machine: theory and applications"; ridge and cost as Huang et al. 2012, equation 32; weights as Zong et al. 2013).

    Args:
        hidden: H.
        cost: C; the ridge is its inverse.
    """

    def __init__(self, *, num_features: int, num_outputs: int, hidden: int, cost: float) -> None:
        super().__init__()
        self.cost = cost
        self.hidden, self.output = nn.Linear(num_features, hidden), nn.Linear(hidden, num_outputs, bias=False)

    def fit(self, features: Floats32, classes: Ints, weights: Floats, *, seed: int) -> None:
        """See ``Fitted``. Features are standardised; what that takes is part of the hidden layer's weights."""
        rng = np.random.default_rng(seed)
        mean, std = features.mean(axis=0), features.std(axis=0) + 1e-6
        random = rng.standard_normal((self.hidden.out_features, self.hidden.in_features), dtype=np.float32)
        inner = random / (std * np.float32(np.sqrt(self.hidden.in_features)))
        _assign(self.hidden, inner, rng.standard_normal(len(inner)) - inner @ mean)
        with torch.no_grad():
            rows = torch.from_numpy(features).to(self.hidden.weight.device)
            hidden = self.hidden(rows).sigmoid().double().cpu().numpy()
        targets = np.where(classes[:, None] == np.arange(self.output.out_features), 1.0, -1.0)
        targets[:, ~np.isin(np.arange(self.output.out_features), classes)] = 0.0
        weighted = hidden.T * weights
        ridge = np.eye(hidden.shape[1]) / self.cost
        _assign(self.output, np.linalg.solve(weighted @ hidden + ridge, weighted @ targets).T)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """See ``Fitted``."""
        scores: torch.Tensor = self.output(self.hidden(features).sigmoid())
        return scores


class RandomForest(Fitted):
    """Mean of the class frequencies in the leaves that an image falls into (Breiman 2001).

    Trees lie in arrays of one size, (T, 2 L - 1) nodes each, the unused ones at the end; a leaf is its own child.

    Args:
        trees: T.
        leaves: L.
    """

    library = "sklearn.ensemble"
    feature: torch.Tensor
    threshold: torch.Tensor
    branches: torch.Tensor
    frequencies: torch.Tensor

    def __init__(self, *, num_features: int, num_outputs: int, trees: int, leaves: int) -> None:
        super().__init__()
        shape = (trees, 2 * leaves - 1)
        self.leaves = leaves
        own = torch.arange(shape[1]).expand(shape)
        self.register_buffer("feature", torch.zeros(shape, dtype=torch.int64))
        self.register_buffer("threshold", torch.zeros(shape))
        self.register_buffer("branches", torch.stack([own, own]))  # (2, T, nodes): left, right
        self.register_buffer("frequencies", torch.full((*shape, num_outputs), 1 / num_outputs))

    def fit(self, features: Floats32, classes: Ints, weights: Floats, *, seed: int) -> None:
        """See ``Fitted``."""
        forest = self.fitting_library().RandomForestClassifier(
            n_estimators=len(self.feature),
            max_leaf_nodes=self.leaves,
            max_depth=_MAX_DEPTH,
            random_state=seed,
            n_jobs=torch.get_num_threads(),
        )
        forest.fit(features, classes, sample_weight=weights)
        own = torch.arange(self.feature.shape[1])
        for number, estimator in enumerate(forest.estimators_):
            tree = estimator.tree_
            n, is_leaf = tree.node_count, tree.children_left < 0
            self.feature[number, :n] = torch.from_numpy(np.where(is_leaf, 0, tree.feature))
            # Features are compared in 32 bits: the largest such number that is not above the threshold decides alike.
            self.threshold[number, :n] = torch.from_numpy(_rounded_down(tree.threshold))
            self.branches[:, number] = own
            for side, children in enumerate((tree.children_left, tree.children_right)):
                self.branches[side, number, :n] = torch.where(
                    torch.from_numpy(is_leaf), own[:n], torch.from_numpy(children)
                )
            counts = tree.value[:, 0]
            self.frequencies[number] = 0
            self.frequencies[number, :n, torch.from_numpy(forest.classes_)] = torch.from_numpy(
                counts / counts.sum(axis=1, keepdims=True)
            ).float()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """See ``Fitted``."""
        trees = torch.arange(len(self.feature), device=features.device)
        node = torch.zeros(len(features), len(self.feature), dtype=torch.int64, device=features.device)
        for _ in range(_MAX_DEPTH):
            goes_left = features.gather(1, self.feature[trees, node]) <= self.threshold[trees, node]
            node = torch.where(goes_left, self.branches[0][trees, node], self.branches[1][trees, node])
        return self.frequencies[trees, node].mean(dim=1)


def fit_calibration(linear: nn.Linear, scores: Floats, classes: Ints, weights: Floats) -> None:
    """Let ``linear`` turn scores (N, K + 1) into logits whose softmax is a probability.

    One slope for all and a bias for each class, the likeliest ones (Platt 1999, for several classes; Alexandari et al.
    2020, "bias-corrected temperature scaling"). The slope is positive: chance among few images must not turn the scores
    round. Other arguments as ``Fitted.fit``.
    """
    seen, place = np.unique(classes, return_inverse=True)
    scale = scores[:, seen].std() or 1.0
    scaled, truth = scores[:, seen] / scale, np.eye(len(seen))[place]

    def cost(parameters: Floats) -> tuple[float, Floats]:
        logits = parameters[0] * scaled + parameters[1:]
        logs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        errors = weights[:, None] * (np.exp(logs) - truth)
        slopes = np.array([(errors * scaled).sum(), *errors.sum(axis=0)])
        value = _RIDGE * (parameters**2).sum() / 2 - (weights[:, None] * truth * logs).sum()
        return float(value), slopes + _RIDGE * parameters

    bounds = [(_LEAST_SLOPE, None), *[(None, None)] * len(seen)]
    slope, *biases = minimize(cost, np.array([1.0] + [0.0] * len(seen)), jac=True, method="L-BFGS-B", bounds=bounds).x
    bias = np.full(scores.shape[1], _NEVER)
    bias[seen] = biases
    _assign(linear, np.eye(scores.shape[1]) * slope / scale, bias)


def _set_linear(linear: nn.Linear, fitted: Any) -> None:
    """Coefficients of scikit-learn to a layer; classes that it did not see score 0."""
    rows, intercepts = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:  # one row, for the second class
        rows, intercepts = (np.concatenate([-values / 2, values / 2]) for values in (rows, intercepts))
    weight = np.zeros(tuple(linear.weight.shape))
    bias = np.zeros(len(weight))
    weight[fitted.classes_], bias[fitted.classes_] = rows, intercepts
    _assign(linear, weight, bias)


def _assign(linear: nn.Linear, weight: Floats | Floats32, bias: Floats | Floats32 | None = None) -> None:
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(np.asarray(weight)))
        if bias is not None:
            linear.bias.copy_(torch.from_numpy(np.asarray(bias)))


def _rounded_down(values: Floats) -> Floats32:
    """The largest 32-bit numbers that are not above."""
    rounded = values.astype(np.float32)
    return np.where(rounded > values, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def build_fitted(name: str, *, num_features: int, num_outputs: int, settings: Mapping[str, Any]) -> Fitted:
    """One of ``FITTED`` by its name; ``settings`` has what any of them takes beside."""
    kind, keys = FITTED[name]
    return kind(num_features=num_features, num_outputs=num_outputs, **{key: settings[key] for key in keys})


#: Name -> class, and which settings it takes.
FITTED: Mapping[str, tuple[Callable[..., Fitted], tuple[str, ...]]] = {
    "svm": (LinearSvm, ("cost",)),
    "elm": (ExtremeLearningMachine, ("hidden", "cost")),
    "forest": (RandomForest, ("trees", "leaves")),
}
