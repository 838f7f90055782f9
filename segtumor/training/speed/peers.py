"""torchvision's detectors, called as segtumor's are: windowed images in, plain findings out."""

import torch
import torchvision

from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_mask

#: Name of torchvision's function -> size of its input, px, as it is usually run.
DETECTORS = {
    "maskrcnn_resnet50_fpn": 800,
    "fasterrcnn_mobilenet_v3_large_320_fpn": 320,
    "ssdlite320_mobilenet_v3_large": 320,
}
_MASK_THRESHOLD = 0.5


class TorchvisionDetector:
    """A detector of torchvision with random weights, none of whose random findings is kept.

    With random weights it would keep none or hundreds, by chance. Without any, it has no masks to predict and to draw:
    what is measured is the least that it can take.

    Args:
        name: one of ``DETECTORS``.
    """

    def __init__(self, name) -> None:
        torch.manual_seed(0)
        threshold = {"score_thresh" if name.startswith("ssd") else "box_score_thresh": 1.0}
        build = torchvision.models.get_model
        self._model = build(name, weights=None, weights_backbone=None, **threshold).eval()

    @torch.inference_mode()
    def detect(self, windows, sizes_hw):
        """Findings of each window, in px of the window; ``sizes_hw`` is not used: its boxes are the window's."""
        images = [torch.from_numpy(window).expand(3, -1, -1) for window in windows]
        return [_findings(output) for output in self._model(images)]


def _findings(output):
    masks = output.get("masks")
    rles = [None] * len(output["scores"])
    if masks is not None:
        rles = [rle_from_mask(mask[0].numpy()) for mask in masks > _MASK_THRESHOLD]
    columns = (output[key].tolist() for key in ("labels", "scores", "boxes"))
    return tuple(
        Finding(class_id=label, score=score, box_xyxy=tuple(box), rle=rle)
        for label, score, box, rle in zip(*columns, rles, strict=True)
    )
