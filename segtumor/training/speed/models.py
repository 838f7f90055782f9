"""The model that a comparison is about, and every way to run it: Detectron2's own, torch, ONNX Runtime, OpenVINO."""

import dataclasses
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import torch

from segtumor.errors import InstallationError
from segtumor.export.contract import contract_of
from segtumor.export.folding import fold_batch_norms
from segtumor.export.graph_files import check_onnx, write_onnx, write_openvino
from segtumor.export.graphs import EagerGraphs
from segtumor.models.build import create_model
from segtumor.models.detectron2_detector import ModelDetector, predictor_from_config
from segtumor.models.weights import load_weights
from segtumor.runtime.breakdown import all_sound
from segtumor.runtime.exported import load_graphs
from segtumor.runtime.mask_rcnn.detector import Detector
from segtumor.training.speed.images import blank_radiograph
from segtumor.training.speed.random_weights import lively_model

logger = logging.getLogger(__name__)
TORCH, ONNX, OPENVINO = "torch", "ONNX Runtime", "OpenVINO"
_EXPORTED = {ONNX: "onnx", OPENVINO: "openvino"}
_CLASS_NAMES = ("benign", "malignant")
PARALLEL = 2


@dataclass(frozen=True)
class Subject:
    """A model and what it is to predict.

    Attributes:
        cfg: its configuration.
        model: Detectron2's, in evaluation mode; None where only the images count.
        windows: list of (h, w) float32 in [0, 1], at its size.
        sizes_hw: sizes of the radiographs, px.
    """

    cfg: object
    model: torch.nn.Module | None
    windows: list
    sizes_hw: list

    def some(self, count):
        """The same with at most ``count`` of its images, evenly chosen."""
        total = len(self.windows)
        chosen = sorted({i * total // count for i in range(count)})
        return dataclasses.replace(
            self, windows=[self.windows[i] for i in chosen], sizes_hw=[self.sizes_hw[i] for i in chosen]
        )

    def detect_all(self, detector):
        """Findings of every image, one image at a time."""
        pairs = zip(self.windows, self.sizes_hw, strict=True)
        return [all_sound(detector.detect([window], [size_hw]), ["an image"])[0] for window, size_hw in pairs]

    def detect_in_parallel(self, detectors):
        """The same twice over, with as many images at once as there are detectors; each works in one thread."""
        free = SimpleQueue()
        for detector in detectors:
            free.put(detector)

        def detect(window, size_hw):
            detector = free.get()
            try:
                return detector.detect([window], [size_hw])[0]
            finally:
                free.put(detector)

        threads = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(len(detectors), initializer=torch.set_num_threads, initargs=(1,)) as pool:
                return list(pool.map(detect, 2 * self.windows, 2 * self.sizes_hw))
        finally:
            torch.set_num_threads(threads)


def make_subject(cfg, weights, radiographs):
    """Model of ``cfg`` with ``weights``, or with seeded random ones that are calibrated on the images.

    Args:
        cfg: configuration.
        weights: file, or None.
        radiographs: list of Radiograph.

    Raises:
        ModelError: the weights are missing, damaged or of another model.
    """
    windows = windows_of(cfg, radiographs)
    if weights:
        model = create_model(cfg)
        load_weights(model, weights, strict=True)
    else:
        (blank,) = windows_of(cfg, [blank_radiograph(cfg.INPUT.MIN_SIZE_TEST)])
        model = lively_model(cfg, [window for window in windows if window.any()] or windows, blank)
    return Subject(cfg, model.eval(), windows, [radiograph.pixels.shape for radiograph in radiographs])


def windows_of(cfg, radiographs):
    """What a model of ``cfg`` sees of each radiograph, (h, w) float32 in [0, 1]."""
    predictor = predictor_from_config(cfg, None)
    return [predictor.window(radiograph.pixels) for radiograph in radiographs]


def stock_detector(subject):
    """Detectron2's model as its own predictor runs it, and findings from its instances."""
    return ModelDetector(subject.model, checks_outputs=False)


def our_detectors(subject, folder, *, threads):
    """The same weights run by segtumor.

    Args:
        subject: Subject.
        folder: for the exports, exists.
        threads: of each runtime.

    Returns:
        ({runtime: Detector}, [a sentence for each runtime that is not installed]).
    """
    contract = contract_of(subject.cfg, subject.model, class_names(subject.cfg))
    detectors, skipped = {TORCH: Detector(EagerGraphs(subject.model), contract)}, []
    for runtime, format_name in _EXPORTED.items():
        logger.info("exporting for %s", runtime)
        try:
            _write_graphs(subject.model, Path(folder), format_name)
            graphs = load_graphs(Path(folder, format_name), format_name, contract, threads=threads)
            detectors[runtime] = Detector(graphs, contract)
        except InstallationError as error:
            skipped.append(f"{runtime} is left out: {error}".replace("\n", " "))
    return detectors, skipped


def parallel_detectors(subject, detectors, folder):
    """{runtime: two detectors of one thread each} of the exports that ``our_detectors`` left in ``folder``."""
    pairs = {}
    for runtime, format_name in _EXPORTED.items():
        if runtime not in detectors:
            continue
        contract = detectors[runtime].contract
        pairs[runtime] = [
            Detector(load_graphs(Path(folder, format_name), format_name, contract, threads=1), contract)
            for _ in range(PARALLEL)
        ]
    return pairs


def class_names(cfg):
    """Names of the configuration's classes, made up where it has none."""
    count = cfg.MODEL.ROI_HEADS.NUM_CLASSES
    return tuple(cfg.MODEL.CLASS_NAMES) or (*_CLASS_NAMES, *(f"class {i}" for i in range(2, count)))[:count]


def _write_graphs(model, folder, format_name) -> None:
    (folder / format_name).mkdir(exist_ok=True)
    if format_name == "onnx":
        write_onnx(fold_batch_norms(model), folder / format_name)
    else:
        check_onnx()  # its files are made from those of ONNX
        write_openvino(folder / "onnx", folder / format_name)
