"""Training, validation and prediction with Detectron2 models."""

import segtumor.compat  # noqa: F401  must run before Detectron2 is imported
