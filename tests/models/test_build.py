"""Building a model from a configuration."""

import pytest
import torch

from segtumor.errors import ConfigError
from segtumor.models.build import create_model

pytestmark = pytest.mark.model


def test_channels_last_changes_the_order_in_memory_and_not_the_maps(tiny_config):
    image = torch.randn(1, 3, 64, 96)
    torch.manual_seed(0)
    plain = create_model(tiny_config()).eval()
    turned = create_model(tiny_config({"MODEL.CHANNELS_LAST": True})).eval()
    turned.load_state_dict(plain.state_dict())
    weights = turned.backbone.bottom_up.res3[0].conv1.weight
    assert weights.is_contiguous(memory_format=torch.channels_last) and not weights.is_contiguous()
    with torch.no_grad():
        for name, expected in plain.backbone(image).items():
            torch.testing.assert_close(turned.backbone(image)[name], expected, rtol=1e-4, atol=1e-4)


def test_a_backbone_that_does_not_exist_is_a_mistake_in_the_configuration(tiny_config):
    with pytest.raises(ConfigError, match="build_nothing"):
        create_model(tiny_config({"MODEL.BACKBONE.NAME": "build_nothing"}))
