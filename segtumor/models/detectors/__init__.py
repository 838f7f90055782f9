"""Parts of detectors that Detectron2 lacks, on its registries."""
