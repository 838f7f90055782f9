"""YOLO: text files of boxes or outlines, a line for each object."""
