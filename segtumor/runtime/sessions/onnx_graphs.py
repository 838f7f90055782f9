"""The graphs in onnxruntime, from ONNX files; needs neither torch nor Detectron2. CPU only."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor.arrays import Floats32
from segtumor.errors import ModelError
from segtumor.runtime.contract import Regions
from segtumor.runtime.mask_rcnn.detector import Maps
from segtumor.runtime.mask_rcnn.pooling import pools_of
from segtumor.runtime.sessions.graph_names import (
    IMAGE_HEAD,
    IMAGE_OUTPUTS,
    IMAGES,
    NETWORK,
    POOLED,
    REGIONS,
    NamedHeads,
    outputs_of,
)
from segtumor.system.imports import import_optional


class OnnxGraphs(NamedHeads):
    """The graphs of an export as ONNX.

    Args:
        files: {graph: {suffix: path}}.
        threads: of each session; None leaves the choice to onnxruntime.

    Raises:
        InstallationError: onnxruntime is missing.
        ModelError: a file is not ONNX, or has other outputs.
    """

    def __init__(
        self, files: Mapping[str, Mapping[str, Path]], *, regions: Regions, level_count: int, threads: int | None = None
    ) -> None:
        self._runtime, self._threads, self._feature_count = import_onnxruntime(), threads, len(regions.strides_px)
        self._pools = pools_of(regions)
        self._sessions = {name: open_session(files[name][".onnx"], threads) for name in files}
        self._dense_outputs = list(outputs_of("dense", self._feature_count, level_count))

    def dense(self, images: Floats32) -> Maps:
        """(N, 3, H, W) float32, normalised and padded -> ``Maps``."""
        return Maps.of(self._sessions["dense"].run(self._dense_outputs, {IMAGES: images}), self._feature_count)

    def image_head(self, pooled: Floats32) -> tuple[Floats32, Floats32]:
        """Pooled maps (``mask_rcnn.image_head``) -> image logits (N, K + 1) and unlikeness (N,), float32."""
        logits, unlikeness = self._sessions[IMAGE_HEAD].run(list(IMAGE_OUTPUTS), {POOLED: pooled})
        return logits, unlikeness

    def describe(self) -> dict[str, Any]:
        """What runs the graphs; threads is None where onnxruntime chooses them."""
        return {"runtime": "onnxruntime", "version": self._runtime.__version__, "threads": self._threads}

    def _head(
        self, name: str, features: Sequence[Floats32], boxes: Sequence[Floats32], outputs: Sequence[str]
    ) -> list[Floats32]:
        found: list[Floats32] = self._sessions[name].run(list(outputs), {REGIONS: self._pools[name](features, boxes)})
        return found


class OnnxNetwork:
    """The one graph of a network as ONNX; arguments and errors as ``OnnxGraphs``."""

    def __init__(self, files: Mapping[str, Mapping[str, Path]], *, threads: int | None = None) -> None:
        self._runtime, self._threads = import_onnxruntime(), threads
        self._session = open_session(files[NETWORK][".onnx"], threads)

    def answer(self, images: Floats32, **further: Floats32) -> tuple[Floats32, ...]:
        """See ``networks.Network``."""
        return tuple(self._session.run(None, {IMAGES: images, **further}))

    def describe(self) -> dict[str, Any]:
        """As ``OnnxGraphs.describe``."""
        return {"runtime": "onnxruntime", "version": self._runtime.__version__, "threads": self._threads}


def open_session(path: Path, threads: int | None) -> Any:
    """A session of onnxruntime on the CPU; raises ModelError for a file that is not ONNX."""
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    # Memory stays with onnxruntime's arena: over many shapes it kept no more than was kept without it.
    options.log_severity_level = 3  # errors only; they are raised as well
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base but this one
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"not a usable ONNX file: {reason:.120}", where=path, remedy="Export again") from error


def import_onnxruntime() -> Any:
    """The module ``onnxruntime``; raises InstallationError if it is missing."""
    return import_optional("onnxruntime", extra="onnx")
