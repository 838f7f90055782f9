"""Boxes, masks, lesions and findings: the nouns that every other room speaks of. Core: no torch, no detectron2."""
