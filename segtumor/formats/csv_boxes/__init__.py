"""CSV of boxes: one row for each box (RetinaNet, TensorFlow, VinDr, Open Images in px, and tables made by hand).

Read: UTF-8 (other encodings are refused: guessing would spoil names), divided by comma, semicolon or tab, with decimal
commas where the comma does not divide; columns by their usual names in any case (``layout``). A row without box and
label, or labelled normal or "no finding", is a normal image. Further columns become fields of the image where all its
rows agree; a column split or part becomes ``part``. From a folder with several files each image gets its file's or
folder's name as ``part``. Not supported: coordinates from 0 to 1, which are refused. Not kept by ``write``: outlines,
and all fields but the case.
"""

from segtumor.formats.collection import NOT_ANNOTATED
from segtumor.formats.csv_boxes.reader import read, recognises
from segtumor.formats.csv_boxes.writer import write

__all__ = ["KEEPS_CROWDS", "UNLISTED", "read", "recognises", "write"]

#: Tables of boxes list normal images with empty cells; one that they do not list was not looked at.
UNLISTED = NOT_ANNOTATED
KEEPS_CROWDS = False
