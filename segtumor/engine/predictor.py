"""Radiograph to findings: the path that inference, evaluation and validation during training share."""

import contextlib

import torch

from segtumor import postprocessing
from segtumor.engine.findings import findings_from_instances
from segtumor.imaging import normalize_window
from segtumor.loading.mapper import image_tensor, resize, resized_hw


class Predictor:
    """A model with its way of preparing images and cleaning findings.

    Args:
        model: a Detectron2 model.
        short_edge_px: size the shorter edge is scaled to.
        max_long_edge_px: limit of the longer edge.
        window_percentiles: gray values made black and white.
        settings: ``postprocessing.Postprocessing``.
    """

    def __init__(self, model, *, short_edge_px, max_long_edge_px, window_percentiles, settings):
        self.model = model
        self._short_edge_px, self._max_long_edge_px = short_edge_px, max_long_edge_px
        self._window_percentiles, self._settings = tuple(window_percentiles), settings

    @classmethod
    def from_config(cls, cfg, model):
        """The predictor that ``INPUT`` and ``POSTPROCESSING`` describe."""
        return cls(
            model,
            short_edge_px=cfg.INPUT.MIN_SIZE_TEST,
            max_long_edge_px=cfg.INPUT.MAX_SIZE_TEST,
            window_percentiles=cfg.INPUT.WINDOW_PERCENTILES,
            settings=postprocessing.Postprocessing(
                suppression_iou=cfg.POSTPROCESSING.SUPPRESS_IOU,
                fill_holes=cfg.POSTPROCESSING.FILL_HOLES,
                min_part_fraction=cfg.POSTPROCESSING.MIN_PART_FRACTION,
                smooth_radius_px=cfg.POSTPROCESSING.SMOOTH_RADIUS_PX,
                min_area_px=cfg.POSTPROCESSING.MIN_AREA_PX,
            ),
        )

    def predict(self, radiograph):
        """Findings of one radiograph, every score the model returned, highest first.

        Args:
            radiograph: ``imaging.Radiograph`` of any size.

        Returns:
            tuple of Finding, in px of the radiograph.
        """
        return self.predict_batch([radiograph])[0]

    def predict_batch(self, radiographs):
        """``predict`` for several radiographs at once; a list of tuples of Finding."""
        inputs = [self._model_input(radiograph.pixels) for radiograph in radiographs]
        outputs = [None] * len(inputs)
        with torch.inference_mode(), evaluating(self.model):
            for group in _same_shapes(inputs):
                for index, output in zip(group, self.model([inputs[i] for i in group]), strict=True):
                    outputs[index] = output["instances"]
        return [postprocessing.apply(findings_from_instances(instances), self._settings) for instances in outputs]

    def _model_input(self, pixels):
        window = normalize_window(pixels, *self._window_percentiles)
        window = resize(window, resized_hw(pixels.shape, self._short_edge_px, self._max_long_edge_px))
        return {"image": image_tensor(window), "height": pixels.shape[0], "width": pixels.shape[1]}


def _same_shapes(inputs):
    """Indices of the inputs, grouped by the shape of their image.

    Detectron2 pads a batch to its largest image, and the padding changes what is found: a radiograph's findings must
    not depend on its neighbours.
    """
    groups = {}
    for index, item in enumerate(inputs):
        groups.setdefault(item["image"].shape, []).append(index)
    return groups.values()


@contextlib.contextmanager
def evaluating(model):
    """The model in evaluation mode; its former mode afterwards."""
    was_training = model.training
    model.eval()
    try:
        yield model
    finally:
        model.train(was_training)
