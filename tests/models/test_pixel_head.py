"""The map of lesions that a detector learns beside its regions."""

import json

import numpy as np
import pytest
import torch
from detectron2.structures import BitMasks, Instances

from segtumor.commands import train
from segtumor.models.build import create_model
from segtumor.models.detectors.pixel_head import PixelHead
from segtumor.models.weights import load_weights, read_checkpoint

pytestmark = pytest.mark.model

WITH_PIXEL_HEAD = {"MODEL.META_ARCHITECTURE": "ImageHeadRCNN", "MODEL.PIXEL_HEAD.ENABLED": True}


def head(**options):
    torch.manual_seed(0)
    return PixelHead(**{"in_features": ["a", "b"], "channels": [3, 5], "strides": [4, 8], "hidden": 2} | options)


def lesions(*masks):
    instances = Instances(masks[0].shape)
    instances.gt_masks = BitMasks(torch.from_numpy(np.stack(masks)))
    return instances


def maps(size_hw, channels=(3, 5), n=1):
    (height, width), (a, b) = size_hw, channels
    return {"a": torch.rand(n, a, height, width), "b": torch.rand(n, b, (height + 1) // 2, (width + 1) // 2)}


@pytest.mark.parametrize("size_hw", [(8, 8), (6, 10), (5, 7)])
def test_the_map_has_the_size_of_the_finest_level(size_hw):
    assert head()(maps(size_hw, n=2)).shape == (2, *size_hw)


def test_the_target_is_the_share_of_each_cell_that_lesions_cover():
    """An image of 6 x 8 px in a batch of 8 x 8: two lesions that overlap, in cells of 4 px."""
    one, other = np.zeros((2, 6, 8), dtype=bool)
    one[0:4, 0:2], other[0:2, 0:4], other[4:6, 4:8] = True, True, True
    target = head()._target(lesions(one, other), torch.zeros(1, 2, 2))
    assert target.tolist() == [[12 / 16, 0], [0, 8 / 16]]


def test_the_loss_by_hand():
    """Logits of 0, half a cell of four covered: cross entropy ln 2, Dice 2 * 0.5 * 0.5 / (4 * 0.5 + 0.5)."""
    module, mask = head(), np.zeros((8, 8), dtype=bool)
    with torch.no_grad():
        module.layers[-1].weight.zero_(), module.layers[-1].bias.zero_()
    mask[0:2, 0:4] = True
    assert module.losses(maps((2, 2)), [lesions(mask)]).item() == pytest.approx(np.log(2) + 1 - 0.5 / 2.5)
    nothing = [lesions(np.zeros((8, 8), dtype=bool))]
    assert module.losses(maps((2, 2)), nothing).item() == pytest.approx(np.log(2))  # no Dice without lesions


def test_findings_are_those_of_the_model_without_it(tiny_config):
    images = [{"image": torch.rand(3, 64, 64) * 255, "height": 64, "width": 64}]
    settings = {"MODEL.META_ARCHITECTURE": "ImageHeadRCNN", "MODEL.ROI_HEADS.SCORE_THRESH_TEST": 0.0}
    plain = create_model(tiny_config(settings)).eval()
    with_head = create_model(tiny_config(settings | WITH_PIXEL_HEAD)).eval()
    missing = with_head.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert missing and all(name.startswith("pixel_head.") for name in missing)
    boxes = [model(images)[0]["instances"].pred_boxes.tensor for model in (plain, with_head)]
    assert torch.equal(*boxes) and len(boxes[0])


def test_it_is_trained_and_kept_with_the_rest(phantoms, tiny_config, tiny_config_file, tiny_options, tmp_path):
    settings = {**WITH_PIXEL_HEAD, "SOLVER.MAX_ITER": 2, "OUTPUT_DIR": tmp_path / "run"}
    assert train.main(["--config-file", str(tiny_config_file), *tiny_options(settings)]) == 0
    last = json.loads((tmp_path / "run" / "metrics.json").read_text().splitlines()[-1])
    assert last["loss_pixels"] > 0 and last["loss_mask"] > 0
    trained = read_checkpoint(tmp_path / "run" / "model_final.pth")["model"]
    model = create_model(tiny_config(WITH_PIXEL_HEAD))
    load_weights(model, tmp_path / "run" / "model_final.pth", strict=True)
    of_head = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("pixel_head.")}
    assert of_head and all(torch.equal(tensor, trained[name]) for name, tensor in of_head.items())
