"""Modules that judge whole images or every pixel, with the methods of ``segtumor.runtime.protocols``; and back.

Letters: N windows, K classes without normal; h, w of a window.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from segtumor.errors import ConfigError, NonFiniteOutputError
from segtumor.models.detectors.yolo.architecture import YOLO
from segtumor.models.detectron2_detector import ModelDetector, evaluating, image_tensor
from segtumor.runtime.breakdown import broken_output
from segtumor.runtime.inputs import padded_hw
from segtumor.runtime.networks import context_reading
from segtumor.runtime.one_stage import findings_of
from segtumor.runtime.protocols import Model, SizeHW, Window
from segtumor.structures.lesions import Finding
from segtumor.structures.readings import ImageProbabilities, Reading
from segtumor.tabular.encoder import Context, TableEncoder


class ModelClassifier:
    """A classifier.

    Args:
        module: called with a list of dicts, each with ``"image"`` (3, h, w) in 0..255, it returns a list of dicts with
            ``"image_probabilities"``, (K + 1,) in [0, 1], normal first.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def classify(self, windows: Sequence[Window]) -> list[ImageProbabilities | NonFiniteOutputError]:
        """See ``runtime.protocols.Classifier``."""
        outputs = _outputs(self.module, windows, "image_probabilities")
        return [tuple(values.tolist()) if np.isfinite(values).all() else broken_output() for values in outputs]


class ContextClassifier(ModelClassifier):
    """A classifier that takes a table or learns further tasks (``classifiers.image_classifier``).

    Args:
        module: as for ``ModelClassifier``; it takes ``"context"`` too, and may return ``"attributes"``.
        class_names: by ``class_id``.
        encoder: of the table that it takes, for what is said of missing values; None without one.
    """

    def __init__(self, module: nn.Module, class_names: Sequence[str], encoder: TableEncoder | None) -> None:
        super().__init__(module)
        self._class_names, self._encoder = tuple(class_names), encoder

    @property
    def context_columns(self) -> tuple[str, ...]:
        """See ``runtime.protocols.ContextModel``."""
        return self._encoder.names if self._encoder else ()

    def read_with_contexts(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW], contexts: Sequence[Context]
    ) -> list[Reading | NonFiniteOutputError]:
        """See ``runtime.protocols.ContextModel``."""
        inputs = [{"image": image_tensor(w), "context": c} for w, c in zip(windows, contexts, strict=True)]
        with torch.inference_mode(), evaluating(self.module):
            outputs = self.module(inputs)
        given = zip(outputs, sizes_hw, contexts, strict=True)
        return [self._reading(output, size_hw, context) for output, size_hw, context in given]

    def _reading(self, output: Mapping[str, Any], size_hw: SizeHW, context: Context) -> Reading | NonFiniteOutputError:
        return context_reading(
            output["image_probabilities"].float().cpu().numpy(),
            size_hw,
            self._class_names,
            remarks=self._encoder.remarks(context) if self._encoder else (),
            attributes=output.get("attributes"),
        )


def classifier_of(module: Any, class_names: Sequence[str]) -> ModelClassifier:
    """An ``ImageClassifier`` as what it is: with a table or tasks, or without."""
    if module.table is None and module.tasks is None:
        return ModelClassifier(module)
    return ContextClassifier(module, class_names, None if module.table is None else module.table.encoder)


class ModelSegmenter:
    """A segmenter.

    Args:
        module: as for ``ModelClassifier``, with ``"class_maps"``, (K, h, w) in [0, 1], at the size of the image.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def segment(self, windows: Sequence[Window]) -> list[NDArray[np.float32] | NonFiniteOutputError]:
        """See ``runtime.protocols.Segmenter``."""
        outputs = _outputs(self.module, windows, "class_maps")
        return [maps if np.isfinite(maps).all() else broken_output() for maps in outputs]


class ModelOneStage:
    """A one-stage detector.

    Args:
        module: as for ``ModelClassifier``, with ``"rows"`` and, with masks, ``"prototypes"``, as
            ``runtime.one_stage.findings_of`` takes them.
        class_names: by ``class_id``.
    """

    def __init__(self, module: YOLO, class_names: Sequence[str]) -> None:
        self.module, self._num_classes = module, len(class_names)

    def detect(
        self, windows: Sequence[Window], sizes_hw: Sequence[SizeHW]
    ) -> list[tuple[Finding, ...] | NonFiniteOutputError]:
        """See ``runtime.protocols.Detector``."""
        if not windows:
            return []
        outputs = zip(windows, sizes_hw, _answers(self.module, windows), strict=True)
        return [
            findings_of(
                **{name: array.float().cpu().numpy() for name, array in output.items()},
                window_hw=window.shape,
                padded_hw=padded_hw(window.shape, self.module.size_multiple),
                size_hw=(int(height), int(width)),
                num_classes=self._num_classes,
                selection=self.module.selection,
            )
            for window, (height, width), output in outputs
        ]


def module_of(model: Model) -> nn.Module:
    """The module of torch behind a model of this package; ConfigError for any other."""
    if isinstance(model, ModelDetector):
        return model.model
    if isinstance(model, (ModelClassifier, ModelSegmenter, ModelOneStage)):
        return model.module
    raise ConfigError("this kind of model has no module of torch to look into", got=type(model).__name__)


def _outputs(module: nn.Module, windows: Sequence[Window], name: str) -> list[NDArray[np.float32]]:
    return [output[name].float().cpu().numpy() for output in _answers(module, windows)]


def _answers(module: nn.Module, windows: Sequence[Window]) -> list[dict[str, torch.Tensor]]:
    inputs = [{"image": image_tensor(window)} for window in windows]
    with torch.inference_mode(), evaluating(module):
        found: list[dict[str, torch.Tensor]] = module(inputs)
        return found
