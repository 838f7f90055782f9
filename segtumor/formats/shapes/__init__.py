"""Shapes that COCO does not know, and outlines for formats that know less than COCO."""
