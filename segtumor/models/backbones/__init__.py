"""Backbones that Detectron2 lacks, on its registry."""
