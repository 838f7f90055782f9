"""Which runtime computes a training run: torch alone on a CPU, else Detectron2, and never another than was asked."""

import pytest

from segtumor.errors import ConfigError
from segtumor.export import torch_runtime
from segtumor.export.torch_runtime import load_detectron2_predictor, load_fast_predictor

pytestmark = pytest.mark.model


@pytest.fixture
def cfg(tiny_config, tiny_run):
    return tiny_config({"MODEL.WEIGHTS": tiny_run / "model_best.pth"})


@pytest.fixture
def cuda_cfg(cfg, monkeypatch):
    """The configuration as on a machine with a GPU; the model is on the CPU all the same."""
    loaded = torch_runtime.load_trained_model(cfg)
    monkeypatch.setattr(torch_runtime, "load_trained_model", lambda cfg: loaded)
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.DEVICE = "cuda:0"
    return cfg


def test_torch_alone_on_a_cpu(cfg):
    _, names, description = load_fast_predictor(cfg, fallback=False)
    assert list(names) == ["benign", "malignant"] and description["runtime"] == "torch"


def test_detectron2_steps_in_on_a_gpu_and_says_which(cfg, cuda_cfg, caplog):
    with caplog.at_level("INFO"):
        _, _, description = load_fast_predictor(cuda_cfg)
    assert "Detectron2 itself computes this model: MODEL.DEVICE" in caplog.text
    assert description == load_detectron2_predictor(cfg)[2] and description["version"]


def test_another_runtime_than_was_asked_for_is_refused(cfg, cuda_cfg, monkeypatch):
    with pytest.raises(ConfigError, match=r"MODEL\.DEVICE.*cuda:0.*leave --runtime out"):
        load_fast_predictor(cuda_cfg, fallback=False)

    def other_kind(model):
        raise ConfigError("this kind of model cannot be exported", where="MODEL.MASK_ON")

    monkeypatch.setattr(torch_runtime, "EagerGraphs", other_kind)
    assert load_fast_predictor(cfg)[2]["runtime"] == "detectron2"
    with pytest.raises(ConfigError, match=r"MODEL\.MASK_ON.*leave --runtime out"):
        load_fast_predictor(cfg, fallback=False)
