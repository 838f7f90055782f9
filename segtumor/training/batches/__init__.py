"""From records to the batches a model trains on: registration, augmentation, mapping. Needs torch and Detectron2."""

import segtumor.compat  # noqa: F401  must run before Detectron2 is imported
