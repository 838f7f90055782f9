"""segtumor: instance segmentation of bone tumours on radiographs, built on Detectron2.

Research use only. Not a medical device. Importing this package imports nothing else; see the README for the rooms.
"""

__version__ = "0.1.0"
