"""The files of an annotation folder: which there are, which image and part each belongs to, their encoding."""
