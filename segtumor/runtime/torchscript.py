"""The graphs in torch: as modules, or from TorchScript files.

A TorchScript file is a program. It is loaded only after its hash was compared (``runtime.exported``), which finds
damage, not malice: open exports of people you trust. Not here: how the modules are made (``segtumor.modeling.graphs``).
"""

import warnings

import torch
import torchvision  # noqa: F401  brings the operators roi_align and roi_pool

from segtumor.errors import ModelError
from segtumor.runtime.detector import Maps
from segtumor.runtime.graph_names import GRAPHS


class TorchGraphs:
    """Three torch modules as graphs: NumPy in, NumPy out; features stay tensors.

    Args:
        dense: (N, 3, H, W) -> tuple of features, objectness and deltas.
        box_head, mask_head: features, then boxes of each -> outputs.
        feature_count: how many of the dense outputs are features.
        channels_last: whether images are given in (N, H, W, C) memory, which is quicker on a CPU.
        device: where the modules are.
    """

    def __init__(self, dense, box_head, mask_head, *, feature_count, channels_last=True, device="cpu"):
        self._dense, self._box_head, self._mask_head = dense, box_head, mask_head
        self._feature_count, self._device = feature_count, device
        self._format = torch.channels_last if channels_last else torch.contiguous_format

    @torch.inference_mode()
    def dense(self, images):
        """(N, 3, H, W) float32, normalised and padded -> ``Maps``."""
        images = torch.from_numpy(images).to(self._device).contiguous(memory_format=self._format)
        outputs = self._dense(images)
        # Every pooling would copy a map that is not contiguous; once is enough.
        features = tuple(feature.contiguous() for feature in outputs[: self._feature_count])
        rest = tuple(_array(output) for output in outputs[self._feature_count :])
        return Maps(features, rest[: len(rest) // 2], rest[len(rest) // 2 :])

    @torch.inference_mode()
    def box_head(self, features, boxes):
        """Features of ``dense`` and (R_i, 5) boxes per map -> (class logits, deltas), float32."""
        class_logits, deltas = self._box_head(*features, *self._tensors(boxes))
        return _array(class_logits), _array(deltas)

    @torch.inference_mode()
    def mask_head(self, features, boxes):
        """Features of ``dense`` and (R_i, 5) boxes per map -> mask logits (R, 1 or K, M, M), float32."""
        return _array(self._mask_head(*features, *self._tensors(boxes)))

    def describe(self):
        """What runs the graphs."""
        return {"runtime": "torch", "version": torch.__version__, "threads": torch.get_num_threads()}

    def _tensors(self, boxes):
        return [torch.from_numpy(rows).to(self._device) for rows in boxes]


class TorchScriptGraphs(TorchGraphs):
    """The graphs of an export as TorchScript.

    Args:
        files: {graph: {suffix: path}}.
        feature_count: maps that boxes are pooled from.
        threads: of torch, for the whole process; None leaves them.

    Raises:
        ModelError: a file is not TorchScript.
    """

    def __init__(self, files, *, feature_count, threads=None):
        if threads is not None:
            torch.set_num_threads(threads)
        super().__init__(*(_load(files[name][".pt"]) for name in GRAPHS), feature_count=feature_count)

    def describe(self):
        """What runs the graphs."""
        return {**super().describe(), "runtime": "torchscript"}


def _load(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that TorchScript will end; nothing a user can do
        try:
            return torch.jit.load(str(path), map_location="cpu").eval()
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"not a TorchScript file: {reason:.120}", where=path, remedy="Export again") from error


def _array(tensor):
    return tensor.cpu().contiguous().numpy()
