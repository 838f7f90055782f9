"""Embeddings of every kind of model: from torch, and the same from the graphs of an export."""

import numpy as np
import pytest
import torch
from repository import ROOT

from segtumor.config import load_config
from segtumor.errors import ConfigError
from segtumor.export.contract import contract_of
from segtumor.export.graphs import EagerGraphs
from segtumor.models.build import create_model, predictor_from_config
from segtumor.models.embedding import Embedding
from segtumor.models.kinds import set_classes
from segtumor.runtime.mask_rcnn.detector import Detector, ImageHeadDetector

pytestmark = pytest.mark.model

NAMES = ("benign", "malignant")
CLASSIFIER = ("MODEL.META_ARCHITECTURE", "ImageClassifier", "MODEL.CLASSIFIER.NAME", "shufflenet_v2_x0_5")
#: Settings, and how many features.
KINDS = {
    "detector": ((), 16),
    "image head": (("MODEL.META_ARCHITECTURE", "ImageHeadRCNN"), 2 * 4 * 16),
    "classifier": (CLASSIFIER, 1024),
    "unet": (("MODEL.META_ARCHITECTURE", "UNet", "MODEL.UNET.WIDTH", "8"), None),
}
SIZES_HW = [(96, 120), (96, 120)]


def model(kind, tiny_options):
    path = ROOT / "configs" / "tiny_phantoms.yaml"
    cfg = load_config(path, [*tiny_options({"MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.0}), *KINDS[kind][0]])
    set_classes(cfg, NAMES)
    torch.manual_seed(2)
    module = create_model(cfg).eval()
    return cfg, module, predictor_from_config(cfg, module, NAMES)


def windows():
    rng = np.random.default_rng(0)
    return [rng.random((64, 80), dtype=np.float32) for _ in SIZES_HW]


def assert_near(one, other):
    """But for rounding, by the length of the vector: single features may be near zero."""
    assert np.linalg.norm(one - other) <= 1e-5 * np.linalg.norm(other)


@pytest.mark.parametrize("kind", KINDS)
def test_readings_are_the_same_and_have_an_embedding(kind, tiny_options):
    _, module, predictor = model(kind, tiny_options)
    embedding = predictor.with_model(Embedding(predictor.model, NAMES))
    plain, found = predictor.read_windows(windows(), SIZES_HW), embedding.read_windows(windows(), SIZES_HW)
    assert plain == found and all(reading.embedding is None for reading in plain)
    for reading in found:
        assert reading.embedding.dtype == np.float32 and reading.embedding.any()
        assert reading.embedding.shape == (KINDS[kind][1] or len(reading.embedding),)
    assert not np.allclose(found[0].embedding, found[1].embedding)
    (alone,) = embedding.read_windows(windows()[1:], SIZES_HW[1:])
    assert_near(alone.embedding, found[1].embedding)
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())


def test_the_features_of_a_classifier_give_its_answer(tiny_options):
    _, module, predictor = model("classifier", tiny_options)
    (reading, _) = predictor.with_model(Embedding(predictor.model, NAMES)).read_windows(windows(), SIZES_HW)
    last = [layer for layer in module.network.modules() if isinstance(layer, torch.nn.Linear)][-1]
    answer = last(torch.from_numpy(reading.embedding)).softmax(dim=0)
    np.testing.assert_allclose(answer.detach(), reading.image_probabilities, atol=1e-5)


@pytest.mark.parametrize(("kind", "runtime"), [("detector", Detector), ("image head", ImageHeadDetector)])
def test_graphs_give_the_same(kind, runtime, tiny_options):
    cfg, module, predictor = model(kind, tiny_options)
    theirs = predictor.with_model(Embedding(predictor.model, NAMES)).read_windows(windows(), SIZES_HW)
    ours = runtime(EagerGraphs(module), contract_of(cfg, module, NAMES)).read(windows(), SIZES_HW)
    for our, their in zip(ours, theirs, strict=True):
        assert_near(our.embedding, their.embedding)


def test_other_models_are_refused():
    class Other:
        def classify(self, windows):
            return []

    with pytest.raises(ConfigError, match="no module of torch"):
        Embedding(Other(), NAMES)
