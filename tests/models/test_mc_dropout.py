"""Monte-Carlo dropout: the same thinned networks for every image, and a mean near that of the whole network."""

import numpy as np
import pytest
import torch
from torch import nn

import segtumor
from segtumor.config import load_config
from segtumor.errors import ConfigError
from segtumor.inference.combined import Ensemble
from segtumor.models.build import create_model
from segtumor.models.image_models import ModelClassifier
from segtumor.models.kinds import set_classes
from segtumor.models.mc_dropout import DropoutSample
from segtumor.models.weights import write_checkpoint
from segtumor.runs import CONFIG
from segtumor.structures.readings import Reading

pytestmark = pytest.mark.model

NAMES = ("benign", "malignant")


class Tiny(nn.Module):
    """A classifier with dropout before its last layer and a batch norm, which must stay as it is."""

    def __init__(self, dropout):
        super().__init__()
        torch.manual_seed(0)
        self.norm, self.drop, self.last = nn.BatchNorm1d(32), nn.Dropout(dropout), nn.Linear(32, 3)

    def forward(self, batch):
        values = torch.stack([example["image"][0, :4, :8].flatten() / 255 for example in batch])
        return [{"image_probabilities": row.softmax(0)} for row in self.last(self.drop(self.norm(values)))]


def windows(count):
    return list(np.random.default_rng(0).random((count, 8, 8)).astype(np.float32))


def samples(module, passes):
    model = ModelClassifier(module)
    return [DropoutSample(module, model, NAMES, number=number) for number in range(passes)]


def test_an_answer_depends_on_its_image_alone():
    module, images, sizes = Tiny(0.5).train(), windows(3), [(8, 8)] * 3
    (sample,) = samples(module, 1)
    together = [r.image_probabilities for r in sample.read(images, sizes)]
    backwards = [r.image_probabilities for r in sample.read(images[::-1], sizes)]
    alone = [sample.read([image], [(8, 8)])[0].image_probabilities for image in images]
    assert together == backwards[::-1] == alone
    assert module.training and not module.drop._forward_hooks and module.norm.num_batches_tracked == 0


def test_passes_differ_and_their_mean_is_near_the_whole():
    module, (image,) = Tiny(0.2).eval(), windows(1)
    state = torch.random.get_rng_state()
    members = samples(module, 200)
    (plain,) = ModelClassifier(module).classify([image])
    each = np.array([member.read([image], [(8, 8)])[0].image_probabilities for member in members])
    assert len(np.unique(each[:, 0])) > 150
    (reading,) = Ensemble(members, NAMES).read([image], [(8, 8)])
    np.testing.assert_allclose(reading.image_probabilities, each.mean(axis=0))
    np.testing.assert_allclose(each.mean(axis=0), plain, atol=0.02)
    assert reading.uncertainty == pytest.approx(2 * np.std(1 - each[:, 0])) and reading.uncertainty > 0.01
    assert torch.equal(state, torch.random.get_rng_state())  # nobody else's random numbers change


def test_a_model_without_dropout_is_refused():
    with pytest.raises(ConfigError, match="no dropout to leave on"):
        samples(Tiny(0.0), 1)


def test_a_run_is_loaded_as_several(tiny_config_file, tmp_path):
    settings = ("MODEL.META_ARCHITECTURE", "ImageClassifier", "MODEL.CLASSIFIER.NAME", "shufflenet_v2_x0_5")
    cfg = load_config(tiny_config_file, [*settings, "INPUT.MIN_SIZE_TEST", "32", "MODEL.CLASSIFIER.DROPOUT", "0.5"])
    set_classes(cfg, NAMES)
    state = {"model": create_model(cfg).state_dict(), "class_names": list(NAMES), "training_data": None}
    write_checkpoint(tmp_path / "model_best.pth", state)
    (tmp_path / CONFIG).write_text(cfg.dump())
    pixels = np.random.default_rng(0).random((32, 32))
    reading = segtumor.load(tmp_path, mc_dropout=3).read(pixels)
    assert reading.uncertainty > 0 and segtumor.load(tmp_path).read(pixels).uncertainty is None
    with pytest.raises(ConfigError, match="2 passes or more"):
        segtumor.load(tmp_path, mc_dropout=1)


class ByAge:
    """A model that takes a table."""

    context_columns = ("age",)

    def read_with_contexts(self, windows, sizes_hw, contexts):
        likely = [context.get("age", 0) / 100 for context in contexts]
        return [Reading(class_names=NAMES, size_hw=(8, 8), image_probabilities=(1 - p, p, 0)) for p in likely]


def test_a_table_reaches_the_model():
    sample = DropoutSample(Tiny(0.5), ByAge(), NAMES, number=0)
    readings = sample.read_with_contexts(windows(2), [(8, 8)] * 2, [{"age": 30}, {}])
    assert [reading.image_probabilities[1] for reading in readings] == [0.3, 0]
