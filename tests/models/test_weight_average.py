"""The mean of weights: by hand, what it remembers, and what has none."""

import pytest
import torch

from segtumor.commands import weights as command
from segtumor.errors import ConfigError, ModelError
from segtumor.models.weight_average import average_weights
from segtumor.models.weights import read_checkpoint, write_checkpoint

pytestmark = pytest.mark.model


def saved(path, value, *, names=("benign", "malignant"), data=("a",), synthetic=False, shape=(2, 2)):
    model = {"layer.weight": torch.full(shape, float(value)), "norm.num_batches_tracked": torch.tensor(int(value))}
    training_data = None if data is None else {"datasets": list(data), "synthetic": synthetic}
    write_checkpoint(path, {"model": model, "class_names": list(names), "training_data": training_data})
    return path


@pytest.mark.parametrize(("shares", "mean"), [((), 2.0), ((1, 1), 2.0), ((3, 1), 1.5), ((0.75, 0.25), 1.5)])
def test_by_hand(tmp_path, shares, mean):
    files = [saved(tmp_path / "a.pth", 1), saved(tmp_path / "b.pth", 3, data=("a", "b"))]
    assert average_weights(files, tmp_path / "mean.pth", shares=shares) == 2
    found = read_checkpoint(tmp_path / "mean.pth")
    assert found["model"]["layer.weight"].tolist() == [[mean] * 2] * 2
    assert found["model"]["layer.weight"].dtype == torch.float32
    assert found["model"]["norm.num_batches_tracked"] == 1
    assert found["class_names"] == ["benign", "malignant"]
    assert found["training_data"] == {"datasets": ["a", "b"], "synthetic": False}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"synthetic": True}, {"synthetic": True}, {"datasets": ["a"], "synthetic": True}),
        ({"synthetic": True}, {}, {"datasets": ["a"], "synthetic": False}),
        ({"data": None}, {}, None),
    ],
)
def test_what_it_has_learnt_from(tmp_path, first, second, expected):
    average_weights([saved(tmp_path / "a.pth", 1, **first), saved(tmp_path / "b.pth", 2, **second)], tmp_path / "m.pth")
    assert read_checkpoint(tmp_path / "m.pth")["training_data"] == expected


def test_of_16_and_32_bits_the_mean_has_32_and_the_scale_of_pixels_is_kept(tmp_path):
    first, second = saved(tmp_path / "a.pth", 1), saved(tmp_path / "b.pth", 3)
    checkpoint = read_checkpoint(first)
    half = {name: t.half() if t.is_floating_point() else t for name, t in checkpoint["model"].items()}
    write_checkpoint(first, {**checkpoint, "model": half, "pixels": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]})
    average_weights([first, second], tmp_path / "mean.pth")
    found = read_checkpoint(tmp_path / "mean.pth")
    assert found["model"]["layer.weight"].dtype == torch.float32
    assert command.main(["convert", str(tmp_path / "mean.pth"), str(tmp_path / "converted.pth")]) == 0
    for name in ("mean.pth", "converted.pth"):
        assert read_checkpoint(tmp_path / name)["pixels"] == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


def test_parts_that_only_training_needs_are_left_out_where_one_has_none(tmp_path):
    first, second = saved(tmp_path / "a.pth", 1), saved(tmp_path / "b.pth", 3)
    checkpoint = read_checkpoint(second)
    write_checkpoint(second, {**checkpoint, "model": {**checkpoint["model"], "pixel_head.last.weight": torch.ones(2)}})
    for files in ([first, second], [second, first]):
        average_weights(files, tmp_path / "mean.pth")
        assert list(read_checkpoint(tmp_path / "mean.pth")["model"]) == ["layer.weight", "norm.num_batches_tracked"]
    average_weights([second, second], tmp_path / "mean.pth")
    assert read_checkpoint(tmp_path / "mean.pth")["model"]["pixel_head.last.weight"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ("malignant", "benign")}, "other classes, or another order"),
        ({"shape": (2, 3)}, r"another network: layer\.weight"),
    ],
)
def test_models_that_have_no_mean(tmp_path, options, message):
    files = [saved(tmp_path / "a.pth", 1), saved(tmp_path / "b.pth", 2, **options)]
    with pytest.raises(ModelError, match=message):
        average_weights(files, tmp_path / "mean.pth")
    assert not (tmp_path / "mean.pth").exists()


@pytest.mark.parametrize(("count", "shares"), [(1, ()), (2, (1,)), (2, (1, 0)), (2, (1, -1))])
def test_what_is_asked_wrongly(tmp_path, count, shares):
    files = [saved(tmp_path / f"{number}.pth", 1) for number in range(count)]
    with pytest.raises(ConfigError):
        average_weights(files, tmp_path / "mean.pth", shares=shares)


def test_the_command(tmp_path, capsys):
    files = [str(saved(tmp_path / "a.pth", 1)), str(saved(tmp_path / "b.pth", 3))]
    argv = ["average", *files, "--output", str(tmp_path / "mean.pth")]
    assert command.main(argv) == 0 and "the mean of 2 models, 2 tensors" in capsys.readouterr().out
    assert command.main(argv) == 2 and "is there already" in capsys.readouterr().err
    assert command.main([*argv, "--overwrite"]) == 0
    assert command.main(["average", *files, "--output", str(tmp_path / "mean.bin")]) == 2
