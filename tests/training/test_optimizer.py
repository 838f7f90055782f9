import pytest
import torch
from torch import nn

from segtumor.errors import ConfigError
from segtumor.training.optimization.optimizer import build_optimizer

pytestmark = pytest.mark.model

CLASSES = {"SGD": torch.optim.SGD, "ADAMW": torch.optim.AdamW}


def small_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


@pytest.mark.parametrize("name", CLASSES)
def test_rates_and_decays_are_those_of_the_configuration(tiny_config, name):
    decays = {"SOLVER.WEIGHT_DECAY": 0.5, "SOLVER.WEIGHT_DECAY_BIAS": 0.25, "SOLVER.WEIGHT_DECAY_NORM": 0.125}
    model = small_model()
    optimizer = build_optimizer(tiny_config({"SOLVER.OPTIMIZER": name, "SOLVER.BASE_LR": 0.0625, **decays}), model)
    assert isinstance(optimizer, CLASSES[name])
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert [decay[id(p)] for p in model.parameters()] == [0.5, 0.25, 0.125, 0.25]
    assert {group["lr"] for group in optimizer.param_groups} == {0.0625}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize(("enabled", "norm"), [(True, 10.0), (False, 500.0)])
def test_gradients_are_clipped_where_the_configuration_says_so(tiny_config, name, enabled, norm):
    settings = {"SOLVER.OPTIMIZER": name, "SOLVER.CLIP_GRADIENTS.ENABLED": enabled}
    model = small_model()
    optimizer = build_optimizer(tiny_config(settings), model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    model[0].bias.grad[:2] = torch.tensor([300.0, 400.0])  # of norm 500
    optimizer.step()
    assert model[0].bias.grad.norm().item() == pytest.approx(norm, rel=1e-4)


def test_an_unknown_optimizer_names_the_known_ones(tiny_config):
    with pytest.raises(ConfigError, match="SGD, ADAM, ADAMW"):
        build_optimizer(tiny_config({"SOLVER.OPTIMIZER": "Magic"}), small_model())
