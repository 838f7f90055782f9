"""CVAT, "CVAT for images 1.1": one XML file with an ``<image>`` for each image, and shapes in it.

Specification: docs.cvat.ai, "XML annotation format". Read are box (turned about its centre), polygon, mask (run
lengths row by row, background first, of the part of the image that left, top, width and height name), ellipse and tag.
Polygons and masks of one label with one ``group_id`` are one lesion, and a single box among them is its box. Tags
called normal, benign and so on are the ``image_label``, others go to ``tags``; ``subset`` goes to ``part``. An image
that is listed without a shape has been looked at: it is normal; one that is not listed is not annotated.
Kept for the way back: ``attributes``, ``occluded`` (only if set) and ``rotated_box`` of an annotation.
Not supported: "CVAT for video" (refused), zip files, and polyline, points, cuboid and skeleton, which have no area.
"""

from segtumor.formats.collection import NOT_ANNOTATED
from segtumor.formats.cvat.reader import read, recognises
from segtumor.formats.cvat.writer import write

__all__ = ["KEEPS_CROWDS", "UNLISTED", "read", "recognises", "write"]

UNLISTED = NOT_ANNOTATED
KEEPS_CROWDS = False
