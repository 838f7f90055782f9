"""Names that others gave to parameters, and the names that they have here: a file for each family of networks."""
