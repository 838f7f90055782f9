"""All metrics of a set of images as plain numbers, without intervals."""
