"""Annotations: COCO files to records, what is wrong with them and its repair, predictions, tables."""
