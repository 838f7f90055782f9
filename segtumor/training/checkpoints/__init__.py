"""Checkpoints: whole or absent, read as data, and enough to resume from."""
