"""A study: measures with intervals, subgroups, tests, and what its reader should know."""
