"""Predictions files."""
