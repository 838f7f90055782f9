"""CSV of boxes: one row for each box."""
