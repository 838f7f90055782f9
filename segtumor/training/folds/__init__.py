"""Cross-validation by case."""
