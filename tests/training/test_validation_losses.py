import numpy as np
import pytest
import torch
from detectron2.modeling import build_model
from detectron2.utils.events import EventStorage

from segtumor.errors import NonFiniteLossError
from segtumor.models.build import predictor_from_config
from segtumor.training import train as training
from segtumor.training.batches.catalog import load_datasets
from segtumor.training.batches.loaders import validation_batches
from segtumor.training.trainer import Trainer
from segtumor.training.validation import predict_dataset, validation_losses

pytestmark = pytest.mark.model


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    return build_model(tiny_config())


@pytest.fixture
def batches(phantoms, tiny_config):
    return list(validation_batches(tiny_config(), load_datasets(["phantoms_val"])[0].records))


def test_nothing_of_the_model_or_the_generators_changes(model, phantoms, tiny_config):
    records = load_datasets(["phantoms_val"])[0].records
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert any("running_mean" in name for name in before)
    torch.manual_seed(5)
    np.random.seed(5)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    for is_training in (True, False):
        model.train(is_training)
        # Lazily, as in training: the mapper draws from NumPy's generator.
        validation_losses(model, validation_batches(tiny_config(), records), seed=1)
        assert model.training is is_training
        assert all(module.training is is_training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_value_is_repeatable_whatever_the_generators_hold(model, batches):
    torch.manual_seed(1)
    first = validation_losses(model, batches, seed=3)
    torch.manual_seed(2)
    assert validation_losses(model, batches, seed=3) == first


def test_it_is_the_mean_over_images_of_every_loss(model, batches):
    losses = validation_losses(model, batches, seed=3)
    names = {"loss_rpn_cls", "loss_rpn_loc", "loss_cls", "loss_box_reg", "loss_mask"}
    assert set(losses) == names | {"total"}
    assert losses["total"] == pytest.approx(sum(losses[name] for name in names))


def test_a_large_batch_counts_by_its_images():
    class Constant(torch.nn.Module):
        def forward(self, batch):
            return {"loss": torch.tensor(float(batch[0]))}

    # Three images at 1 and one at 5: (3 x 1 + 5) / 4.
    assert validation_losses(Constant(), [[1, 1, 1], [5]], seed=0) == {"loss": 2.0, "total": 2.0}


class Breaking(torch.nn.Module):
    """Gives these values as its loss, one after another; what is no number is raised."""

    def __init__(self, *values):
        super().__init__()
        self._values = iter(values)

    def forward(self, batch):
        value = next(self._values)
        if isinstance(value, Exception):
            raise value
        return {"loss_cls": torch.tensor(value), "loss_mask": torch.tensor(1.0)}


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (FloatingPointError("Predicted boxes or scores contain Inf/NaN. Training has diverged."), "proposals"),
        (float("nan"), "loss_cls"),
        (-float("inf"), "loss_cls"),
    ],
)
def test_losses_that_are_not_finite_say_what_a_training_step_says(value, what):
    batches = [[{"file_name": f"{name}.png"}] for name in ("first", "second")]
    with pytest.raises(NonFiniteLossError) as caught:
        validation_losses(Breaking(1.0, value), batches, seed=0, where="validation at iteration 5")
    message = str(caught.value)
    assert message.startswith(f"validation at iteration 5: {what} became NaN or infinite (got images second.png)")
    assert "lower SOLVER.BASE_LR" in message and caught.value.exit_code == 5


def test_a_model_that_breaks_down_in_a_validation_ends_the_training(phantoms, tiny_config, tmp_path):
    """The losses, which take the batch's own statistics in a training step, stay finite; the running ones do not."""
    cfg = tiny_config({"OUTPUT_DIR": tmp_path, "TEST.EVAL_PERIOD": 1, "DATASETS.TEST": ()})
    with pytest.MonkeyPatch.context() as patch:
        step = Trainer.run_step

        def spoil(trainer):
            step(trainer)
            norm = next(m for m in trainer.model.modules() if isinstance(m, torch.nn.BatchNorm2d))
            norm.running_var.fill_(float("nan"))

        patch.setattr(Trainer, "run_step", spoil)
        with pytest.raises(NonFiniteLossError, match=r"validation at iteration 1.*SOLVER\.BASE_LR"):
            training.train(cfg)
    assert not list(tmp_path.glob("model_*"))


def test_the_trainings_storage_is_left_alone(model, batches):
    with EventStorage() as storage:
        validation_losses(model, batches, seed=0)
        assert not storage.histories()


def test_every_image_is_predicted_in_order_whatever_the_batch(model, phantoms, tiny_config):
    (dataset,) = load_datasets(["phantoms_val"])
    predictor = predictor_from_config(tiny_config(), model, dataset.taxonomy.names)
    one, three = (predict_dataset(predictor, dataset, batch_size=n, max_pixels=10**6) for n in (1, 3))
    assert [result.truth for result in one] == list(dataset.annotated_images) == [result.truth for result in three]
    assert any(result.findings for result in one)
    for first, second in zip(one, three, strict=True):
        assert [f.class_id for f in first.findings] == [f.class_id for f in second.findings]
        assert [f.score for f in first.findings] == pytest.approx([f.score for f in second.findings], abs=1e-5)


def test_progress_sees_every_batch(model, phantoms, tiny_config):
    (dataset,) = load_datasets(["phantoms_val"])
    seen = []

    def progress(batches, total):
        seen.append((len(batches), total))
        return batches

    predictor = predictor_from_config(tiny_config(), model, dataset.taxonomy.names)
    predict_dataset(predictor, dataset, batch_size=3, max_pixels=10**6, progress=progress)
    assert seen == [(2, 2)]
