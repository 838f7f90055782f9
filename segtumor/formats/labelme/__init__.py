"""LabelMe: one JSON file for each image (https://github.com/wkentaro/labelme, version 5; older ones are read too).

Read: polygons, rectangles (boxes), circles, masks (their holes survive); ``group_id`` joins shapes of one label to one
lesion, and a rectangle around a polygon of its label is that lesion's box. Kept as fields of the COCO annotation:
``drawn_box`` [x, y, w, h], ``circle`` [x, y, radius], ``group_id``, ``description``, ``flags``, and what
``attributes`` holds; of the image: ``flags``, ``attributes``, and the part that a folder is named after. The image
is looked for by ``imagePath``, then taken from ``imageData``, then looked for by the name of the JSON file. A file
without shapes is a normal image. A turned box of X-AnyLabeling is the outline of its corners. Not supported: lines,
points, and other shapes of plugins.
"""

from segtumor.formats.collection import NOT_ANNOTATED
from segtumor.formats.labelme.reader import read, recognises
from segtumor.formats.labelme.writer import write

__all__ = ["KEEPS_CROWDS", "UNLISTED", "read", "recognises", "write"]

#: LabelMe writes no file for an image that nobody saved.
UNLISTED = NOT_ANNOTATED
KEEPS_CROWDS = True
