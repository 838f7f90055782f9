"""Data: COCO json to records and back, splits, converters, phantoms; the ring files feed Detectron2."""
