"""What sources claim, recomputed: one file for each kind of arithmetic, and the table of kinds."""
