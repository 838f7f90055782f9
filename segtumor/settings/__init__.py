"""Configuration files as plain settings, and which values are right. Core: no torch, no Detectron2."""
