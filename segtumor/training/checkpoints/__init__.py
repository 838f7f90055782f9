"""Checkpoints: whole or absent, read as data, and enough to go on from."""
