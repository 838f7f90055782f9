"""Synthetic radiographs ("phantoms"), drawn from a seed: the embedded default data. Core: no torch, no detectron2.

Geometric stand-ins for trying the pipeline out and testing it; they look like radiographs but show no patient,
and a score on them says nothing about real ones.
"""

from segtumor.synthesis.phantoms.coco import SYNTHETIC_NOTICE
from segtumor.synthesis.phantoms.generator import PhantomCase, PhantomLesion, PhantomView, make_case, make_phantoms
from segtumor.synthesis.phantoms.writer import write_phantom_dataset

__all__ = [
    "SYNTHETIC_NOTICE",
    "PhantomCase",
    "PhantomLesion",
    "PhantomView",
    "make_case",
    "make_phantoms",
    "write_phantom_dataset",
]
