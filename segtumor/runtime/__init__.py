"""A Mask R-CNN between its graphs, in plain NumPy.

A trained model is three graphs: the dense part (backbone, pyramid, proposal head), the box head and the mask head.
What lies between them, from choosing proposals to pasting masks, is here, needs no framework, and is the same whatever
runs the graphs. Its results are those of Detectron2, up to the rounding of 32-bit floats.
"""
