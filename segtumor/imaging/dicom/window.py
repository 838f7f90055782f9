"""The VOI window functions of PS3.3 C.11.2 as pure functions."""

import numpy as np

from segtumor.imaging.intensity import linear_window

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def apply_window(values, center, width, function: str = "LINEAR"):
    """The VOI window functions of PS3.3 C.11.2.1.2 and C.11.2.1.3, with output range [0, 1].

    Args:
        values: (H, W) modality values.
        center, width: in units of ``values``; width >= 1 for LINEAR, > 0 for the others.
        function: "LINEAR", "LINEAR_EXACT" or "SIGMOID".

    Returns:
        (H, W) float32 in [0, 1].
    """
    if function == "SIGMOID":  # 1 / (1 + exp(-4 (x - c) / w)), in a form that cannot overflow
        with np.errstate(over="ignore"):
            return (0.5 + 0.5 * np.tanh(2 * (values - np.float64(center)) / width)).astype(np.float32)
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width == 0:
        return (values > center).astype(np.float32)
    return linear_window(values, center - width / 2, center + width / 2)
