"""A one-stage detector with the published architecture of YOLOv5, written from its descriptions."""
