"""Pages of HTML that need nothing from anywhere else."""
