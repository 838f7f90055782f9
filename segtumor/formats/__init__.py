"""Annotation formats to COCO and back, one folder or file per format.

A format reads its files into a ``collection.Collection``, which ``conversion`` turns into the COCO form of
datasets/README.md; and writes a ``segtumor.annotations.coco.CocoDataset`` into its files. ``table`` says what a format
offers, and lists them.
"""
