"""A Mask R-CNN between its graphs, in plain NumPy."""
