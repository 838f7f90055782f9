"""Plots, as matplotlib Figures."""
