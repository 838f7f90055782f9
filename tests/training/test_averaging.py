"""The moving average of the weights, by hand."""

import pytest
import torch
from torch import nn

from segtumor.errors import ConfigError
from segtumor.training.optimization.averaging import moving_average
from segtumor.training.train import train

pytestmark = pytest.mark.model


def one_number(value):
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, value)
    return model


@pytest.mark.parametrize(
    ("decay", "values", "expected"),
    [
        (0.9, [4.0], 4.0),  # the first weights are the first average
        # The decay of the second update is (1 + 1) / (10 + 1), of the third 3 / 12.
        (0.9, [4.0, 15.0], 4.0 * 2 / 11 + 15.0 * 9 / 11),
        (0.9, [4.0, 15.0, 1.0], (4.0 * 2 / 11 + 15.0 * 9 / 11) * 0.25 + 0.75),
        (0.1, [4.0, 14.0], 13.0),  # never above the decay that was asked for
        (0.1, [4.0, 14.0, 3.0], 4.0),
    ],
)
def test_by_hand(decay, values, expected):
    model = one_number(0.0)
    average = moving_average(model, decay)
    for value in values:
        nn.init.constant_(model.weight, value)
        average.update_parameters(model)
    assert average.module.weight.item() == pytest.approx(expected, rel=1e-6)
    assert model.weight.item() == values[-1]


def test_statistics_of_batch_norms_are_averaged_and_counters_copied():
    model = nn.BatchNorm1d(1)
    average = moving_average(model, 0.1)
    for count, mean in enumerate([0.0, 10.0]):
        model.running_mean.fill_(mean)
        model.num_batches_tracked.fill_(count)
        average.update_parameters(model)
    assert average.module.running_mean.item() == pytest.approx(9.0)
    assert average.module.num_batches_tracked.item() == 1


def test_a_resumed_average_goes_on_as_if_it_had_not_stopped():
    models = [one_number(1.0), one_number(1.0)]
    averages = [moving_average(model, 0.99) for model in models]
    averages[0].update_parameters(models[0])
    averages[1].load_state_dict(averages[0].state_dict())
    for model, average in zip(models, averages, strict=True):
        nn.init.constant_(model.weight, 5.0)
        average.update_parameters(model)
    assert torch.equal(averages[0].module.weight, averages[1].module.weight)
    assert averages[0].module.weight.item() not in (1.0, 5.0)


def test_an_average_that_no_set_would_choose_is_refused(phantoms, tiny_config, tmp_path):
    settings = {"SOLVER.AVERAGE_DECAY": 0.9, "DATASETS.VALIDATION": (), "OUTPUT_DIR": tmp_path / "run"}
    with pytest.raises(ConfigError, match=r"SOLVER\.AVERAGE_DECAY"):
        train(tiny_config(settings))
    assert not (tmp_path / "run" / "config.yaml").exists()
