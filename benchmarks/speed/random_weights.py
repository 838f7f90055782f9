"""Random weights that behave like trained ones: findings on some images, none on others, numbers of ordinary size.

With fresh weights every proposal scores a third for each class, activations grow from block to block, and nothing could
be compared. Here batch norms take the statistics of the images, heads are scaled to logits of about 1, and background
wins where a proposal looks like one on a blank image. Speed beside trained weights differs only by the number of
findings.
"""

import torch
from detectron2.utils.env import seed_all_rng
from torch import nn

from segtumor.models.build import create_model
from segtumor.models.detectron2_detector import evaluating, image_tensor

_SEED = 7
#: Logits of a lesion less that of background: a score above Detectron2's threshold of 0.05 for two classes, and below.
_ABOVE, _BELOW = -2.8, -3.1
#: Proposals that may pass on all images but one, at most: a radiograph shows few lesions, and the slower side pays more
#: for each of them.
_MOST_PASSING = 4


@torch.no_grad()
def calibrated_random_model(cfg, windows, blank):
    """A model of ``cfg`` with seeded random weights, calibrated on images.

    Args:
        cfg: configuration of a ``GeneralizedRCNN`` with standard heads; not changed.
        windows: list of (h, w) float32 in [0, 1], at the size for the model; at least one.
        blank: (h, w) likewise, an image on which nothing is to be found.

    Returns:
        Detectron2 model in evaluation mode.
    """
    seed_all_rng(_SEED)
    model = create_model(cfg)
    _take_statistics(model, [*windows, blank])
    model.eval()
    of_windows = [_region_vectors(model, window) for window in windows]
    of_blank = _region_vectors(model, blank)
    _aim_classes(model.roi_heads.box_predictor.cls_score, of_windows, of_blank)
    _scale(model.roi_heads.box_predictor.bbox_pred, torch.cat(of_windows), spread=0.5)
    predictor = getattr(model.roi_heads.mask_head, "predictor", None)
    if predictor is not None:  # masks of about half of their box, in patches
        predictor.weight *= 100
        predictor.bias += 0.5
    return model


def _take_statistics(model, windows) -> None:
    """Let every batch norm take the mean and variance of the images for its own."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    with evaluating(model):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain average of all images
            norm.train()
        for window in windows:
            model.backbone(_images(model, window).tensor)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def _region_vectors(model, window):
    """(R, C): what the box head makes of the proposals of one image."""
    images, heads = _images(model, window), model.roi_heads
    maps = model.backbone(images.tensor)
    proposals, _ = model.proposal_generator(images, maps)
    features = [maps[name] for name in heads.box_in_features]
    return heads.box_head(heads.box_pooler(features, [proposals[0].proposal_boxes]))


def _images(model, window):
    return model.preprocess_image([{"image": image_tensor(window)}])


def _aim_classes(layer, of_windows, of_blank) -> None:
    """Point the class weights from blank regions to those of the images, and set background's bias.

    Args:
        layer: ``nn.Linear`` with K + 1 outputs, background last; changed.
        of_windows: (R_i, C) for each image.
        of_blank: (R, C).
    """
    everything = torch.cat(of_windows)
    direction = everything.mean(dim=0) - of_blank.mean(dim=0)
    lesions = layer.weight[:-1]
    noise = lesions / lesions.norm(dim=1, keepdim=True)
    lesions.copy_(direction / direction.norm().clamp(min=1e-12) + 0.1 * noise)
    layer.weight[-1] = 0
    layer.bias.zero_()
    layer.weight /= (everything @ layer.weight[0]).std().clamp(min=1e-12) / 1.5
    # The second highest of the images: on at least two there is something, and only on one of them much.
    passing = sorted(_highest(layer, vectors, _MOST_PASSING) for vectors in of_windows)[-2:][0]
    layer.bias[-1] = torch.maximum(passing - _ABOVE, _highest(layer, of_blank, 1) - _BELOW)


def _highest(layer, vectors, rank):
    """The logit of a lesion that ``rank`` regions reach."""
    logits = layer(vectors)[:, :-1].amax(dim=1)
    return logits.topk(min(rank, len(logits))).values[-1]


def _scale(layer, vectors, *, spread) -> None:
    """Scale a layer so that its outputs vary by ``spread`` for these inputs."""
    layer.weight *= spread / layer(vectors).std().clamp(min=1e-12)
