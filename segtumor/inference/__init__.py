"""A predictor on a list of files: reading ahead, streaming to disk, continuing. Core: no torch, no Detectron2."""
