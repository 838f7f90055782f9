"""The model behind the page: readings, heat maps on demand, and what the page says of it."""

import importlib.util
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segtumor.arrays import GrayImage
from segtumor.errors import ConfigError, DataError, SegtumorError
from segtumor.imaging import Radiograph
from segtumor.inference.explaining import explainable_config, explaining
from segtumor.inference.load import InferenceModel, check_model, load_model
from segtumor.inference.points import points_of
from segtumor.reporting.dicom.coding import algorithm_of
from segtumor.runs import CONFIG, EXPORT
from segtumor.shipped.entry import ENTRY, read_entry
from segtumor.shipped.registry import model_folder
from segtumor.structures.readings import Reading

#: Methods of ``explain`` that the page offers; guided backpropagation says little of the class.
_METHODS = ("gradcam", "layercam", "occlusion")


class ServedModel:
    """A model with a name, loaded once.

    Attributes:
        name, version: what the page and reports call it.
        algorithm: what DICOM objects call it.
        class_names: by ``class_id``.
        threshold: from which on findings are shown, [0, 1].
        points: {name: threshold} of its operating points; empty where it has none.
        heat_methods: names of the heat maps that it can give; none without torch.

    Raises:
        ConfigError: neither a folder of a training run or of an export, nor the name of a model.
        ModelError, InstallationError: as ``inference.load.load_model``.
    """

    def __init__(self, path_or_name: str | Path | None = None, *, threads: int | None = None) -> None:
        self._folder, self._threads = model_folder(path_or_name), threads
        check_model(self._folder, remedy="Check --model; `segtumor models` lists those that have a name")
        self._loaded = load_model(run=self._folder, threads=threads)
        self.class_names = self._loaded.predictor.class_names
        self.threshold = float(self._loaded.settings["confidence_threshold"])
        self.algorithm = algorithm_of(self._loaded.entry)
        self.name, self.version = _name_of(self._folder, self._loaded)
        self.points: Mapping[str, float] = _points_of(self._folder, self._loaded)
        self.heat_methods: Sequence[str] = _METHODS if self._can_explain() else ()
        self._explaining: dict[str, InferenceModel] = {}
        self._lock = threading.Lock()

    def read(self, radiograph: Radiograph) -> Reading:
        """What it says; raises NonFiniteOutputError where it breaks down."""
        return self._loaded.read(radiograph)

    def heat(self, method: str, radiograph: Radiograph) -> dict[str, GrayImage]:
        """Heat maps by one of ``heat_methods``, (H, W) float32 in [0, 1].

        Returns:
            {"gradcam": of the image, or the highest of its findings', "gradcam-1": of the first finding, ...}; nothing
            where there is neither.

        Raises:
            ConfigError: another method.
            InstallationError: torch is gone.
            DataError: the model broke down on the radiograph.
        """
        if method not in self.heat_methods:
            expected = ", ".join(self.heat_methods) or "none: heat maps need torch and the weights"
            raise ConfigError("no such heat map", got=repr(method), expected=expected)
        with self._lock:
            if method not in self._explaining:
                cfg = explainable_config(self._folder, None, ())
                self._explaining[method] = explaining(cfg, method, threads=self._threads)
            reading = self._explaining[method].predictor.read(radiograph)
        found = {name.partition(", ")[2]: heat for name, heat in reading.maps.items()}
        numbered = [name for name in found if name.startswith("finding ")]
        of_findings = {f"{method}-{name.split()[1]}": found[name] for name in numbered}
        whole = found.get("image")
        if whole is None and of_findings:
            whole = np.max(list(of_findings.values()), axis=0)
        return ({} if whole is None else {method: whole}) | of_findings

    def _can_explain(self) -> bool:
        """Whether torch is here, and gradients can be had; the model itself is loaded when a map is wanted."""
        if not all(importlib.util.find_spec(name) for name in ("torch", "detectron2")):
            return False
        beside = self._folder.parent / CONFIG if (self._folder / EXPORT).exists() else self._folder / CONFIG
        return beside.is_file()


def _name_of(folder: Path, loaded: InferenceModel) -> tuple[str, str]:
    """Name and version: of a shipped model its own, else that of the folder and the hash of its weights."""
    if (folder.parent / ENTRY).is_file():
        entry = read_entry(folder.parent)
        return entry.name, entry.version
    return folder.resolve().name, str(loaded.entry.get("weights_sha256") or "of unknown weights")[:12]


def _points_of(folder: Path, loaded: InferenceModel) -> dict[str, float]:
    """{name: threshold} of its operating points; none where none were chosen."""
    try:
        return {point.key: point.score_threshold for point in points_of(loaded, [folder]).points}
    except ConfigError:
        return {}


def reason_of(error: SegtumorError) -> str:
    """What an error says without its place, which is a path of this machine."""
    return str(DataError(error.what, got=error.got, expected=error.expected, remedy=error.remedy))


def as_plain(model: ServedModel, colours: Sequence[str]) -> dict[str, Any]:
    """What the page is told of it."""
    return {
        "name": model.name,
        "version": model.version,
        "threshold": model.threshold,
        "classes": list(model.class_names),
        "colours": list(colours),
        "operating_points": [{"name": name, "threshold": value} for name, value in model.points.items()],
        "heat_methods": list(model.heat_methods),
    }
