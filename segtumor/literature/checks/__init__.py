"""Checks of published claims, one file for each kind of arithmetic."""
