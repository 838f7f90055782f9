"""8-bit integers in the convolutions of the dense graph, by onnxruntime's static quantisation.

The convolutions of the backbone and its pyramid get 8-bit weights (one scale per output channel) and 8-bit inputs,
whose ranges are measured on calibration radiographs. The first convolution, which sees the image, and the last ones,
whose outputs are scores and offsets, stay float, and so do both heads, where errors move boxes and masks directly.
Files are ONNX with pairs of QuantizeLinear and DequantizeLinear, which OpenVINO reads too. Not here: 8-bit training.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtumor.datasets.sampling import evenly_spaced
from segtumor.export.graph_files import check_onnx, exporters_quiet
from segtumor.export.parity import image_files
from segtumor.imaging import read_radiograph
from segtumor.runtime.contract import Contract, NetworkContract
from segtumor.runtime.inputs import model_images
from segtumor.runtime.predictor import Windowing
from segtumor.runtime.sessions.graph_names import IMAGES
from segtumor.system.imports import import_optional

#: Calibration uses so many radiographs at most, evenly spaced: ranges hardly change with more.
MAX_CALIBRATION_IMAGES = 64


def quantize_dense(
    float_file: Path,
    quantized_file: Path,
    images: Iterable[NDArray[np.float32]],
    further: Mapping[str, NDArray[np.float32]] | None = None,
) -> None:
    """Write an 8-bit version of a dense graph; ``images`` are (1, 3, H, W) float32, as the graph takes them, and
    ``further`` inputs by name the same with each.

    Raises:
        InstallationError: onnx or onnxruntime is missing.
    """
    check_onnx()
    quantization = import_optional("onnxruntime.quantization", extra="export")
    shape_inference = import_optional("onnxruntime.quantization.shape_inference", extra="export")
    with tempfile.TemporaryDirectory() as folder, exporters_quiet(""):
        prepared = Path(folder) / "dense.onnx"
        shape_inference.quant_pre_process(str(float_file), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared),
            str(quantized_file),
            _reader(quantization, images, further or {}),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
            activation_type=quantization.QuantType.QUInt8,
            nodes_to_exclude=sensitive_convolutions(prepared),
        )


def calibration_images(
    contract: Contract | NetworkContract, paths: Sequence[str | Path]
) -> Iterator[NDArray[np.float32]]:
    """A graph's input for each calibration radiograph, files and those of folders, one after the other."""
    windowing, preprocessing = Windowing.from_contract(contract), contract.preprocessing
    for path in evenly_spaced(image_files(paths), MAX_CALIBRATION_IMAGES):
        radiograph = read_radiograph(path, max_pixels=preprocessing.max_pixels)
        window = windowing.window(radiograph.pixels, spacing_mm=radiograph.spacing_mm)
        yield model_images(
            [window],
            pixel_mean=preprocessing.pixel_mean,
            pixel_std=preprocessing.pixel_std,
            size_divisibility=preprocessing.size_divisibility,
        )


def sensitive_convolutions(onnx_file: Path) -> list[str]:
    """Names of the convolutions that read the image or make an output that is no feature map."""
    import onnx

    graph = onnx.load(str(onnx_file), load_external_data=False).graph
    last = {output.name for output in graph.output if not output.name.startswith("feature_")}
    return [
        node.name
        for node in graph.node
        if node.op_type == "Conv" and (IMAGES in node.input or last.intersection(node.output))
    ]


def _reader(
    quantization: Any, images: Iterable[NDArray[np.float32]], further: Mapping[str, NDArray[np.float32]]
) -> Any:
    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._images = iter(images)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            image = next(self._images, None)
            return None if image is None else {IMAGES: image, **further}

    return Reader()
