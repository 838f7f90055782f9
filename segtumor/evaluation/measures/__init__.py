"""Measures as functions of case weights, which count the facts."""
