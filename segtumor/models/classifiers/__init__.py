"""Models that judge the whole image: one architecture, many networks."""
