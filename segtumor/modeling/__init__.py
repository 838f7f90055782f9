"""Model parts that Detectron2 lacks, one file each, on its registries."""

import segtumor.compat  # noqa: F401  must run before Detectron2 is imported
