"""Models: building them, their weights, and the parts that Detectron2 lacks, on its registries."""

import segtumor.compat  # noqa: F401  must run before Detectron2 is imported
