"""Folders of mask images: what is not black is a lesion.

The masks are the PNG, BMP, TIFF or JPEG files in folders called masks, labels, annotations, SegmentationClass or the
like; without such a folder, all files below the source; among the images themselves, those whose names end in _mask,
_seg, _label or the like. A file name says what its mask is (``<image>`` is the name of an image without its suffix):

- ``<image>`` or ``<image>_mask`` (_seg, _label, -mask, ...): the whole image. Black: a normal image. Otherwise each
  8-connected part is a lesion; holes are kept. With one class or none the mask is binary; with several in classes.txt
  or class_names.txt (a name a line, from 1, or ``value name``), labels.json, _classes.csv or CVAT's labelmap.txt
  (``name:red,green,blue::``) values or colours are classes; 255 and 254, and the void of Pascal VOC, are ignored where
  the list does not name them, which is reported. Without names, masks of several values are left out, and with them
  those of one value that may be another class. As nnU-Net has it, an image may be called ``<image>_0000`` and
  dataset.json hold the classes.
- ``<image>_<number>``, ``<image>_<class>_<number>``, or any file in a folder called ``<image>`` (there,
  ``<class>_<number>`` names a class): one lesion, possibly of several parts; lesions may overlap.

The longest image name that fits counts. Where a file could belong to two images that have no other mask, both are left
out; so is an image with both kinds of mask. Values are taken as stored: 0/255, 0/1, 16 bits, indices of a palette.
Smoothed and JPEG masks are cut at half; a palette is never smoothed. Lesions without a class are called ``lesion``. An
image without a mask is not annotated. Not supported: instance maps, in which every value is another lesion
(SegmentationObject).
"""

from segtumor.formats.collection import NOT_ANNOTATED
from segtumor.formats.masks.reader import read, recognises
from segtumor.formats.masks.writer import write

__all__ = ["KEEPS_CROWDS", "UNLISTED", "read", "recognises", "write"]

UNLISTED = NOT_ANNOTATED
KEEPS_CROWDS = False
