"""segtumor: instance segmentation of bone tumours on radiographs, built on Detectron2.

Importing this package imports nothing else; see the README for the rooms.
"""

__version__ = "0.1.0"
#: Stands on every help text, report, page and file that people may take for a diagnosis.
NOTICE = "Research use only. Not a medical device."
