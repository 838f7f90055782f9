"""Showing results: overlays, plots, tables and reports. Core: no torch, no detectron2."""
