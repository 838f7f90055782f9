"""The files of an annotation folder: which there are, which image each means, their encoding."""
