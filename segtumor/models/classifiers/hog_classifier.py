"""Classifiers of the time before networks: hand-made features (``hog``) and a classifier fitted at once (``fitted``).

Letters: N images, F features, K classes, without normal.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.modeling import META_ARCH_REGISTRY
from torch import nn

from segtumor.arrays import Floats32, Ints
from segtumor.errors import ConfigError
from segtumor.models.classifiers.fitted import Fitted, build_fitted, fit_calibration
from segtumor.models.classifiers.hog import Hog
from segtumor.models.classifiers.image_classifier import ImageClassifier

#: Parts of the training set, by case, each of which is scored by a fit on the others (Platt 1999: three).
_PARTS = 3


class HogNetwork(nn.Module):
    """Features, scores, logits: (N, 3, H, W) -> (N, K + 1), normal first. Untrained until ``HogClassifier.fit``."""

    def __init__(self, hog: Hog, scorer: Fitted, num_outputs: int) -> None:
        super().__init__()
        self.hog, self.scorer, self.calibration = hog, scorer, nn.Linear(num_outputs, num_outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """See the class."""
        logits: torch.Tensor = self.calibration(self.scorer(self.hog(images)))
        return logits


@META_ARCH_REGISTRY.register()
class HogClassifier(ImageClassifier):
    """An ``ImageClassifier`` that ``fit`` makes at once; its probabilities are calibrated."""

    network: HogNetwork

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """What ``MODEL.HOG`` describes, for ``MODEL.CLASS_NAMES`` and images of ``INPUT.MIN_SIZE_TEST``."""
        weights, count = list(cfg.MODEL.CLASSIFIER.CLASS_WEIGHTS), len(cfg.MODEL.CLASS_NAMES) + 1
        hog = Hog(
            side_px=cfg.INPUT.MIN_SIZE_TEST,
            cell_px=cfg.MODEL.HOG.CELL_PX,
            orientations=cfg.MODEL.HOG.ORIENTATIONS,
            smoothing_px=cfg.MODEL.HOG.SMOOTHING_PX,
        )
        settings = {
            "cost": cfg.MODEL.HOG.COST,
            "hidden": cfg.MODEL.HOG.HIDDEN,
            "trees": cfg.MODEL.HOG.TREES,
            "leaves": cfg.MODEL.HOG.LEAVES,
        }
        scorer = build_fitted(cfg.MODEL.HOG.CLASSIFIER, num_features=hog.count, num_outputs=count, settings=settings)
        return {
            "network": HogNetwork(hog, scorer, count),
            "class_weights": [*weights[-1:], *weights[:-1]],
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
        }

    def fit(self, batches: Iterable[list[dict[str, Any]]], cases: Sequence[str], *, seed: int) -> None:
        """Fit the scorer to a training set, and the calibration to scores that fits on other cases gave its images.

        Args:
            batches: examples as for training, without augmentation; those of unknown class are left out.
            cases: of the images, in the same order.
            seed: of everything random.

        Raises:
            ConfigError: the images are of one case.
            InstallationError: scikit-learn is not installed.
        """
        features, classes = self._features(batches)
        known = classes >= 0
        features, classes = features[known], classes[known]
        parts = _parts_by_case(np.asarray(cases)[known], seed)
        weights = np.ones(len(classes)) if self.class_weights is None else self.class_weights.cpu().numpy()[classes]
        scores = np.zeros((len(classes), self.network.calibration.in_features))
        for part in np.unique(parts):
            held_out = parts == part
            if len(np.unique(classes[~held_out])) > 1:  # else nothing is learnt, and the scores stay equal
                self.network.scorer.fit(features[~held_out], classes[~held_out], weights[~held_out], seed=seed)
                scores[held_out] = self._scores(features[held_out])
        fit_calibration(self.network.calibration, scores, classes, weights)
        self.network.scorer.fit(features, classes, weights, seed=seed)

    def _features(self, batches: Iterable[list[dict[str, Any]]]) -> tuple[Floats32, Ints]:
        rows, classes = [], []
        for batch in batches:
            with torch.inference_mode():
                rows.append(self.network.hog(self.images(batch).tensor).cpu().numpy())
            classes += [example["image_class"] for example in batch]
        return np.concatenate(rows), np.array(classes, dtype=np.int64)

    def _scores(self, features: Floats32) -> Floats32:
        with torch.inference_mode():
            scores: Floats32 = self.network.scorer(torch.from_numpy(features).to(self.device)).cpu().numpy()
        return scores


def _parts_by_case(cases: Sequence[str] | np.ndarray[Any, Any], seed: int) -> Ints:
    """Part of each image, (N,), at random but for cases, which stay whole."""
    names, case_of = np.unique(cases, return_inverse=True)
    if len(names) < 2:
        raise ConfigError(
            "calibration needs images of several cases", where="DATASETS.TRAIN", got=len(names), expected="2 or more"
        )
    part_of_case = np.random.default_rng(seed).permutation(len(names)) % min(_PARTS, len(names))
    return np.asarray(part_of_case[case_of])
