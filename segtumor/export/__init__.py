"""A trained model to a folder that infers without torch: graphs, contract, proof that it answers alike."""

import segtumor.compat  # noqa: F401  must run before Detectron2 is imported
