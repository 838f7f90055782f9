"""From a trained model and files to readings. Core: no torch, no Detectron2."""
