"""Two sets of findings on the same images, paired."""
