"""Annotation formats to COCO and back, one module per format.

A format reads its files into a ``collection.Collection``, which ``assemble`` turns into the COCO form of
datasets/README.md; and writes a ``segtumor.annotations.coco.CocoDataset`` into its files. ``formats`` is the table of
them.
"""
