"""Data sets as a whole: splits, leaks, duplicates, counts."""
