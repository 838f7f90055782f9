"""Label Studio: the JSON export (a list of tasks), and JSON-MIN with what it holds.

Sources: labelstud.io, "Label Studio task format" and the pages of the tags; the editor's code for image_rotation, which
only turns the view: percent always refer to the picture as it is in the file. Read are polygons, rectangles (turned
about their top left corner), ellipses, and brush or bitmask regions; coordinates are percent of the picture. Choices
called normal, benign and so on are the ``image_label``, others go to ``choices``; ``case_id`` and ``part`` of a
task's data are kept. Of several annotations of a task the ground truth is used, else the last updated; predictions and
drafts are not. A submitted annotation without regions is a normal image; a task without one is not annotated. A region
of a lesion cannot be joined to another: Label Studio has no groups.
Kept for the way back: ``rotated_box`` and ``choices`` of an annotation. Not supported: several pictures in a task,
pictures embedded as data URIs, and shapes without an area (key points, vectors). Nothing is ever fetched.
"""

from segtumor.formats.collection import NOT_ANNOTATED
from segtumor.formats.label_studio.reader import read, recognises
from segtumor.formats.label_studio.writer import write

__all__ = ["KEEPS_CROWDS", "UNLISTED", "read", "recognises", "write"]

UNLISTED = NOT_ANNOTATED
KEEPS_CROWDS = False
