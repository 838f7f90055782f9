"""What users type: one file per command, each parsing arguments and calling the package."""
