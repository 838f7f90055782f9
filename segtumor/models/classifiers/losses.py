"""Cross entropy over whole images of which some have no label."""

import torch
from torch.nn import functional


def image_loss(logits: torch.Tensor, classes: torch.Tensor, class_weights: torch.Tensor | None = None) -> torch.Tensor:
    """Mean cross entropy of the images whose class is known, weighted by their class; 0 without any.

    Args:
        logits: (N, K + 1), normal first.
        classes: (N,) int64; below 0 unknown.
        class_weights: (K + 1,), normal first; None for equal ones.
    """
    known = classes >= 0
    loss: torch.Tensor = functional.cross_entropy(logits[known], classes[known], class_weights, reduction="sum")
    weights = known.sum() if class_weights is None else class_weights[classes[known]].sum()
    return loss / weights.clamp(min=1e-6)
