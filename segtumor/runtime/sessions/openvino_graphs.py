"""The graphs in OpenVINO, from its IR files; needs neither torch nor Detectron2. CPU only."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

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
    numbered,
)
from segtumor.system.imports import import_optional

#: OpenVINO keeps memory for every number of rows that it has seen: (up to so many rows, multiples of this), then those
#: of the last. Finely at first, as each row of the mask head is half a billion multiplications in a ResNet-50 model.
_STEPS, _LARGE_STEP = ((16, 1), (64, 4)), 16


class OpenVinoGraphs(NamedHeads):
    """The graphs of an export in OpenVINO.

    Several threads may share them; they then wait for each other. Features are arrays that each ``dense`` call makes
    anew: no copies, and a later call does not change them.

    Args:
        files: {graph: {suffix: path}}.
        threads: of each graph; None leaves the choice to OpenVINO.

    Raises:
        InstallationError: OpenVINO is missing.
        ModelError: a file is not OpenVINO's, or has other inputs and outputs.
    """

    def __init__(
        self, files: Mapping[str, Mapping[str, Path]], *, regions: Regions, level_count: int, threads: int | None = None
    ) -> None:
        self._openvino = import_openvino()
        self._features, self._pools = numbered("feature", len(regions.strides_px)), pools_of(regions)
        self._others = numbered("objectness", level_count) + numbered("deltas", level_count)
        core = self._openvino.Core()
        compiled = {name: compiled_model(core, files[name][".xml"], threads) for name in files}
        self._requests = {name: model.create_infer_request() for name, model in compiled.items()}
        self._lock = threading.Lock()  # a request serves one caller, from its inputs to its outputs
        self._threads = int(compiled["dense"].get_property("INFERENCE_NUM_THREADS"))

    def dense(self, images: Floats32) -> Maps:
        """(N, 3, H, W) float32, normalised and padded -> ``Maps``."""
        openvino, images = self._openvino, np.ascontiguousarray(images)
        # Empty tensors of our own, which the request sizes and fills; its own ones the next call would overwrite.
        features = [openvino.Tensor(openvino.Type.f32, openvino.Shape([0, 0, 0, 0])) for _ in self._features]
        outputs = dict(zip(self._features, features, strict=True))
        objectness_and_deltas = self._infer("dense", {IMAGES: self._tensor(images), **outputs}, self._others)
        return Maps.of([*(tensor.data for tensor in features), *objectness_and_deltas], len(features))

    def image_head(self, pooled: Floats32) -> tuple[Floats32, Floats32]:
        """Pooled maps (``mask_rcnn.image_head``) -> image logits (N, K + 1) and unlikeness (N,), float32."""
        logits, unlikeness = self._infer(IMAGE_HEAD, {POOLED: self._tensor(pooled)}, IMAGE_OUTPUTS)
        return logits, unlikeness

    def describe(self) -> dict[str, Any]:
        """What runs the graphs."""
        return {"runtime": "openvino", "version": self._openvino.__version__, "threads": self._threads}

    def _head(
        self, name: str, features: Sequence[Floats32], boxes: Sequence[Floats32], outputs: Sequence[str]
    ) -> tuple[Floats32, ...]:
        regions = self._pools[name](features, boxes)
        padded = _padded(regions)
        found = self._infer(name, {REGIONS: self._tensor(padded)}, outputs)
        return tuple(array[: len(regions)] for array in found)

    def _infer(self, graph: str, tensors: Mapping[str, Any], outputs: Sequence[str]) -> tuple[Floats32, ...]:
        """Copies of the outputs of these names."""
        request = self._requests[graph]
        with self._lock:
            for name, tensor in tensors.items():
                request.set_tensor(name, tensor)
            request.infer()
            return tuple(request.get_tensor(name).data.copy() for name in outputs)

    def _tensor(self, array: Floats32) -> Any:
        """A tensor that only borrows the memory of a contiguous array: the caller keeps the array until the end."""
        return self._openvino.Tensor(array, shared_memory=True)


class OpenVinoNetwork:
    """The one graph of a network in OpenVINO, arguments and errors as ``OpenVinoGraphs``; callers wait in turn."""

    def __init__(self, files: Mapping[str, Mapping[str, Path]], *, threads: int | None = None) -> None:
        self._openvino = import_openvino()
        compiled = compiled_model(self._openvino.Core(), files[NETWORK][".xml"], threads)
        self._request, self._lock = compiled.create_infer_request(), threading.Lock()
        self._output_count = len(compiled.outputs)
        self._threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))

    def answer(self, images: Floats32, **further: Floats32) -> tuple[Floats32, ...]:
        """See ``networks.Network``."""
        with self._lock:
            self._request.infer({IMAGES: np.ascontiguousarray(images), **further})
            return tuple(self._request.get_output_tensor(n).data.copy() for n in range(self._output_count))

    def describe(self) -> dict[str, Any]:
        """As ``OpenVinoGraphs.describe``."""
        return {"runtime": "openvino", "version": self._openvino.__version__, "threads": self._threads}


def compiled_model(core: Any, path: Path, threads: int | None) -> Any:
    """A model of OpenVINO for the CPU; raises ModelError for a file that is not OpenVINO's."""
    settings: dict[str, Any] = {
        # Else processors with bfloat16 would compute in it.
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        **({} if threads is None else {"INFERENCE_NUM_THREADS": threads}),
    }
    try:
        model = core.read_model(path)
        _check_weights(model, path)
        return core.compile_model(model, "CPU", settings)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ModelError(f"not a usable OpenVINO file: {reason:.120}", where=path, remedy="Export again") from error


def _check_weights(model: Any, path: Path) -> None:
    """Refuse weights that are NaN or infinite: OpenVINO's ReLU makes 0 of NaN, so no output would show it."""
    constants = (op.data for op in model.get_ops() if op.get_type_name() == "Constant")
    for array in constants:
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelError("weights are NaN or infinite", where=path, remedy="Copy the export again, or export again")


def _padded(regions: Floats32) -> Floats32:
    """(R, S, S, C) with some rows of zeros after them, so that few numbers of rows ever occur."""
    rows = len(regions)
    multiple = next((step for limit, step in _STEPS if rows <= limit), _LARGE_STEP)
    missing = -rows % multiple
    return np.concatenate([regions, np.zeros((missing, *regions.shape[1:]), regions.dtype)]) if missing else regions


def import_openvino() -> Any:
    """The module ``openvino``; raises InstallationError if it is missing."""
    return import_optional("openvino", extra="openvino", title="OpenVINO")
