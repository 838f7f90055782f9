"""The graphs in torch: as modules, or from TorchScript files.

A TorchScript file is a program. It is loaded only after its hash was compared (``runtime.exported``), which finds
damage, not malice: open exports of people you trust. Not here: how the modules are made (``segtumor.export.graphs``).
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from segtumor.arrays import Floats32
from segtumor.errors import ModelError
from segtumor.runtime.contract import Regions
from segtumor.runtime.mask_rcnn.detector import Maps
from segtumor.runtime.mask_rcnn.pooling import RegionPooling, pools_of
from segtumor.runtime.sessions.graph_names import IMAGE_HEAD, NETWORK


class TorchGraphs:
    """Torch modules as graphs: NumPy in, NumPy out.

    Args:
        dense: (N, 3, H, W) -> tuple of features (N, H, W, C), objectness and deltas.
        box_head: pooled regions (R, S, S, C) -> class logits and deltas.
        mask_head: pooled regions -> mask logits, or None.
        image_head: pooled maps (N, D) -> image logits and unlikeness, or None.
        pools: {head: ``pooling.RegionPooling``}.
        feature_count: how many of the dense outputs are features.
        channels_last: whether images are given in (N, H, W, C) memory, which is quicker on a CPU.
    """

    def __init__(
        self,
        dense: nn.Module,
        box_head: nn.Module,
        mask_head: nn.Module | None = None,
        image_head: nn.Module | None = None,
        *,
        pools: Mapping[str, RegionPooling],
        feature_count: int,
        channels_last: bool = True,
        device: str = "cpu",
    ) -> None:
        self._dense, self._box_head, self._mask_head, self._image_head = dense, box_head, mask_head, image_head
        self._feature_count, self._pools, self._device = feature_count, pools, device
        self._format = torch.channels_last if channels_last else torch.contiguous_format

    @torch.inference_mode()
    def dense(self, images: Floats32) -> Maps:
        """(N, 3, H, W) float32, normalised and padded -> ``Maps``."""
        inputs = torch.from_numpy(images).to(self._device).contiguous(memory_format=self._format)
        return Maps.of(list(map(_array, self._dense(inputs))), self._feature_count)

    @torch.inference_mode()
    def box_head(self, features: Sequence[Floats32], boxes: Sequence[Floats32]) -> tuple[Floats32, Floats32]:
        """Features of ``dense`` and (R_i, 5) boxes per map -> (class logits, deltas), float32."""
        class_logits, deltas = self._box_head(self._regions("box_head", features, boxes))
        return _array(class_logits), _array(deltas)

    @torch.inference_mode()
    def mask_head(self, features: Sequence[Floats32], boxes: Sequence[Floats32]) -> Floats32:
        """Features of ``dense`` and (R_i, 5) boxes per map -> mask logits (R, 1 or K, M, M), float32.

        Raises:
            TypeError: the model has no mask head.
        """
        if self._mask_head is None:
            raise TypeError("this model has no mask head")
        return _array(self._mask_head(self._regions("mask_head", features, boxes)))

    @torch.inference_mode()
    def image_head(self, pooled: Floats32) -> tuple[Floats32, Floats32]:
        """Pooled maps (``mask_rcnn.image_head``) -> image logits (N, K + 1) and unlikeness (N,), float32.

        Raises:
            TypeError: the model has no image head.
        """
        if self._image_head is None:
            raise TypeError("this model has no image head")
        logits, unlikeness = self._image_head(torch.from_numpy(pooled).to(self._device))
        return _array(logits), _array(unlikeness)

    def describe(self) -> dict[str, Any]:
        """What runs the graphs."""
        return {"runtime": "torch", "version": torch.__version__, "threads": torch.get_num_threads()}

    def _regions(self, head: str, features: Sequence[Floats32], boxes: Sequence[Floats32]) -> torch.Tensor:
        return torch.from_numpy(self._pools[head](features, boxes)).to(self._device)


class TorchScriptGraphs(TorchGraphs):
    """The graphs of an export as TorchScript.

    Args:
        files: {graph: {suffix: path}}.
        threads: of torch, for the whole process; None leaves them.

    Raises:
        ModelError: a file is not TorchScript.
    """

    def __init__(
        self, files: Mapping[str, Mapping[str, Path]], *, regions: Regions, threads: int | None = None
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        modules = {name: _load(paths[".pt"]) for name, paths in files.items()}
        super().__init__(
            modules["dense"],
            modules["box_head"],
            modules.get("mask_head"),
            modules.get(IMAGE_HEAD),
            pools=pools_of(regions),
            feature_count=len(regions.strides_px),
        )

    def describe(self) -> dict[str, Any]:
        """What runs the graphs."""
        return {**super().describe(), "runtime": "torchscript"}


class TorchScriptNetwork:
    """The one graph of a network as TorchScript; arguments and errors as ``TorchScriptGraphs``."""

    def __init__(self, files: Mapping[str, Mapping[str, Path]], *, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._network = _load(files[NETWORK][".pt"])

    @torch.inference_mode()
    def answer(self, images: Floats32, **further: Floats32) -> tuple[Floats32, ...]:
        """See ``networks.Network``; further inputs in the order that they were traced in."""
        return tuple(map(_array, self._network(*map(torch.from_numpy, [images, *further.values()]))))

    def describe(self) -> dict[str, Any]:
        """What runs the graph."""
        return {"runtime": "torchscript", "version": torch.__version__, "threads": torch.get_num_threads()}


def _load(path: Path) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that TorchScript will end; nothing a user can do
        try:
            module: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]  # torch
            return module.eval()
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"not a TorchScript file: {reason:.120}", where=path, remedy="Export again") from error


def _array(tensor: torch.Tensor) -> Floats32:
    array: Floats32 = tensor.cpu().contiguous().numpy()
    return array
