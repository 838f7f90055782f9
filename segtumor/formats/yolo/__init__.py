"""YOLO text files (Darknet, LabelImg, Ultralytics, Roboflow): one ``.txt`` per image, one lesion a line.

``class cx cy width height`` is a box, ``class x1 y1 x2 y2 x3 y3 ...`` an outline (four corners: also a turned box), in
parts of the image's width and height; a file may hold both (``lines`` has the table). Source:
docs.ultralytics.com, "Object Detection", "Instance Segmentation" and "Oriented Bounding Boxes Datasets Overview".
Class names come from ``data.yaml``, ``classes.txt`` or ``obj.names``. Label files lie in ``labels`` beside ``images``
(labels/train/x.txt or train/labels/x.txt) or beside the images. An empty file is a normal image; so is a missing one,
as the training programs have it.

The confidence of a predicted box is kept as ``confidence``, and reported, since predictions are not truth. Key points
and track numbers are dropped, and reported. The part of a split comes from data.yaml, else from folders called train,
valid, test; images of data.yaml's folders that have no file are listed as normal, with their part. Numbers above 1.5
mean that a file is in px: it is left out. Not supported: turned boxes given by an angle, and classes of whole images.
"""

from segtumor.formats.collection import NORMAL
from segtumor.formats.yolo.reader import read, recognises
from segtumor.formats.yolo.writer import write

__all__ = ["KEEPS_CROWDS", "UNLISTED", "read", "recognises", "write"]

UNLISTED = NORMAL
KEEPS_CROWDS = False
