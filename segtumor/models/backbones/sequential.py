"""Backbones whose layers run one after the other, and whose maps are what some of these return.

Letters: N images, H, W height and width of the input.
"""

from collections.abc import Mapping, Sequence

import torch
from detectron2.modeling import Backbone
from torch import nn


class SequentialBackbone(Backbone):
    """Runs layers as far as the last map that is asked for. Subclasses call ``define_maps`` when they are built."""

    def define_maps(
        self,
        out_features: Sequence[str],
        *,
        ends: Mapping[str, int],
        channels: Mapping[str, int],
        strides: Mapping[str, int],
    ) -> None:
        """Say which maps there are.

        Args:
            out_features: names of the maps to return.
            ends: name of a map -> number of layers up to the one that returns it.
            channels: name -> channels of the map.
            strides: name -> pixels of the input per cell of the map.
        """
        # Detectron2's own ``output_shape`` reads these three.
        self._out_features = list(out_features)
        self._out_feature_channels = {name: channels[name] for name in out_features}
        self._out_feature_strides = {name: strides[name] for name in out_features}
        self._map_at_end = {ends[name]: name for name in out_features}

    @property
    def size_divisibility(self) -> int:
        """Input height and width are padded to a multiple of this; px."""
        return max(self._out_feature_strides.values())

    def maps_of(self, layers: nn.Sequential | nn.ModuleList, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Input of the first layer -> {map name: (N, channels, H / stride, W / stride)}."""
        maps = {}
        for end, layer in enumerate(layers[: max(self._map_at_end)], start=1):
            x = layer(x)
            if end in self._map_at_end:
                maps[self._map_at_end[end]] = x
        return maps
