"""Radiographs that nobody took. Core: no torch, no Detectron2."""
