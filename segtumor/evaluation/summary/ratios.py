"""Ratios and means that may be undefined. NaN is the answer then, and the caller states the count beside it."""

import numpy as np


def ratio(numerator, denominator):
    """``numerator / denominator`` as float; NaN where the denominator is 0."""
    return float(numerator) / float(denominator) if denominator else float("nan")


def mean(values):
    """Mean as float; NaN for no values."""
    return float(np.mean(values)) if len(values) else float("nan")
