"""Our numbers beside the published ones: measured as a protocol counts, what may be compared, and the table."""
